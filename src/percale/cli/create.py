# SPDX-License-Identifier: Apache-2.0
"""``create``: store new resources (spec/cli.md section 6)."""

from __future__ import annotations

from percale.cli.command import Call, Command, Flag
from percale.cli.outcomes import report
from percale.cli.writing import WRITING_FLAGS, write_documents

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Create the resources of files; those that exist already are errors, unless --skip-exists is given.",
    usage="-f PATH [flags]",
    flags=(*WRITING_FLAGS, Flag("skip-exists", text="a resource that exists already counts as created")),
    example="create -f workload.yaml",
)


def run(call: Call) -> int:
    """Create what the files hold; 1 if anything could not be created."""
    return write_documents(
        call,
        "create",
        lambda outcomes: report("create", "created", outcomes),
        skip_existing=call.arguments.switch("skip-exists"),
    )
