# SPDX-License-Identifier: Apache-2.0
"""``percale demo``: the main job on a private host, with real packets."""

from __future__ import annotations

import sys
from pathlib import Path

from percale.cli.command import Call, Command, CommandFailed, Flag

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Build a private host in fresh namespaces, connect three workloads through the CNI executable, apply policies\n"
    "in two tiers and send real packets for every pair. Prints what is expected, explained and observed for each\n"
    "flow, and how long a change of policy takes until packets feel it. Exit status 1 if a row disagrees. Cleans\n"
    "up after itself.",
    flags=(
        Flag("policies", value="FILE", text="apply these policies instead of the demo's own"),
        Flag("print-policies", text="print the demo's own policies and stop"),
        Flag("keep", text="leave the host up until Ctrl-C and say how to look around"),
    ),
    most=0,
    stays=True,
    example="demo --keep",
)


def run(call: Call) -> int:
    """Run the demo; the exit status is 0 if every row agrees."""
    arguments = call.arguments
    if arguments.switch("print-policies"):
        from percale.lab.demo.flows import POLICIES

        print(POLICIES.read_text(encoding="utf-8"), end="")
        return 0
    policies = Path(arguments.text("policies")) if arguments.given("policies") else None
    if policies is not None and not policies.is_file():
        raise CommandFailed(f"open {policies}: no such file or directory")
    from percale.lab import privilege

    privilege.gain()
    from percale.lab.demo.run import run as run_demo

    return run_demo(sys.stdout, policies=policies, keep=arguments.switch("keep"))
