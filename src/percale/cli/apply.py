# SPDX-License-Identifier: Apache-2.0
"""``apply``: create resources, or replace those that exist (spec/cli.md section 6)."""

from __future__ import annotations

from percale.cli.command import Call, Command
from percale.cli.outcomes import report
from percale.cli.writing import WRITING_FLAGS, write_documents

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Create the resources of files, and replace those that exist already.",
    usage="-f PATH [flags]",
    flags=WRITING_FLAGS,
    example="apply -f policies/ --recursive",
)


def run(call: Call) -> int:
    """Apply what the files hold; 1 if anything could not be applied."""
    return write_documents(call, "apply", lambda outcomes: report("apply", "applied", outcomes))
