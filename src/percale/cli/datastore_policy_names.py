# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate-policy-names``: old releases stored a policy of the default tier under ``default.NAME``."""

from __future__ import annotations

import sys

from percale.cli.command import CONFIG, Call, Command
from percale.cli.session import Session
from percale.cli.stores import keyvalue_of
from percale.errors import Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from percale.datastore.keyvalue import Item, KeyValue

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Rename the stored policies that still carry the prefix which old releases gave them.",
    usage="[flags]",
    flags=(CONFIG,),
    example="datastore migrate-policy-names",
)

_PREFIX = "default."


def run(call: Call) -> int:
    """Rename, and say how many policies it was."""
    from percale.datastore.keys import resource_range
    from percale.datastore.values import POLICY_KINDS

    with Session(call.arguments) as session:
        session.check_version()
        store = keyvalue_of(session.client)
        migrated = sum(
            _rename(store, item) for kind in sorted(POLICY_KINDS) for item in store.range(*resource_range(kind)).items
        )
    print(f"Policy name migration complete, migrated {migrated} policies.")
    return 0


def _rename(store: KeyValue, item: Item) -> bool:
    """Move one policy to the name by which it is shown; whether it was necessary and possible."""
    from percale.datastore.keys import parse_resource, resource_path
    from percale.datastore.keyvalue import Compare, Delete, Put
    from percale.datastore.values import from_value, to_value

    key = parse_resource(item.key)
    if key is None or not key.name.startswith(_PREFIX):
        return False
    try:
        policy = from_value(key, item.value, item.mod_revision)
    except Unreadable as error:
        print(f"warning: {error}", file=sys.stderr)
        return False
    if policy.name != key.name.removeprefix(_PREFIX):
        return False
    renamed = resource_path(policy.key)
    unchanged = Compare(item.key, "mod_revision", "=", item.mod_revision)
    free = Compare(renamed, "version", "=", 0)
    done = store.txn([unchanged, free], [Put(renamed, to_value(policy)), Delete(item.key)]).succeeded
    if not done:
        print(f"warning: {key} keeps its name: {policy.key} exists, or somebody changed it meanwhile", file=sys.stderr)
    return done
