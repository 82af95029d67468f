# SPDX-License-Identifier: Apache-2.0
"""``completion bash``: a script by which bash completes command lines of this program."""

from __future__ import annotations

from percale.cli.command import Call, Command
from percale.cli.completion import Level, filled, quoted

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print a script by which bash completes commands, flags and kinds. For this shell: source it; for all shells\n"
    "to come: write it into a file of the folder /etc/bash_completion.d.",
    most=0,
    example="completion bash > percale.bash",
)

_SCRIPT = """\
# Completion of {program} for bash; made by '{program} completion bash'.
_{name}() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD - 1]}}"
    local verb="" longer="" index words="" flags="" taking=""
    for ((index = 1; index < COMP_CWORD; index++)); do
        longer="${{verb:+$verb }}${{COMP_WORDS[index]}}"
        case "$longer" in
            {verbs}) verb="$longer" ;;
        esac
    done
    case "$verb" in
{cases}
    esac
    COMPREPLY=()
    # Behind a flag that takes a value, bash completes names of files.
    [[ " $taking " == *" $previous "* ]] && return
    [[ "$current" == -* ]] && words="$flags"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _{name} {program}
"""


def run(call: Call) -> int:
    """Print the script."""
    print(filled(_SCRIPT, call.program, _case, described=False), end="")
    return 0


def _case(level: Level) -> str:
    words, flags, taking = (quoted(" ".join(part)) for part in (level.words, level.flags, level.taking))
    return f"        {quoted(level.verb)}) words={words} flags={flags} taking={taking} ;;"
