# SPDX-License-Identifier: Apache-2.0
"""However a state was reached, the tables hold the same, and no batch on the way is refused."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dataplane.strategies import changes, states

from percale.calc.host_state import (
    EndpointUpdate,
    HostState,
    InSync,
    IPSetUpdate,
    PolicyUpdate,
    PoolUpdate,
    ProfileUpdate,
)
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.tables import read_contents
from percale.dataplane.twin import TwinDataplane


def messages_of(state):
    """The messages that lead to a state at once."""
    return [
        *map(IPSetUpdate, state.ip_sets.values()),
        *map(PolicyUpdate, state.policies.values()),
        *map(ProfileUpdate, state.profiles.values()),
        *map(EndpointUpdate, state.endpoints.values()),
        *map(PoolUpdate, state.pools.values()),
        InSync(),
    ]


def held(twin):
    """All that the twin's tables hold, regardless of the order of chains and sets."""
    return [read_contents(twin.nftables, content.table) for content in twin.nftables.tables()]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(states(), st.data(), st.integers(1, 3))
def test_incremental_equals_from_scratch(first, data, share_from):
    """After any sequence of changes the tables equal those of a dataplane that saw the last state only."""
    config = DataplaneConfig(share_policies_from=share_from)
    twin = TwinDataplane(config)
    for name in ("calia", "calib"):
        twin.network.set_link(name)
    assert twin.apply([*first, InSync()]).ok
    state = HostState().after(first)
    for _ in range(data.draw(st.integers(1, 5))):
        batch = data.draw(changes(state))
        state = state.after(batch)
        applied = twin.apply(batch)
        assert applied.ok, applied
    fresh = TwinDataplane(config)
    for name in ("calia", "calib"):
        fresh.network.set_link(name)
    assert fresh.apply(messages_of(state)).ok
    assert held(twin) == held(fresh)
    assert twin.network.routes() == fresh.network.routes() or sorted(map(str, twin.network.routes())) == sorted(
        map(str, fresh.network.routes())
    )
    assert not twin.plan(), "what is there is what is desired"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(states(), st.data())
def test_restart_sends_only_what_changed(first, data):
    """A new dataplane over the same tables brings them to the new state; over an unchanged state it sends nothing."""
    twin = TwinDataplane()
    assert twin.apply([*first, InSync()]).ok
    state = HostState().after(first)
    again = TwinDataplane(nftables=twin.nftables, network=twin.network)
    again.start()
    batches, operations = twin.nftables.batches, twin.network.operations
    applied = again.apply(messages_of(state))
    assert applied.ok
    assert not applied.plan
    assert (twin.nftables.batches, twin.network.operations) == (batches, operations)
    state = state.after(data.draw(changes(state)))
    changed = TwinDataplane(nftables=twin.nftables, network=twin.network)
    assert changed.apply(messages_of(state)).ok
    fresh = TwinDataplane()
    assert fresh.apply(messages_of(state)).ok
    assert held(changed) == held(fresh)
