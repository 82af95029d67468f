# SPDX-License-Identifier: Apache-2.0
"""``completion zsh``: a script by which zsh completes command lines of this program."""

from __future__ import annotations

from collections.abc import Mapping

from percale.cli.command import Call, Command
from percale.cli.completion import NO_DESCRIPTIONS, Level, filled, quoted

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print a script by which zsh completes commands, flags and kinds. For this shell: source it, after compinit;\n"
    "for all shells to come: write it into a file _percale of a folder of $fpath.",
    flags=(NO_DESCRIPTIONS,),
    most=0,
    example="completion zsh > _percale",
)

_SCRIPT = """\
#compdef {program}
# Completion of {program} for zsh; made by '{program} completion zsh'.
_{name}() {{
    local verb="" longer="" index
    local -a candidates flags taking
    for ((index = 2; index < CURRENT; index++)); do
        longer="${{verb:+$verb }}${{words[index]}}"
        case "$longer" in
            {verbs}) verb="$longer" ;;
        esac
    done
    case "$verb" in
{cases}
    esac
    if (( ${{taking[(Ie)${{words[CURRENT - 1]}}]}} )); then
        _files
    elif [[ "${{words[CURRENT]}}" == -* ]]; then
        _describe flag flags
    elif (( $#candidates )); then
        _describe word candidates
    else
        _files
    fi
}}
if [ "${{funcstack[1]}}" = _{name} ]; then
    _{name} "$@"
else
    compdef _{name} {program}
fi
"""


def run(call: Call) -> int:
    """Print the script."""
    print(filled(_SCRIPT, call.program, _case, described=not call.arguments.switch(NO_DESCRIPTIONS.name)), end="")
    return 0


def _case(level: Level) -> str:
    taking = " ".join(map(quoted, level.taking))
    return (
        f"        {quoted(level.verb)})\n"
        f"            candidates=({_described(level.words)})\n"
        f"            flags=({_described(level.flags)})\n"
        f"            taking=({taking}) ;;"
    )


def _described(words: Mapping[str, str]) -> str:
    """Words with what they mean behind a colon, as zsh's _describe takes them."""
    return " ".join(quoted(f"{word}:{text}" if text else word) for word, text in words.items())
