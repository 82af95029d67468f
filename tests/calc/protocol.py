# SPDX-License-Identifier: Apache-2.0
"""What a dataplane may rely on after every single message (spec/calculation.md section 4)."""

from percale.calc.host_state import (
    EndpointUpdate,
    HostInterfaceEndpoint,
    HostState,
    IPSetDelta,
    IPSetUpdate,
    PolicyUpdate,
    ProfileUpdate,
)


def replayed(state, messages):
    """The state after these messages, each of which was found to be lawful."""
    for message in messages:
        _check_news(state, message)
        state = state.after([message])
        check_references(state)
    return state


def check_references(state):
    """Endpoints refer to known policies and profiles, and those to known sets (R19)."""
    for endpoint in state.endpoints.values():
        assert set(endpoint.profiles) <= state.profiles.keys()
        for tier in _all_tiers(endpoint):
            assert {*tier.ingress, *tier.egress} <= state.policies.keys()
    for owner in (*state.policies.values(), *state.profiles.values()):
        assert referred_sets(owner) <= state.ip_sets.keys()


def referred_sets(owner):
    """The IP sets that the rules of a policy or profile name."""
    sides = [
        side for rule in (*(owner.ingress or ()), *(owner.egress or ())) for side in (rule.source, rule.destination)
    ]
    fields = ("ip_sets", "not_ip_sets", "named_port_sets", "not_named_port_sets", "ip_port_sets")
    return {set_id for side in sides for field in fields for set_id in getattr(side, field)}


def _all_tiers(endpoint):
    tiers = endpoint.tiers
    if isinstance(endpoint, HostInterfaceEndpoint):
        tiers += endpoint.untracked_tiers + endpoint.pre_dnat_tiers + endpoint.forward_tiers
    return tiers


def _check_news(state, message):
    """A message tells something new: no delta of what is so already (R21), no unchanged object again (R24)."""
    match message:
        case IPSetDelta(set_id, added, removed):
            assert added or removed
            assert not added & state.ip_sets[set_id].members
            assert removed <= state.ip_sets[set_id].members
        case IPSetUpdate():
            pass
        case PolicyUpdate(policy):
            assert state.policies.get(policy.id) != policy
        case ProfileUpdate(profile):
            assert state.profiles.get(profile.name) != profile
        case EndpointUpdate(endpoint):
            assert state.endpoints.get(endpoint.id) != endpoint


EMPTY = HostState()
