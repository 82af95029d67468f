# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate unlock`` (spec/cli.md section 11)."""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command
from percale.cli.datastore_lock import set_ready
from percale.cli.session import Session

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Unlock the datastore after a migration or a split.",
    usage="[flags]",
    flags=(CONFIG,),
    example="datastore migrate unlock",
)


def run(call: Call) -> int:
    """Unlock the datastore."""
    with Session(call.arguments) as session:
        session.check_version()
        set_ready(session, ready=True)
    print("Datastore unlocked.")
    return 0
