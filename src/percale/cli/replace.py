# SPDX-License-Identifier: Apache-2.0
"""``replace``: put resources in the place of stored ones (spec/cli.md section 6)."""

from __future__ import annotations

from percale.cli.command import Call, Command
from percale.cli.outcomes import replacement_report
from percale.cli.writing import WRITING_FLAGS, write_documents

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Replace stored resources by those of files; labels and annotations that the file does not name are removed.",
    usage="-f PATH [flags]",
    flags=WRITING_FLAGS,
    example="replace -f workload.yaml",
)


def run(call: Call) -> int:
    """Replace what the files hold; 1 if anything could not be replaced."""
    return write_documents(call, "replace", replacement_report)
