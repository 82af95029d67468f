# SPDX-License-Identifier: Apache-2.0
"""Opening a datastore as a client."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from percale.client.client import Client
from percale.datastore.seams import KeyValue

if TYPE_CHECKING:
    from percale.client.cascade import Addresses

__all__ = ["connect", "open_client"]

_KEYS_OF_AN_EMPTY_STORE = 4  # ClusterInformation and three tiers


def connect(
    path: str | os.PathLike[str] | None = None,
    *,
    durability: Literal["NORMAL", "FULL"] = "NORMAL",
    addresses: Addresses | None = None,
) -> Client:
    """Open the embedded store, made ready if it is empty, as a client.

    Without a path it is the one that PERCALE_DATASTORE names, else the machine's if it can be written, else the user's
    own. Raises StoreUnavailable, Refused.
    """
    from percale.datastore.location import locate, make_folder
    from percale.datastore.sqlite import SQLiteKeyValue

    place = locate(path)
    make_folder(place)
    keyvalue = SQLiteKeyValue(place.path, durability=durability)
    notice = place.notice if place.hidden and _is_empty(keyvalue) else ""
    client = open_client(keyvalue, addresses=addresses, notice=notice)
    try:
        client.initialise()
    except BaseException:
        client.close()
        raise
    return client


def open_client(keyvalue: KeyValue, *, addresses: Addresses | None = None, notice: str = "") -> Client:
    """Return a client of Calico's layout in a store of keys and values."""
    from percale.datastore.calico import CalicoDatastore

    return Client(CalicoDatastore(keyvalue), addresses=addresses, notice=notice)


def _is_empty(keyvalue: KeyValue) -> bool:
    found = keyvalue.range("/", "\0", limit=_KEYS_OF_AN_EMPTY_STORE + 1, keys_only=True)
    return len(found.items) <= _KEYS_OF_AN_EMPTY_STORE
