# SPDX-License-Identifier: Apache-2.0
"""Every verb with its module and one line of help, in the order of the help; a blank stands behind a group's name."""

from __future__ import annotations

from percale.cli.command import knows

__all__ = ["GROUPS", "VERBS", "Verb", "find_verb", "first_word", "groups_of", "verbs_like", "verbs_of"]


class Verb:
    """What does a verb: a module; one line of help, and whether it is percale's ``own``: one that calicoctl lacks."""

    __slots__ = ("about", "module", "own")

    def __init__(self, module: str, about: str, *, own: bool = False) -> None:
        self.module, self.about, self.own = module, about, own


VERBS: dict[str, Verb] = {
    "get": Verb("percale.cli.get", "show resources as table, YAML, JSON or by a template"),
    "create": Verb("percale.cli.create", "create resources from files"),
    "apply": Verb("percale.cli.apply", "create resources from files, or replace those that exist"),
    "replace": Verb("percale.cli.replace", "replace resources by those of files"),
    "delete": Verb("percale.cli.delete", "delete resources by name or by file"),
    "patch": Verb("percale.cli.patch", "change some fields of a resource"),
    "label": Verb("percale.cli.label", "set or remove a label of a resource"),
    "validate": Verb("percale.cli.validate", "check files without a datastore"),
    "schema": Verb("percale.cli.schema", "print the JSON Schema of a kind, for editors", own=True),
    "fields": Verb("percale.cli.fields", "say what a field means and what may stand there", own=True),
    "explain": Verb("percale.cli.explain", "say whether a flow is allowed, and why", own=True),
    "ipam show": Verb("percale.cli.ipam_show", "show how many addresses are in use, and who has them"),
    "ipam check": Verb("percale.cli.ipam_check", "find addresses that leaked, or that nobody gave out"),
    "ipam configure": Verb("percale.cli.ipam_configure", "change the configuration of address management"),
    "ipam release": Verb("percale.cli.ipam_release", "give addresses back by hand, or what checks found unused"),
    "ipam split": Verb("percale.cli.ipam_split", "cut a pool into smaller ones"),
    "history": Verb("percale.cli.history", "show what changed in a resource, when, and by whom", own=True),
    "diff": Verb("percale.cli.diff", "compare files with the datastore, or two revisions of it", own=True),
    "datastore backup": Verb(
        "percale.cli.datastore_backup", "copy the datastore into a file while it is used", own=True
    ),
    "datastore restore": Verb("percale.cli.datastore_restore", "put a backup in the place of the datastore", own=True),
    "datastore check": Verb(
        "percale.cli.datastore_check", "find out whether the embedded datastore is whole", own=True
    ),
    "datastore compact": Verb("percale.cli.datastore_compact", "forget old history, or say how much is kept", own=True),
    "datastore copy": Verb("percale.cli.datastore_copy", "copy everything from one datastore to another", own=True),
    "datastore migrate export": Verb("percale.cli.datastore_export", "print everything, to be imported elsewhere"),
    "datastore migrate import": Verb("percale.cli.datastore_import", "read an export into an empty datastore"),
    "datastore migrate-policy-names": Verb(
        "percale.cli.datastore_policy_names", "rename policies that an old release stored with a prefix"
    ),
    "datastore migrate lock": Verb("percale.cli.datastore_lock", "stop changes of addresses and endpoints"),
    "datastore migrate unlock": Verb("percale.cli.datastore_unlock", "let them go on"),
    "agent": Verb("percale.cli.agent", "enforce policy on this host", own=True),
    "agent status": Verb("percale.cli.status", "say how far the agent of this host is", own=True),
    "status": Verb("percale.cli.status", "say how far the agent of this host is", own=True),
    "node run": Verb("percale.cli.node_run", "make this host a node, and run its agent"),
    "node status": Verb("percale.cli.node_status", "say whether this host's agent runs"),
    "node checksystem": Verb("percale.cli.node_checksystem", "find out whether this host's kernel has what is needed"),
    "node diags": Verb("percale.cli.node_diags", "collect what helps to find a fault of this host"),
    "cluster diags": Verb("percale.cli.cluster_diags", "collect what helps to find a fault of the cluster"),
    "cni install": Verb("percale.cli.cni_install", "install the CNI plugin into a folder", own=True),
    "cni fallback": Verb("percale.cli.cni_fallback", "do a CNI command without an agent", own=True),
    "demo": Verb(
        "percale.cli.demo", "real packets through real policy, in private namespaces of this machine", own=True
    ),
    "completion bash": Verb("percale.cli.completion_bash", "print a script by which bash completes commands"),
    "completion zsh": Verb("percale.cli.completion_zsh", "print a script by which zsh completes commands"),
    "completion fish": Verb("percale.cli.completion_fish", "print a script by which fish completes commands"),
    "version": Verb("percale.cli.version", "print the versions of this program and of the cluster"),
}
GROUPS = {
    "ipam": "addresses: pools, blocks and who has what",
    "datastore": "the datastore as a whole",
    "datastore migrate": "moving a datastore",
    "node": "this host",
    "cluster": "all hosts together",
    "completion": "command lines completed by the shell",
    "cni": "the CNI plugin",
}
"""What the first words of longer verbs stand for, where they are no verbs themselves."""

