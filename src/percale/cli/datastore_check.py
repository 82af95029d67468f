# SPDX-License-Identifier: Apache-2.0
"""``datastore check``: is the file of the embedded datastore whole?"""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command
from percale.cli.stores import embedded_path

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Read all of the embedded datastore and say whether it is whole, and how much it holds.",
    usage="[flags]",
    flags=(CONFIG,),
    most=0,
    example="datastore check",
)


def run(call: Call) -> int:
    """Print what is wrong, or what is there; 1 if anything is wrong."""
    from percale.datastore.sqlite import SQLiteKeyValue

    path = embedded_path(call.arguments)
    with SQLiteKeyValue(path, read_only=True) as store:
        faults = store.check()
        counts = store.statistics()
    for fault in faults:
        print(f"{path}: {fault}")
    if faults:
        return 1
    since = f"since revision {counts.compacted_revision}" if counts.compacted_revision else "of all revisions"
    print(
        f"{path} is whole: {counts.keys} keys, {counts.versions} versions {since}, "
        f"newest revision {counts.revision}, {counts.size_bytes / 1e6:.1f} MB"
    )
    return 0
