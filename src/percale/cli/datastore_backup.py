# SPDX-License-Identifier: Apache-2.0
"""``datastore backup``: a copy of the whole datastore in a file, made while others use it."""

from __future__ import annotations

from pathlib import Path

from percale.cli.command import CONFIG, Call, Command
from percale.cli.config import datastore_config
from percale.cli.stores import embedded_path, new_keyvalue, open_keyvalue, refuse_url

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Copy the datastore into a new file while it is used: of the embedded one with its history, of etcd what it holds.",
    usage="FILE",
    flags=(CONFIG,),
    least=1,
    most=1,
    example="datastore backup monday.db",
)


def run(call: Call) -> int:
    """Write the backup, which is there whole or not at all."""
    from percale.datastore.copying import copy_store
    from percale.datastore.sqlite import SQLiteKeyValue

    named = call.arguments.positionals[0]
    refuse_url(named, "'datastore copy' copies into etcd")
    target = Path(named)
    config = datastore_config(call.arguments)
    if config.type == "sqlite":
        with SQLiteKeyValue(embedded_path(call.arguments), read_only=True) as store:
            store.backup(target)
            revision = store.revision
    else:
        with open_keyvalue(config) as source, new_keyvalue(target, config.writer) as copy:
            revision = copy_store(source, copy).revision
    print(f"Backed up revision {revision} to {target}.")
    return 0
