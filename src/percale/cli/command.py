# SPDX-License-Identifier: Apache-2.0
"""Commands and their flags as values; reading a command line by calicoctl's rules (spec/cli.md section 1).

argparse has other rules (abbreviations, ``-f=value``, where positional arguments may stand) and other messages, so the
little that is needed is made here. The module imports nothing, because every call of the program pays for it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from percale.errors import Problem

    class _Possibly(Protocol):
        """What may be percale's own: a flag or a verb."""

        own: bool


__all__ = [
    "CONFIG",
    "GLOBAL_FLAGS",
    "HELP",
    "Arguments",
    "Call",
    "Command",
    "CommandFailed",
    "Flag",
    "is_calicos",
    "knows",
    "read_arguments",
]

_CALICOS_NAMES = ("calicoctl", "kubectl-calico")
_TROUBLE = {"diff": 2}  # as with diff(1), where 1 means that there is a difference


class CommandFailed(Exception):
    """The command cannot be done; the text is printed as it is, to standard error unless ``on_stdout``.

    What is wrong in which line of which file, or with which resource, are ``problems``, printed before it.
    """

    def __init__(
        self, text: str, *, on_stdout: bool = False, status: int = 1, problems: Iterable[Problem] = ()
    ) -> None:
        self.text, self.on_stdout, self.status, self.problems = text, on_stdout, status, tuple(problems)
        super().__init__(text)


class Flag:
    """An option: a switch, or one that takes a value, which ``value`` names in the help.

    ``number`` makes the value an integer; of a ``repeated`` flag all values count, of any other the last one. One of
    percale's ``own`` is unknown where the program goes by a name of Calico's.
    """

    __slots__ = ("hidden", "name", "number", "own", "repeated", "short", "text", "value")

    def __init__(
        self,
        name: str,
        short: str = "",
        *,
        value: str = "",
        text: str = "",
        number: bool = False,
        repeated: bool = False,
        hidden: bool = False,
        own: bool = False,
    ) -> None:
        self.name, self.short, self.value, self.text = name, short, value, text
        self.number, self.repeated, self.hidden, self.own = number, repeated, hidden, own

    @property
    def spelling(self) -> str:
        """The flag as messages and help name it: ``-o, --output``."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


class Command:
    """What one command accepts, and its help; the example ends it and can be pasted.

    ``least`` and ``most`` bound the number of positional arguments, None is no bound. A command that ``stays`` runs
    until somebody stops it.
    """

    __slots__ = ("about", "example", "flags", "least", "most", "stays", "usage")

    def __init__(
        self,
        about: str,
        *,
        usage: str = "",
        flags: Sequence[Flag] = (),
        least: int = 0,
        most: int | None = None,
        stays: bool = False,
        example: str,
    ) -> None:
        self.about, self.usage, self.flags = about, usage, tuple(flags)
        self.least, self.most, self.stays, self.example = least, most, stays, example

    def check_count(self, received: int) -> None:
        """Raise CommandFailed where too few or too many positional arguments were given."""
        if self.least == self.most and received != self.least:
            raise CommandFailed(f"accepts {self.least} arg(s), received {received}")
        if received < self.least:
            raise CommandFailed(f"requires at least {self.least} arg(s), only received {received}")
        if self.most is not None and received > self.most:
            raise CommandFailed(f"accepts at most {self.most} arg(s), received {received}")


CONFIG = Flag(
    "config", "c", value="PATH", text="file that says where the datastore is (default: /etc/calico/calicoctl.cfg)"
)
"""The flag of every command that works on a datastore."""
HELP = Flag("help", "h", text="print this help")
GLOBAL_FLAGS = (
    Flag("log-level", "l", value="LEVEL", text="panic (default), fatal, error, warn, info or debug; logs go to stderr"),
    Flag("context", value="NAME", text="context of the kubeconfig"),
    Flag(
        "datastore",
        value="STORE",
        text="file of the embedded datastore, or URLs of etcd with commas between them",
        own=True,
    ),
    Flag("allow-version-mismatch", text="do not compare this program's version with the cluster's"),
    HELP,
)


class Arguments:
    """What stood on the command line: the program and its verb, positional arguments in order, the values of flags."""

    def __init__(self, command: str = "") -> None:
        self.command = command
        self.positionals: list[str] = []
        self._values: dict[str, list[str]] = {}

    @property
    def program(self) -> str:
        """The name that the program goes by, empty where there is none."""
        return self.command.partition(" ")[0]

    @property
    def trouble(self) -> int:
        """The exit status of a command line that cannot be read."""
        return _TROUBLE.get(self.command.partition(" ")[2], 1)

    def add(self, flag: Flag, value: str) -> None:
        """Take one more value of a flag."""
        self._values.setdefault(flag.name, []).append(value)

    def given(self, name: str) -> bool:
        """Whether the flag was given at all."""
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """Return the value of a flag."""
        return self._values.get(name, [default])[-1]

    def texts(self, name: str) -> list[str]:
        """Return all values of a repeated flag."""
        return self._values.get(name, [])

    def number(self, name: str, default: int = 0) -> int:
        """Return the value of a numeric flag."""
        return int(self.text(name, str(default)))

    def switch(self, name: str) -> bool:
        """Return whether a switch is on."""
        return self.text(name) in _TRUE


class Call:
    """One call of a command: the name the program goes by, and the arguments."""

    def __init__(self, program: str, arguments: Arguments) -> None:
        self.program, self.arguments = program, arguments


def is_calicos(program: str) -> bool:
    """Reports whether a program's name is one of Calico's, which promises Calico's grammar."""
    return program in _CALICOS_NAMES


