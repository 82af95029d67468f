# SPDX-License-Identifier: Apache-2.0
"""``agent status``: how far the agent of this host is."""

from __future__ import annotations

from typing import Any

from percale.cli.command import Arguments, Call, Command, CommandFailed, Flag
from percale.cli.formats import TEXT_OR_JSON, unknown_format

__all__ = ["COMMAND", "asked", "run"]

COMMAND = Command(
    "Ask the agent of this host how far it is and whether everything is programmed.",
    usage="[flags]",
    flags=(
        Flag("output", "o", value="FORMAT", text="text (default) or json"),
        Flag("runtime-dir", value="PATH", text="folder of the agent's socket (default: /run/percale)"),
    ),
    most=0,
    example="agent status",
)

_TIMEOUT_S = 5.0


def run(call: Call) -> int:
    """Print the agent's status; 1 if no agent answers, or the one that does could not program what it should."""
    form = call.arguments.text("output", "text")
    if form not in TEXT_OR_JSON:
        raise unknown_format(form, TEXT_OR_JSON, call.program)
    return _print(asked(call.arguments), as_json=form == "json")


def asked(arguments: Arguments) -> dict[str, Any]:
    """Return what the agent says of itself; raises CommandFailed if it does not run or refuses."""
    import json
    from pathlib import Path

    from percale.plugins.protocol import AgentUnavailable, socket_path
    from percale.plugins.protocol import call as ask

    folder = arguments.text("runtime-dir")
    path = Path(folder) / "agent.sock" if folder else socket_path()
    try:
        response = ask("status", timeout_s=_TIMEOUT_S, path=path)
    except AgentUnavailable as error:
        absent = isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError)
        text = f"the agent is not running (nothing listens at {path}): start it with 'percale agent'"
        raise CommandFailed(text if absent else str(error)) from error
    if response.status:
        raise CommandFailed(response.payload.decode(errors="replace").rstrip())
    status: dict[str, Any] = json.loads(response.payload)
    return status


def _print(status: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        import json

        print(json.dumps(status, indent=2))
    else:
        print("\n".join(_lines(status)))
    return 1 if status["fault"] else 0


def _lines(status: dict[str, Any]) -> list[str]:
    lines = [
        f"Node:        {status['node']} (process {status['pid']})",
        f"In sync:     {'yes' if status['inSync'] else ': '.join(filter(None, ('no', status['behind'])))}",
        f"Programmed:  revision {status['programmedRevision']} of {status['seenRevision']}",
        f"Endpoints:   {status['endpoints']}",
        f"Programs:    {status['programs']}",
        f"Rules:       {status['rules']}",
        f"Elements:    {status['elements']}",
    ]
    lines += [f"Invalid:     {key}: {reason}" for key, reason in sorted(status["invalid"].items())]
    if status["fault"]:
        lines.append(f"Fault:       {status['fault']} ({status['failures']} times)")
    return lines
