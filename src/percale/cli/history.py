# SPDX-License-Identifier: Apache-2.0
"""``history``: what changed in one resource, when, and by whom."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from percale.cli.command import CONFIG, Call, Command, CommandFailed
from percale.cli.difference import difference
from percale.cli.session import Session
from percale.cli.stores import keyvalue_of
from percale.cli.targets import NAMESPACE, named_targets

if TYPE_CHECKING:
    from percale.datastore.keyvalue import Item, KeyValue

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Show every change of a resource that the datastore still knows, the oldest first, as differences.",
    usage="KIND NAME [flags]",
    flags=(NAMESPACE, CONFIG),
    least=2,
    most=2,
    example="history globalnetworkpolicy deny-all",
)


def run(call: Call) -> int:
    """Print the changes; raises CommandFailed where there never was such a resource."""
    from percale.datastore.history import past_of
    from percale.datastore.keys import resource_path
    from percale.resources import Key

    (target,) = named_targets(call.arguments.positionals)
    target = target.at_home(call.arguments)
    key = Key(target.info.kind, target.namespace, target.name)
    with Session(call.arguments, reading=True) as session:
        session.check_version()
        store = keyvalue_of(session.client)
        past = past_of(store, resource_path(key))
        if past.border:
            print(f"history before revision {past.border} has been compacted")
        if past.first is None and not past.changes:
            raise CommandFailed(f"there is no {key} in the history of this datastore")
        before = past.first
        for change in past.changes:
            lines = list(difference(key, before, change))
            print(_headline(store, change, "changed" if lines else "rewritten as it was"))
            for line in lines:
                print(f"    {line}")
            before = change
    return 0


def _headline(store: KeyValue, item: Item, later: str) -> str:
    what = {0: "deleted", 1: "created"}.get(item.version, later)
    when = ""
    if store.keeps_times:
        time_s = store.revision_time(item.mod_revision)
        when = datetime.fromtimestamp(time_s).astimezone().isoformat(" ", "seconds") + "  "
    writer = store.revision_writer(item.mod_revision) if store.keeps_writers else ""
    return f"revision {item.mod_revision}  {when}{what}" + (f" by {writer}" if writer else "")
