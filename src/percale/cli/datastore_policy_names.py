# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate-policy-names``: old releases stored a policy of the default tier under ``default.NAME``."""

from __future__ import annotations

import json

from percale.cli.command import CONFIG, Call, Command
from percale.cli.session import Session
from percale.cli.stores import keyvalue_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from percale.datastore.keyvalue import Item, KeyValue

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Rename the stored policies that still carry the prefix which old releases gave them.",
    usage="[flags]",
    flags=(CONFIG,),
    most=0,
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
    """Move one policy to its own name; whether it was necessary and possible."""
    from percale.datastore.keyvalue import Compare, Delete, Put
    from percale.datastore.values import METADATA_ANNOTATION

    folder, _, name = item.key.rpartition("/")
    if not name.startswith(_PREFIX):
        return False
    policy = json.loads(item.value)
    noted = json.loads((policy["metadata"].get("annotations") or {}).get(METADATA_ANNOTATION, "{}")).get("name")
    if noted != name.removeprefix(_PREFIX):
        return False
    policy["metadata"]["name"] = noted
    value = json.dumps(policy, separators=(",", ":"), ensure_ascii=False).encode()
    unchanged = Compare(item.key, "mod_revision", "=", item.mod_revision)
    free = Compare(f"{folder}/{noted}", "version", "=", 0)
    return store.txn([unchanged, free], [Put(f"{folder}/{noted}", value), Delete(item.key)]).succeeded
