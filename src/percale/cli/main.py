# SPDX-License-Identifier: Apache-2.0
"""The program's entry: finds the verb, runs it, and turns whatever happens into a line and an exit status."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

from percale.cli.command import GLOBAL_FLAGS, Arguments, Call, CommandFailed, is_calicos, knows, read_arguments
from percale.cli.lean import import_msgspec
from percale.cli.verbs import VERBS, find_verb, first_word, verbs_like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main", "program"]

_LOG_LEVELS = ("panic", "fatal", "error", "warn", "info", "debug")
_OTHER_LOG_LEVELS = ("warning", "trace")
_INTERRUPTED, _BROKEN_PIPE = 130, 141  # what a shell reports for a process that SIGINT or SIGPIPE ended
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def program() -> NoReturn:
    """Be the program: do what the command line says and end the process.

    Everything is closed by then, so the interpreter need not tidy up, which takes a tenth of a short command's time;
    what a command had printed before it failed has still to be written.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us; a file opened later must not take its number
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115 - open to the end
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # where something cannot be written, it is too late to say so
            stream.flush()
    os._exit(status)


def main(argv: Sequence[str] | None = None, *, program: str = "") -> int:
    """Do what a command line says and return the exit status: 0, or 1 for every error.

    ``program`` is the name in messages, by default that of the file which was started: called as ``calicoctl``, verbs,
    flags and messages are calicoctl's.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            with _uncollected():
                status = _run(program or _program_name(sys.argv[0]), words)
        except CommandFailed as failure:
            _tell(failure)
            status = failure.status
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has enough. The interpreter must not complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _BROKEN_PIPE
    except Exception as error:
        return _report(error)


def _run(program: str, words: list[str]) -> int:
    verb, rest = find_verb(words, program)
    helps = not verb and first_word(rest) == "help"
    if helps:
        rest.remove("help")
        verb, rest = find_verb(rest, program)
    if not verb and (word := first_word(rest)):
        raise CommandFailed(_unknown(program, word))
    if verb in VERBS and verb != "version":  # its own one it prints with nothing at all
        import_msgspec()
    module = import_module(VERBS[verb].module) if verb in VERBS else None
    flags = (*GLOBAL_FLAGS, *module.COMMAND.flags) if module else GLOBAL_FLAGS
    arguments = Arguments(f"{program} {verb}")
    read_arguments(rest, [flag for flag in flags if knows(program, flag)], arguments)
    if module is None:
        if arguments.positionals and not is_calicos(program):
            raise CommandFailed(_unknown(program, arguments.positionals[0], verb))
        return _print_overview(program, verb)
    if helps or arguments.switch("help"):
        from percale.cli.help import command_help

        print(command_help(program, verb, module.COMMAND), end="")
        return 0
    module.COMMAND.check_count(len(arguments.positionals))
    _check_log_level(arguments)
    if module.COMMAND.stays:
        gc.enable()
    status: int = module.run(Call(program, arguments))
    return status


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles: a command is over before that pays, and reading much it would cost a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _print_overview(program: str, group: str) -> int:
    from percale.cli.help import group_help, program_help

    print(group_help(program, group) if group else program_help(program), end="")
    return 0


def _check_log_level(arguments: Arguments) -> None:
    level = arguments.text("log-level", "panic")
    if level.lower() not in _LOG_LEVELS + _OTHER_LOG_LEVELS:
        text = f"unknown log level: {level}, expected one of: {', '.join(_LOG_LEVELS)}"
        raise CommandFailed(text, status=arguments.trouble)


def _cleaned(text: str) -> str:
    """What calicoctl makes of an error before it shows it (spec/cli.md section 1)."""
    _, unknown, rest = text.partition('unknown field "')
    if unknown:
        return f"field in document is not recognized or is in the wrong location: {rest.partition(chr(34))[0]}"
    return text.removeprefix("error unmarshaling JSON: while decoding JSON: json: ")


def _tell(failure: CommandFailed) -> None:
    for problem in failure.problems:
        if problem.shown:
            print(problem, file=sys.stderr)
    if failure.on_stdout:
        print(failure.text)
    else:
        print(_cleaned(failure.text), file=sys.stderr)


def _unknown(program: str, word: str, group: str = "") -> str:
    text = f'unknown command "{word}" for "{f"{program} {group}".rstrip()}"'
    close = verbs_like(word, program, group)
    if not close:
        return text
    return f"{text}\n\nDid you mean this?\n" + "".join(f"\t{verb}\n" for verb in close)


def _program_name(started: str) -> str:
    name = os.path.basename(started)
    if name.startswith("kubectl-") and name != "kubectl-percale":
        return "kubectl-calico"
    return name if name in ("calicoctl", "kubectl-percale") else "percale"


def _report(error: Exception) -> int:
    """Print what happened; where that cannot be written either, the status has to do."""
    text = _sentence(error)
    with suppress(OSError):
        print(text, file=sys.stderr)
    return 1


def _sentence(error: Exception) -> str:
    """Return what percale raised on purpose as its sentence, anything else as a request to report it."""
    from percale.errors import PercaleError

    if isinstance(error, PercaleError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM and not error.filename:
        return f"the output could not be written: {error.strerror}"
    if os.environ.get("PERCALE_TRACEBACK"):
        raise error
    where = f"{type(error).__name__}: {error}".replace("\n", " ")
    return f"this is a bug of percale, please report it: {where} (PERCALE_TRACEBACK=1 shows where it happened)"
