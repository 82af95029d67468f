# SPDX-License-Identifier: Apache-2.0
"""What a shell may complete: verbs, flags and kinds, from the tables of commands; each shell's script is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

from percale.cli.command import GLOBAL_FLAGS, Command, Flag, knows
from percale.cli.verbs import groups_of, verbs_of

__all__ = ["NO_DESCRIPTIONS", "Level", "filled", "levels", "quoted"]

NO_DESCRIPTIONS = Flag("no-descriptions", text="complete words without saying what they mean")


@dataclass(frozen=True, slots=True)
class Level:
    """What may stand behind a verb or group; behind "" what may stand behind the program's name.

    All are words with what they mean. ``taking`` are the flags that take a value.
    """

    verb: str
    words: Mapping[str, str]
    flags: Mapping[str, str]
    taking: tuple[str, ...]


def levels(program: str, *, described: bool) -> Iterator[Level]:
    """Yield what each verb and group of a program of this name accepts, shorter ones first."""
    verbs = {name: verb.about for name, verb in verbs_of(program).items()}
    texts = {**groups_of(program), **verbs}
    yield _level(program, "", _next_words("", texts) | {"help": "tell about a command"}, GLOBAL_FLAGS, described)
    for name in sorted(texts, key=lambda name: (name.count(" "), name)):
        words, flags = _next_words(name, texts), tuple(GLOBAL_FLAGS)
        if name in verbs:
            command: Command = import_module(verbs_of(program)[name].module).COMMAND
            flags = (*command.flags, *GLOBAL_FLAGS)
            words |= _kinds() if command.usage.startswith("KIND") else {}
        yield _level(program, name, words, flags, described)


def filled(script: str, program: str, case: Callable[[Level], str], *, described: bool) -> str:
    """Return a script with its holes filled: the program, its name as one of a function, all verbs, what each takes."""
    found = list(levels(program, described=described))
    return script.format(
        program=program,
        name=program.replace("-", "_"),
        verbs=" | ".join(quoted(level.verb) for level in found if level.verb),
        cases="\n".join(map(case, found)),
    )


def quoted(text: str) -> str:
    """Return a text in single quotes, for any of the shells."""
    return "'" + text.replace("'", "'\\''") + "'"


def _level(program: str, verb: str, words: Mapping[str, str], flags: Iterable[Flag], described: bool) -> Level:
    shown = [flag for flag in flags if knows(program, flag) and not flag.hidden]
    spelled = {spelling: flag.text for flag in shown for spelling in _spellings(flag)}
    return Level(
        verb,
        {word: text if described else "" for word, text in words.items()},
        {flag: text if described else "" for flag, text in spelled.items()},
        tuple(spelling for flag in shown if flag.value for spelling in _spellings(flag)),
    )


def _spellings(flag: Flag) -> list[str]:
    return [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]


def _next_words(verb: str, texts: Mapping[str, str]) -> dict[str, str]:
    start = f"{verb} " if verb else ""
    found = {name: about for name, about in texts.items() if name.startswith(start)}
    return {rest: about for name, about in found.items() if " " not in (rest := name.removeprefix(start))}


def _kinds() -> dict[str, str]:
    """The longest plural and the shortest name of each kind, so that there are not too many to choose from."""
    from percale.resources import KINDS

    words = {}
    for info in KINDS.values():
        if info.aliases:
            words[info.plural] = words[min(info.aliases, key=len)] = info.kind
    return words
