# SPDX-License-Identifier: Apache-2.0
"""``datastore copy``: everything from one datastore into another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from percale.cli.command import Call, Command, CommandFailed, Flag
from percale.cli.progress import ProgressBar
from percale.cli.stores import open_keyvalue, target_keyvalue

if TYPE_CHECKING:
    from percale.client.datastore_config import DatastoreConfig

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Copy everything from one datastore into an empty one, and compare the two; each is a file or the URLs of etcd.",
    usage="--from STORE --to STORE [flags]",
    flags=(
        Flag("from", value="STORE", text="path of a file, or http(s)://... of etcd, several with commas"),
        Flag("to", value="STORE", text="the same; how to reach etcd else, the ETCD_* variables say"),
        Flag("overwrite", text="delete what the target holds first"),
    ),
    example="datastore copy --from /var/lib/percale/percale.db --to http://127.0.0.1:2379",
)


def run(call: Call) -> int:
    """Copy, verify, and say how much it was; progress is shown on a terminal."""
    from percale.client.datastore_config import named_datastore
    from percale.datastore.copying import copy_store

    arguments = call.arguments
    if arguments.positionals or not arguments.text("from") or not arguments.text("to"):
        raise CommandFailed("name both datastores: --from STORE --to STORE")
    here, there = (named_datastore(arguments.text(name), os.environ) for name in ("from", "to"))
    if _are_one(here, there):
        raise CommandFailed(f"{arguments.text('from')} and {arguments.text('to')} are one datastore")
    with (
        open_keyvalue(here, read_only=True) as source,
        target_keyvalue(replace(there, writer=arguments.command)) as target,
        ProgressBar("Copying") as bar,
    ):
        copied = copy_store(
            source, target, overwrite=arguments.switch("overwrite"), progress=bar if bar.watched else None
        )
    print(f"Copied {copied.keys} keys of revision {copied.revision}; both datastores are equal.")
    if copied.leased:
        print(f"{copied.leased} keys that live only as long as an agent renews them were left out.")
    return 0


def _are_one(one: DatastoreConfig, other: DatastoreConfig) -> bool:
    """Whether both lead to one file, or to a common server; what looks different may be one all the same."""
    if one.type != other.type:
        return False
    if one.path and other.path:
        return os.path.realpath(one.path) == os.path.realpath(other.path)
    servers, others = (set(config.setting("etcdEndpoints").split(",")) - {""} for config in (one, other))
    return not servers.isdisjoint(others)
