# SPDX-License-Identifier: Apache-2.0
"""Every verb with its module and one line of help, in the order of the help; a blank stands behind a group's name."""

from __future__ import annotations

__all__ = ["GROUPS", "VERBS", "find_verb", "verbs_like"]

VERBS: dict[str, tuple[str, str]] = {
    "get": ("percale.cli.get", "show resources as table, YAML, JSON or by a template"),
    "create": ("percale.cli.create", "create resources from files"),
    "apply": ("percale.cli.apply", "create resources from files, or replace those that exist"),
    "replace": ("percale.cli.replace", "replace resources by those of files"),
    "delete": ("percale.cli.delete", "delete resources by name or by file"),
    "patch": ("percale.cli.patch", "change some fields of a resource"),
    "label": ("percale.cli.label", "set or remove a label of a resource"),
    "validate": ("percale.cli.validate", "check files without a datastore"),
    "schema": ("percale.cli.schema", "print the JSON Schema of a kind, for editors"),
    "fields": ("percale.cli.fields", "say what a field means and what may stand there"),
    "explain": ("percale.cli.explain", "say whether a flow is allowed, and why"),
    "ipam show": ("percale.cli.ipam_show", "show how many addresses are in use, and who has them"),
    "ipam configure": ("percale.cli.ipam_configure", "change the configuration of address management"),
    "ipam release": ("percale.cli.ipam_release", "give an address back by hand"),
    "ipam split": ("percale.cli.ipam_split", "cut a pool into smaller ones"),
    "history": ("percale.cli.history", "show what changed in a resource, and when"),
    "diff": ("percale.cli.diff", "compare files with the datastore, or two revisions of it"),
    "datastore backup": ("percale.cli.datastore_backup", "copy the datastore into a file while it is used"),
    "datastore restore": ("percale.cli.datastore_restore", "put a backup in the place of the datastore"),
    "datastore check": ("percale.cli.datastore_check", "find out whether the embedded datastore is whole"),
    "datastore compact": ("percale.cli.datastore_compact", "forget old history, or say how much is kept"),
    "datastore copy": ("percale.cli.datastore_copy", "copy everything from one datastore to another"),
    "datastore migrate export": ("percale.cli.datastore_export", "print everything, to be imported elsewhere"),
    "datastore migrate import": ("percale.cli.datastore_import", "read an export into a Kubernetes datastore"),
    "datastore migrate-policy-names": (
        "percale.cli.datastore_policy_names",
        "rename policies that an old release stored with a prefix",
    ),
    "datastore migrate lock": ("percale.cli.datastore_lock", "stop changes of addresses and endpoints"),
    "datastore migrate unlock": ("percale.cli.datastore_unlock", "let them go on"),
    "agent": ("percale.cli.agent", "enforce policy on this host"),
    "agent status": ("percale.cli.status", "say how far the agent of this host is"),
    "status": ("percale.cli.status", "say how far the agent of this host is"),
    "cni install": ("percale.cli.cni_install", "install the CNI plugin into a folder"),
    "cni fallback": ("percale.cli.cni_fallback", "do a CNI command without an agent"),
    "demo": ("percale.cli.demo", "real packets through real policy, in private namespaces of this machine"),
    "version": ("percale.cli.version", "print the versions of this program and of the cluster"),
}
GROUPS = {
    "ipam": "addresses: pools, blocks and who has what",
    "datastore": "the datastore as a whole",
    "datastore migrate": "moving a datastore",
    "cni": "the CNI plugin",
}
"""What the first words of longer verbs stand for, where they are no verbs themselves."""

_LONGEST = 3
_NEAR = 2
"""How many letters a mistyped verb may differ from one that is suggested."""


def find_verb(words: list[str]) -> tuple[str, list[str]]:
    """Return the verb that the words begin with, or its group, and the words behind it; no verb is ``""``."""
    for length in range(_LONGEST, 0, -1):
        verb = " ".join(words[:length])
        if len(words) >= length and (verb in VERBS or verb in GROUPS):
            return verb, words[length:]
    return "", words


def verbs_like(word: str) -> list[str]:
    """Return the verbs and groups that somebody may have meant by a word, in order."""
    known = sorted({verb.partition(" ")[0] for verb in VERBS} | {"help"})
    distances = {verb: _distance(word.lower(), verb) for verb in known}
    nearest = min(_NEAR, *distances.values())
    return [verb for verb in known if verb.startswith(word.lower()) or distances[verb] <= nearest]


def _distance(left: str, right: str) -> int:
    """How many letters must be put in, left out or exchanged to make one word of the other (Levenshtein)."""
    row = list(range(len(right) + 1))
    for count, letter in enumerate(left, 1):
        before, row[0] = row[0], count
        for at, other in enumerate(right, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (letter != other))
    return row[-1]
