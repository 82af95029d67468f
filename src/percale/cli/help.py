# SPDX-License-Identifier: Apache-2.0
"""The help of the program, of a group and of a command; each command's ends with an example that can be pasted."""

from __future__ import annotations

from collections.abc import Iterable

from percale.cli.command import GLOBAL_FLAGS, HELP, Command, Flag, knows
from percale.cli.verbs import GROUPS, groups_of, verbs_of

__all__ = ["command_help", "group_help", "program_help"]


def program_help(program: str) -> str:
    """Return the help of the program itself."""
    verbs = {name: verb.about for name, verb in verbs_of(program).items()}
    return "\n".join(
        [
            f"{program} shows, checks, changes and enforces Calico's resources; its command line is calicoctl's.",
            "",
            "Usage:",
            f"  {program} [global flags] COMMAND [flags] [arguments]",
            "",
            "Commands:",
            *_pairs({verb: about for verb, about in {**verbs, **groups_of(program)}.items() if " " not in verb}),
            "",
            "Global flags:",
            *_flags(program, GLOBAL_FLAGS),
            "",
            f"'{program} help COMMAND' tells more about a command.",
            "",
            "Example:",
            f"  {program} get workloadendpoints --all-namespaces",
            "",
        ]
    )


def group_help(program: str, group: str) -> str:
    """Return the help of a group: its verbs."""
    verbs = {name: verb.about for name, verb in verbs_of(program).items() if name.startswith(f"{group} ")}
    lines = [f"{GROUPS[group]}", "", "Usage:", f"  {program} {group} COMMAND [flags] [arguments]", "", "Commands:"]
    return "\n".join([*lines, *_pairs(verbs), ""])


def command_help(program: str, verb: str, command: Command) -> str:
    """Return the help of a command."""
    return "\n".join(
        [
            command.about,
            "",
            "Usage:",
            f"  {program} {verb} {command.usage}".rstrip(),
            "",
            "Flags:",
            *_flags(program, (*command.flags, HELP)),
            "",
            "Global flags:",
            *_flags(program, (flag for flag in GLOBAL_FLAGS if flag is not HELP)),
            "",
            "Example:",
            f"  {program} {command.example}",
            "",
        ]
    )


def _flags(program: str, flags: Iterable[Flag]) -> list[str]:
    shown = [flag for flag in flags if knows(program, flag) and not flag.hidden]
    spelled = {
        f"{f'-{flag.short}, ' if flag.short else '    '}--{flag.name} {flag.value}".rstrip(): flag.text
        for flag in shown
    }
    return _pairs(spelled)


def _pairs(pairs: dict[str, str]) -> list[str]:
    width = max(map(len, pairs)) + 2
    return [f"  {left:<{width}}{right}" for left, right in pairs.items()]