def knows(program: str, thing: _Possibly) -> bool:
    """Reports whether a program of this name has a flag or a verb: by a name of Calico's it is Calico's program."""
    return not thing.own or not is_calicos(program)


def read_arguments(words: Iterable[str], flags: Iterable[Flag], arguments: Arguments) -> None:
    """Add what stands on a command line to the arguments; raises CommandFailed in the words of calicoctl's parser."""
    reader = _Reader(words, flags, arguments)
    while reader.words:
        reader.read_word()


_MOST_DIGITS = 18  # of a number that 64 bits hold
_ARROW = "->"  # stands between the two ends of a flow
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


class _Reader:
    """Reads words in order; ``words`` is reversed, so that the next one is at its end."""

    def __init__(self, words: Iterable[str], flags: Iterable[Flag], arguments: Arguments) -> None:
        self.words = list(words)[::-1]
        self.arguments = arguments
        self._long = {flag.name: flag for flag in flags}
        self._short = {flag.short: flag for flag in self._long.values() if flag.short}

    def at_flag(self) -> bool:
        word = self.words[-1]
        return len(word) > 1 and word[0] == "-" and word != _ARROW

    def read_word(self) -> None:
        if not self.at_flag():
            self.arguments.positionals.append(self.words.pop())
            return
        word = self.words.pop()
        if word == "--":
            self.arguments.positionals += self.words[::-1]
            self.words.clear()
        elif word.startswith("--"):
            self._read_long(word)
        else:
            self._read_short(word)

    def _read_long(self, word: str) -> None:
        name, equals, value = word[2:].partition("=")
        if not name or name[0] == "-":
            raise self._failed(f"bad flag syntax: {word}")
        flag = self._long.get(name)
        if flag is None:
            raise self._failed(f"unknown flag: --{name}")
        if not equals:
            value = self._next_value(flag, f"--{name}")
        self._take(flag, value)

    def _read_short(self, word: str) -> None:
        letters = word[1:]
        while letters:
            flag = self._short.get(letters[0])
            if flag is None:
                raise self._failed(f"unknown shorthand flag: {letters[0]!r} in {word}")
            rest = letters[1:]
            if len(rest) > 1 and rest[0] == "=":
                value, rest = rest[1:], ""
            elif flag.value and rest:
                value, rest = rest, ""
            else:
                value = self._next_value(flag, f"{flag.short!r} in {word}")
            self._take(flag, value)
            letters = rest

    def _next_value(self, flag: Flag, spelling: str) -> str:
        if not flag.value:
            return "true"
        if not self.words:
            raise self._failed(f"flag needs an argument: {spelling}")
        return self.words.pop()

    def _take(self, flag: Flag, value: str) -> None:
        fault = _fault(flag, value)
        if fault is not None:
            calicos, own = fault
            reason = calicos if is_calicos(self.arguments.program) else own
            raise self._failed(f'invalid argument {_quoted(value)} for "{flag.spelling}" flag: {reason}')
        self.arguments.add(flag, value)

    def _failed(self, text: str) -> CommandFailed:
        return CommandFailed(text, status=self.arguments.trouble)


def _fault(flag: Flag, value: str) -> tuple[str, str] | None:
    """What is wrong with a flag's value, in the words of calicoctl's parser and in ours."""
    if flag.number:
        digits = value[1:] if value[:1] in ("+", "-") else value
        if not (digits.isascii() and digits.isdecimal()):
            return f"strconv.ParseInt: parsing {_quoted(value)}: invalid syntax", "not a whole number"
        if len(digits) > _MOST_DIGITS:
            return f"strconv.ParseInt: parsing {_quoted(value)}: value out of range", "too large a number"
    elif not flag.value and value not in _TRUE + _FALSE:
        return f"strconv.ParseBool: parsing {_quoted(value)}: invalid syntax", "neither true nor false"
    return None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
