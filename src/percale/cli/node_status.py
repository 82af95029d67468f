# SPDX-License-Identifier: Apache-2.0
"""``node status``: whether this host's agent runs, as calicoctl tells it (spec/cli.md section 11)."""

from __future__ import annotations

from percale.cli.command import Call, Command, CommandFailed
from percale.cli.node_run import needs_root
from percale.cli.status import asked

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Say whether this host's agent runs. Calico lists the peers of its BGP speaker here; percale has no speaker, and\n"
    "'percale status' tells what the agent has programmed.",
    example="node status",
)


def run(call: Call) -> int:
    """Print that the agent runs; 1 if it does not."""
    needs_root()
    try:
        status = asked(call.arguments)
    except CommandFailed as failure:
        raise CommandFailed("Calico process is not running.") from failure
    print("Calico process is running.")
    print(f"\npercale's agent of node {status['node']} runs as process {status['pid']}. It has no BGP speaker.")
    return 0
