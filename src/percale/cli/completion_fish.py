# SPDX-License-Identifier: Apache-2.0
"""``completion fish``: a script by which fish completes command lines of this program."""

from __future__ import annotations

from collections.abc import Iterator

from percale.cli.command import Call, Command
from percale.cli.completion import NO_DESCRIPTIONS, Level, levels, quoted

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print a script by which fish completes commands, flags and kinds. For this shell: pipe it to source; for all\n"
    "shells to come: write it into a file percale.fish of the folder ~/.config/fish/completions.",
    flags=(NO_DESCRIPTIONS,),
    most=0,
    example="completion fish > percale.fish",
)

_HEAD = """\
# Completion of {program} for fish; made by '{program} completion fish'.
function __{name}_behind
    set -l verb ''
    for word in (commandline --tokenize --cut-at-cursor --current-process)[2..-1]
        switch (string trim -- "$verb $word")
            case {verbs}
                set verb (string trim -- "$verb $word")
        end
    end
    test "$verb" = "$argv[1]"
end
"""


def run(call: Call) -> int:
    """Print the script."""
    found = list(levels(call.program, described=not call.arguments.switch(NO_DESCRIPTIONS.name)))
    name = call.program.replace("-", "_")
    verbs = " ".join(quoted(level.verb) for level in found if level.verb)
    print(_HEAD.format(program=call.program, name=name, verbs=verbs), end="")
    for level in found:
        for line in _lines(level):
            print(f"complete -c {call.program} -n {quoted(f'__{name}_behind {quoted(level.verb)}')} {line}")
    return 0


def _lines(level: Level) -> Iterator[str]:
    for word, text in level.words.items():
        yield f"-f -a {word}{_description(text)}"
    for flag, text in level.flags.items():
        kind = "-l" if flag.startswith("--") else "-s"
        takes = " -r" if flag in level.taking else ""
        yield f"{kind} {flag.lstrip('-')}{takes}{_description(text)}"


def _description(text: str) -> str:
    return f" -d {quoted(text)}" if text else ""
