# SPDX-License-Identifier: Apache-2.0
"""``datastore restore``: a backup in the place of the datastore."""

from __future__ import annotations

from pathlib import Path

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.stores import embedded_path, refuse_url

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Check a backup and put it in the place of the embedded datastore, which nobody may have open.",
    usage="FILE",
    flags=(Flag("overwrite", text="replace the datastore that is there"), CONFIG),
    least=1,
    most=1,
    example="datastore restore monday.db --overwrite",
)


def run(call: Call) -> int:
    """Restore the backup in one step."""
    from percale.datastore.location import Location, make_folder
    from percale.datastore.sqlite.backup import check_backup, restore_file

    named = call.arguments.positionals[0]
    refuse_url(named, "'datastore copy' copies from etcd")
    target, backup = embedded_path(call.arguments), Path(named)
    check_backup(backup)  # before --overwrite is asked for, which would not help
    if target.exists() and not call.arguments.switch("overwrite"):
        raise CommandFailed(f"there is a datastore at {target}; --overwrite replaces it")
    make_folder(Location(target))
    restore_file(backup, target)
    print(f"Restored {backup} to {target}.")
    return 0
