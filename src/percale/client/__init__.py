# SPDX-License-Identifier: Apache-2.0
"""The client: resources defaulted, validated and stored, on any datastore.

::

    import percale
    from percale.resources import NetworkSet, NetworkSetSpec, ObjectMeta

    with percale.connect() as client:
        client.network_sets.create(NetworkSet(
            metadata=ObjectMeta(name="offices", namespace="default"), spec=NetworkSetSpec(nets=("192.0.2.0/24",))))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from percale.client.bulk import Outcome
    from percale.client.cascade import Addresses
    from percale.client.client import Client
    from percale.client.collections import Collection
    from percale.client.connecting import connect, open_client
    from percale.client.datastore_config import DatastoreConfig
    from percale.client.informer import Informer, InformerStatistics
    from percale.client.plan import Change, Plan
    from percale.client.snapshot import Snapshot

__all__ = [
    "Addresses",
    "Change",
    "Client",
    "Collection",
    "DatastoreConfig",
    "Informer",
    "InformerStatistics",
    "Outcome",
    "Plan",
    "Snapshot",
    "connect",
    "open_client",
]

# Most programs need few of these, and a command's start is what its user waits for.
_WHEN_ASKED_FOR = {
    "Addresses": "cascade",
    "Change": "plan",
    "Client": "client",
    "Collection": "collections",
    "DatastoreConfig": "datastore_config",
    "Informer": "informer",
    "InformerStatistics": "informer",
    "Outcome": "bulk",
    "Plan": "plan",
    "Snapshot": "snapshot",
    "connect": "connecting",
    "open_client": "connecting",
}


def __getattr__(name: str) -> Any:
    if name not in _WHEN_ASKED_FOR:
        raise AttributeError(f"module 'percale.client' has no attribute {name!r}")
    return getattr(import_module(f"percale.client.{_WHEN_ASKED_FOR[name]}"), name)
