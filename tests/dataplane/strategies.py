# SPDX-License-Identifier: Apache-2.0
"""Random host states, changes of them, and packets that touch their borders."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from tests.dataplane.language import endpoint, ip_set, policy, profile, tier

from percale.calc.compiled import Action, CompiledRule, Icmp, PortRange, RuleSide
from percale.calc.host_state import (
    EndpointRemove,
    EndpointUpdate,
    HostState,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
    PolicyRemove,
    PolicyUpdate,
    Pool,
    PoolRemove,
    PoolUpdate,
    ProfileRemove,
    ProfileUpdate,
)
from percale.dataplane.packet import Packet

# Few addresses and ports, so that criteria meet packets often. Workloads hold the first two of each family.
V4 = ("10.65.0.1", "10.65.0.2", "10.65.0.3", "10.66.0.1")
V6 = ("fd65::1", "fd65::2", "fd65::3", "fd66::1")
PORTS = (79, 80, 81, 90, 443)
NETS = ("10.65.0.1/32", "10.65.0.2/31", "10.65.0.0/24", "10.0.0.0/8", "fd65::1/128", "fd65::2/127", "fd65::/16")
NET_SETS, PORT_SETS = ("s:a", "s:b", "s:c"), ("n:a", "n:b")
POLICIES, PROFILES, NAMES = ("p0", "p1", "p2", "p3"), ("kns", "ksa"), ("a", "b")

port_ranges = st.builds(
    lambda first, length: PortRange(first, min(first + length, 65535)),
    st.sampled_from(PORTS),
    st.sampled_from((0, 1, 10)),
)


def _some(values, most=2):
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


sides = st.builds(
    RuleSide,
    nets=st.one_of(st.just(()), _some(NETS, 3)),
    not_nets=st.one_of(st.just(()), st.just(()), _some(NETS)),
    ports=st.one_of(st.just(()), st.lists(port_ranges, max_size=3).map(tuple)),
    not_ports=st.one_of(st.just(()), st.just(()), st.lists(port_ranges, max_size=2).map(tuple)),
    ip_sets=st.one_of(st.just(()), st.just(()), _some(NET_SETS)),
    not_ip_sets=st.one_of(st.just(()), st.just(()), _some(NET_SETS)),
    named_port_sets=st.one_of(st.just(()), st.just(()), _some(PORT_SETS)),
    not_named_port_sets=st.one_of(st.just(()), st.just(()), st.just(()), _some(PORT_SETS)),
    ip_port_sets=st.one_of(st.just(()), st.just(()), st.just(()), _some(PORT_SETS)),
)


@st.composite
def rules(draw):
    """A rule that Calico's validation lets pass: ports go with a protocol that has them, types with ICMP."""
    action = draw(st.sampled_from((*Action, Action.ALLOW, Action.DENY)))
    protocol = draw(st.sampled_from((None, None, "tcp", "udp", 6, 17, "icmp", "icmpv6")))
    source, destination = draw(sides), draw(sides)
    found = CompiledRule(action, protocol=protocol, source=source, destination=destination)
    if protocol in ("icmp", "icmpv6"):
        icmp = st.builds(Icmp, st.sampled_from((0, 8)), st.sampled_from((None, 0, 1)))
        found = replace(
            found,
            ip_version=4 if protocol == "icmp" else 6,
            icmp=draw(st.one_of(st.none(), icmp)),
            not_icmp=draw(st.one_of(st.none(), st.none(), icmp)),
        )
    elif draw(st.integers(0, 4)) == 0:
        found = replace(found, ip_version=draw(st.sampled_from((4, 6))))
    if protocol not in ("tcp", "udp", 6, 17):
        found = replace(found, source=_without_ports(source), destination=_without_ports(destination))
        if protocol is None and draw(st.integers(0, 4)) == 0:
            found = replace(found, not_protocol=draw(st.sampled_from(("tcp", 17))))
    return found


def _without_ports(side):
    return replace(side, ports=(), not_ports=(), not_named_port_sets=())


def _indexed(found):
    return [replace(one, index=index) for index, one in enumerate(found)]


rule_lists = st.lists(rules(), max_size=3).map(_indexed)
net_members = st.frozensets(st.sampled_from(NETS), max_size=4)
port_members = st.frozensets(
    st.builds(
        lambda address, protocol, port: f"{address},{protocol}:{port}",
        st.sampled_from((*V4, *V6)),
        st.sampled_from(("tcp", "udp")),
        st.sampled_from(PORTS),
    ),
    max_size=5,
)
ip_sets = st.one_of(
    st.builds(lambda name, members: ip_set(name, *members), st.sampled_from(NET_SETS), net_members),
    st.builds(
        lambda name, members: replace(ip_set(name, *members, "0.0.0.0,tcp:1"), members=members),
        st.sampled_from(PORT_SETS),
        port_members,
    ),
)
policies = st.builds(
    lambda name, ingress, egress, staged: policy(name, ingress, egress, staged=staged),
    st.sampled_from(POLICIES),
    st.one_of(st.none(), rule_lists),
    st.one_of(st.none(), rule_lists),
    st.sampled_from((False, False, False, True)),
)
profiles = st.builds(profile, st.sampled_from(PROFILES), rule_lists, rule_lists)