_NEAR = 2
"""How many letters a mistyped verb may differ from one that is suggested."""
_SWITCHES = ("--allow-version-mismatch", "--help", "-h")
"""The flags before a verb that take no value; the word behind any other one is its value."""


def verbs_of(program: str) -> dict[str, Verb]:
    """Return the verbs that a program of this name knows: all of them, or calicoctl's."""
    return {name: verb for name, verb in VERBS.items() if knows(program, verb)}


def groups_of(program: str) -> dict[str, str]:
    """Return what a program of this name says of those groups in which it knows a verb."""
    known = verbs_of(program)
    return {group: about for group, about in GROUPS.items() if any(verb.startswith(f"{group} ") for verb in known)}


def find_verb(words: list[str], program: str) -> tuple[str, list[str]]:
    """Return the verb or group that a command line names, and the other words in order; no verb is ``""``.

    Flags may stand before and between the words of a verb.
    """
    known = verbs_of(program)
    verb, rest = "", list(words)
    while (at := _next_word(rest)) is not None:
        longer = f"{verb} {rest[at]}".lstrip()
        if not any(each == longer or each.startswith(f"{longer} ") for each in known):
            break
        verb = longer
        del rest[at]
    return verb, rest


def first_word(words: list[str]) -> str:
    """Return the first word that is neither a flag nor the value of one, or ``""``."""
    at = _next_word(words)
    return "" if at is None else words[at]


def _next_word(words: list[str]) -> int | None:
    """Return where the first word stands that is neither a flag nor the value of one."""
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        if not word.startswith("-") and word:
            return at
        takes_next = "=" not in word and word not in _SWITCHES and (word.startswith("--") or len(word) == 2)
        at += 2 if takes_next else 1
    return None


def verbs_like(word: str, program: str, group: str = "") -> list[str]:
    """Return the verbs and groups that somebody may have meant by a word, of the program or of one group, in order."""
    start = f"{group} " if group else ""
    behind = (verb.removeprefix(start) for verb in verbs_of(program) if verb.startswith(start))
    known = sorted({verb.partition(" ")[0] for verb in behind} | (set() if group else {"help"}))
    typed = word.lower()
    return [verb for verb in known if verb.startswith(typed) or _distance(typed, verb) <= _NEAR]


def _distance(left: str, right: str) -> int:
    """How many letters must be put in, left out or exchanged to make one word of the other (Levenshtein)."""
    row = list(range(len(right) + 1))
    for count, letter in enumerate(left, 1):
        before, row[0] = row[0], count
        for at, other in enumerate(right, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (letter != other))
    return row[-1]
