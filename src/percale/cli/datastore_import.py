# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate import``: only into Kubernetes, as calicoctl has it (spec/cli.md section 11)."""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.config import datastore_config
from percale.errors import Refused

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Read an export into a Kubernetes datastore; between files and etcd, datastore copy does it in one step.",
    usage="-f FILE",
    flags=(Flag("filename", "f", value="PATH", text="the export"), CONFIG),
    example="datastore migrate import -f export.yaml",
)


def run(call: Call) -> int:
    """Refuse every datastore but Kubernetes, which this version does not write yet."""
    chosen = datastore_config(call.arguments).type
    if chosen != "kubernetes":
        raise CommandFailed(
            f"invalid datastore type: {chosen} to import to for datastore migration. Datastore type must be kubernetes"
        )
    raise Refused("this version of percale cannot work on kubernetes; use calicoctl datastore migrate import")
