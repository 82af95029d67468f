# SPDX-License-Identifier: Apache-2.0
"""The client: resources defaulted, validated and stored, on any datastore.

::

    import percale
    from percale.resources import NetworkSet, NetworkSetSpec, ObjectMeta

    with percale.connect() as client:
        client.network_sets.create(NetworkSet(
            metadata=ObjectMeta(name="offices", namespace="default"), spec=NetworkSetSpec(nets=("192.0.2.0/24",))))
"""

from percale.client.bulk import Outcome
from percale.client.cascade import Addresses
from percale.client.client import Client
from percale.client.collections import Collection
from percale.client.connecting import connect, open_client
from percale.client.plan import Change, Plan

__all__ = ["Addresses", "Change", "Client", "Collection", "Outcome", "Plan", "connect", "open_client"]