@st.composite
def endpoints(draw, name, known_policies, known_profiles):
    """An endpoint called ``name`` that lists some of the known policies in up to two tiers."""
    chosen = (
        draw(st.lists(st.sampled_from(known_policies), max_size=4, unique_by=lambda one: one.id))
        if known_policies
        else []
    )
    cut = draw(st.integers(0, len(chosen)))
    tiers = [
        tier(*part, name=tier_name, default_action=draw(st.sampled_from(("Deny", "Pass", ""))))
        for tier_name, part in (("first", chosen[:cut]), ("default", chosen[cut:]))
        if part
    ]
    number = NAMES.index(name) + 1
    return endpoint(
        name,
        f"10.65.0.{number}/32",
        f"fd65::{number}/128",
        tiers=tiers,
        profiles=draw(_some(known_profiles, 2)) if known_profiles else (),
        active=draw(st.sampled_from((True, True, True, False))),
    )


@st.composite
def states(draw):
    """A whole HostState, as the messages that build it."""
    sets = [ip_set(name) for name in NET_SETS] + [
        replace(ip_set(name, "0.0.0.0,tcp:1"), members=frozenset()) for name in PORT_SETS
    ]
    sets = {one.id: one for one in (*sets, *draw(st.lists(ip_sets, max_size=6)))}
    known = {one.id: one for one in draw(st.lists(policies, max_size=4))}
    named = {one.name: one for one in draw(st.lists(profiles, max_size=2))}
    found = [draw(endpoints(name, list(known.values()), list(named))) for name in NAMES]
    return [
        *map(IPSetUpdate, sets.values()),
        *map(PolicyUpdate, known.values()),
        *map(ProfileUpdate, named.values()),
        *map(EndpointUpdate, found),
    ]


@st.composite
def changes(draw, state: HostState):
    """One batch of messages that is allowed in this state."""
    kind = draw(st.sampled_from(("set", "delta", "policy", "profile", "endpoint", "remove", "pool")))
    known, named = list(state.policies.values()), list(state.profiles)
    match kind:
        case "set":
            return [IPSetUpdate(draw(ip_sets))]
        case "delta":
            old = state.ip_sets[draw(st.sampled_from(NET_SETS))]
            wanted = draw(net_members)
            return [IPSetDelta(old.id, wanted - old.members, old.members - wanted)]
        case "policy":
            return [PolicyUpdate(draw(policies))]
        case "profile":
            return [ProfileUpdate(draw(profiles))]
        case "endpoint":
            return [EndpointUpdate(draw(endpoints(draw(st.sampled_from(NAMES)), known, named)))]
        case "pool":
            name = draw(st.sampled_from(("x", "y")))
            if name in state.pools and draw(st.booleans()):
                return [PoolRemove(name)]
            return [PoolUpdate(Pool(name, draw(st.sampled_from(NETS)), draw(st.booleans())))]
        case _:
            return list(_removals(draw, state))


def _removals(draw, state):
    """All endpoints go, and with them what nothing else refers to."""
    yield from (EndpointRemove(one) for one in state.endpoints)
    if draw(st.booleans()):
        yield from (ProfileRemove(name) for name in state.profiles)
        yield from (PolicyRemove(one) for one in state.policies)
    if draw(st.booleans()):
        # Calculation would send the set again before it is referred to; so do we.
        gone = draw(st.sampled_from(NET_SETS))
        if not any(gone in _sets_of(one) for one in (*state.policies.values(), *state.profiles.values())):
            yield IPSetRemove(gone)
            yield IPSetUpdate(ip_set(gone))


def _sets_of(owner):
    return {
        set_id
        for one in (*(owner.ingress or ()), *(owner.egress or ()))
        for side in (one.source, one.destination)
        for set_id in (*side.ip_sets, *side.not_ip_sets)
    }


@st.composite
def packets(draw):
    """A packet between two of the few addresses, over interfaces that suit them or do not."""
    addresses = draw(st.sampled_from((V4, V6)))
    source, destination = draw(st.sampled_from(addresses)), draw(st.sampled_from(addresses))
    protocol = draw(st.sampled_from((6, 17, 1 if addresses is V4 else 58, 132, 4)))
    iif = draw(st.sampled_from(("calia", "calib", "eth0", "calix", "")))
    oif = draw(
        st.sampled_from(("calia", "calib", "eth0", "calix") if not iif else ("calia", "calib", "eth0", "calix", ""))
    )
    return Packet(
        source,
        destination,
        protocol,
        draw(st.sampled_from(PORTS)),
        draw(st.sampled_from((*PORTS, 4789))),
        draw(st.sampled_from((0, 8, 128, 135))),
        draw(st.sampled_from((0, 1))),
        iif,
        oif,
        draw(st.sampled_from(("new", "new", "new", "new", "established", "related", "invalid", "untracked"))),
    )
