# SPDX-License-Identifier: Apache-2.0
"""The outbox: of everything that changed, what the enforcing layer has to be told, in the order that it relies on."""

from __future__ import annotations

from typing import Generic, TypeVar

from percale.calc.compiled import CompiledPolicy, CompiledProfile, PolicyID
from percale.calc.host_state import (
    EndpointID,
    EndpointRemove,
    EndpointUpdate,
    InSync,
    LocalEndpoint,
    Message,
    PolicyRemove,
    PolicyUpdate,
    Pool,
    PoolRemove,
    PoolUpdate,
    ProfileRemove,
    ProfileUpdate,
)
from percale.calc.ip_sets import SetMessages

__all__ = ["Channel", "Outbox"]

K = TypeVar("K")
V = TypeVar("V")


class Channel(Generic[K, V]):
    """Objects of one sort: what was sent, and what is to be; only the last value before a flush counts."""

    def __init__(self) -> None:
        self.sent: dict[K, V] = {}
        self._pending: dict[K, V | None] = {}

    def put(self, key: K, value: V | None) -> None:
        """Note the value to be sent, None for nothing any more."""
        self._pending[key] = value

    def flush(self) -> tuple[list[V], list[K]]:
        """Return what differs from what was sent: new values, and keys of what is gone."""
        updates, removals = [], []
        for key, value in self._pending.items():
            if value is None:
                if self.sent.pop(key, None) is not None:
                    removals.append(key)
            elif self.sent.get(key) != value:
                self.sent[key] = value
                updates.append(value)
        self._pending.clear()
        return updates, removals


class Outbox:
    """Coalesces changes and orders messages (spec/calculation.md section 4)."""

    def __init__(self) -> None:
        self.policies: Channel[PolicyID, CompiledPolicy] = Channel()
        self.profiles: Channel[str, CompiledProfile] = Channel()
        self.endpoints: Channel[EndpointID, LocalEndpoint] = Channel()
        self.pools: Channel[str, Pool] = Channel()
        self._told_in_sync = False

    def flush(self, sets: SetMessages, *, in_sync: bool) -> list[Message]:
        """Return the messages since the last flush; endpoints wait until the first snapshot is complete."""
        policies, gone_policies = self.policies.flush()
        profiles, gone_profiles = self.profiles.flush()
        endpoints, gone_endpoints = self.endpoints.flush() if in_sync else ([], [])
        pools, gone_pools = self.pools.flush()
        # The order is the contract: what is referred to comes before what refers to it, and goes after it.
        messages: list[Message] = [
            *sets.full,
            *sets.deltas,
            *map(PolicyUpdate, policies),
            *map(ProfileUpdate, profiles),
            *map(EndpointUpdate, endpoints),
            *map(EndpointRemove, gone_endpoints),
            *map(ProfileRemove, gone_profiles),
            *map(PolicyRemove, gone_policies),
            *sets.removals,
            *map(PoolRemove, gone_pools),
            *map(PoolUpdate, pools),
        ]
        if in_sync and not self._told_in_sync:
            self._told_in_sync = True
            messages.append(InSync())
        return messages
