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
    "explain": ("percale.cli.explain", "say whether a flow is allowed, and why"),
    "ipam show": ("percale.cli.ipam_show", "show how many addresses are in use, and who has them"),
    "ipam configure": ("percale.cli.ipam_configure", "change the configuration of address management"),
    "ipam release": ("percale.cli.ipam_release", "give an address back by hand"),
    "ipam split": ("percale.cli.ipam_split", "cut a pool into smaller ones"),
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
