# SPDX-License-Identifier: Apache-2.0
"""The twin's walk and the kernel's verdict on real packets are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.dataplane.language import allow, endpoint, ping, policy, ports, profile, snapshot, tcp, tier, udp, updates
from tests.dataplane.strategies import PORTS, V4, V6, states
from tests.dataplane.wire import HOST, HOST6, OUTSIDE, Wire, far_mac

from percale.calc.host_state import EndpointRemove, EndpointUpdate, InSync, Pool
from percale.dataplane.config import DataplaneConfig, DenyAction, HostAction
from percale.dataplane.kernel import KernelDataplane
from percale.dataplane.packet import Packet
from percale.dataplane.twin import TwinDataplane
from percale.netlink.conntrack import ConntrackSocket
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.routes import Route, add_route

pytestmark = pytest.mark.kernel

_EVERY_ADDRESS = (*V4, *V6, HOST, HOST6)
_BY_ADDRESS = {"10.65.0.1": "calia", "10.65.0.2": "calib", "fd65::1": "calia", "fd65::2": "calib", HOST: "", HOST6: ""}


@pytest.fixture
def wire(netns):
    made = Wire(netns)
    yield made
    made.close()


class Pair:
    """The kernel's dataplane and its twin, told the same."""

    def __init__(self, wire, messages, **config):
        self.wire = wire
        self.kernel = KernelDataplane(DataplaneConfig(**config))
        self.twin = TwinDataplane(DataplaneConfig(**config))
        self.twin.add_route("0.0.0.0/0", OUTSIDE)
        self.twin.add_route("::/0", OUTSIDE)
        for name in ("calia", "calib"):
            self.twin.network.set_link(name)
        for dataplane in (self.kernel, self.twin):
            applied = dataplane.apply(messages)
            assert applied.ok, applied

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kernel.uninstall()
        self.kernel.close()
        with ConntrackSocket() as conntrack:
            conntrack.forget(_EVERY_ADDRESS)

    def tell(self, messages):
        """Tell both of a change."""
        for dataplane in (self.kernel, self.twin):
            assert dataplane.apply(messages).ok

    def reroute(self, destination, interface):
        """Somebody else makes a route over an interface."""
        with RouteSocket() as routes:
            routes.perform(add_route(Route(destination, routes.link(interface).index, scope=253)))
        self.twin.add_route(destination, interface)

    def compare(self, packets):
        """Send the packets, walk them, and return the verdicts if both agree on all."""
        packets = [self._routed(packet) for packet in packets]
        walks = [self.twin.walk(_as_tracked(packet)) for packet in packets]
        expected = [position for position, walk in enumerate(walks) if walk.allowed]
        arrived = self.wire.arrivals(packets, expected)
        for packet, walk, place in zip(packets, walks, arrived, strict=True):
            assert (place is not None) == walk.allowed, f"{packet}\n{walk}\narrived at {place!r}"
            assert place in (None, packet.oif)
        return [walk.allowed for walk in walks]

    def _routed(self, packet):
        """The packet with the interface that the routes choose; an endpoint that is not active has none."""
        if packet.destination in (HOST, HOST6):
            return packet
        return replace(packet, oif=self.twin.network.interface_towards(packet.destination_bytes))


def _as_tracked(packet):
    """The packet as connection tracking sees the first of its kind (nf_conntrack_proto_icmp.c, …_icmpv6.c)."""
    if packet.protocol == 1 and packet.icmp_type not in (8, 13, 15, 17):
        return replace(packet, ct="invalid")
    if packet.protocol == 58 and packet.icmp_type in (130, 131, 132, 133, 134, 135, 136, 137, 143):
        return replace(packet, ct="untracked")
    if packet.protocol == 58 and packet.icmp_type != 128:
        return replace(packet, ct="invalid")
    return packet


@st.composite
def first_packets(draw):
    """The first packet of a flow, from a wire to wherever its destination lies."""
    family = draw(st.sampled_from(((*V4, HOST), (*V6, HOST6))))
    source, destination = draw(st.sampled_from(family[:-1])), draw(st.sampled_from(family))
    honest = _BY_ADDRESS.get(source, OUTSIDE)
    return Packet(
        source,
        destination,
        draw(st.sampled_from((6, 6, 17, 17, 1 if family[0] in V4 else 58, 132, 4))),
        draw(st.sampled_from(PORTS)),
        draw(st.sampled_from((*PORTS, 4789))),
        draw(st.sampled_from((0, 8, 128, 135))),
        draw(st.sampled_from((0, 1))),
        draw(st.sampled_from((honest, honest, honest, "calia", "calib", OUTSIDE))),
    )


def _without_answers(packets):
    """The packets but those that would be taken for the answer to an earlier one."""
    seen, kept = set(), []
    for packet in packets:
        with_ports = (packet.source_port, packet.destination_port) if packet.protocol in (6, 17, 132) else (0, 0)
        if (packet.protocol, packet.destination, packet.source, with_ports[::-1]) not in seen:
            seen.add((packet.protocol, packet.source, packet.destination, with_ports))
            kept.append(packet)
    return kept


@settings(max_examples=20, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(
    messages=states(),
    asked=st.lists(first_packets(), min_size=20, max_size=30),
    action=st.sampled_from(HostAction),
    deny=st.sampled_from(DenyAction),
    share_from=st.integers(1, 3),
)
def test_twin_and_kernel_agree(wire, messages, asked, action, deny, share_from):
    """Random states, random packets over real wires: what arrives is what the twin let pass."""
    with_macs = [
        replace(message, endpoint=replace(message.endpoint, mac=far_mac(message.endpoint.interface)))
        if hasattr(message, "endpoint")
        else message
        for message in messages
    ]
    config = {"endpoint_to_host_action": action, "deny_action": deny, "share_policies_from": share_from}
    with Pair(wire, [*with_macs, InSync()], **config) as pair:
        pair.compare(_without_answers(asked))


def _endpoint(name, number, **fields):
    return endpoint(name, f"10.65.0.{number}/32", f"fd65::{number}/128", mac=far_mac(f"cali{name}"), **fields)


@pytest.mark.parametrize("action", HostAction)
def test_endpoint_to_host_action(wire, action):
    """A workload reaches its host only if its egress policy allows it and the action is not Drop."""
    egress = policy("out", egress=[allow(dst={"ports": ports(80)}, protocol="tcp"), allow(protocol="icmp")])
    messages = snapshot(egress, _endpoint("a", 1, tiers=[tier(egress)]), _endpoint("b", 2, profiles=()))
    reaches = action is not HostAction.DROP
    with Pair(wire, messages, endpoint_to_host_action=action) as pair:
        assert pair.compare(
            [
                tcp("10.65.0.1", HOST, 80, iif="calia"),
                tcp("10.65.0.1", HOST, 81, iif="calia"),
                ping("10.65.0.1", HOST, iif="calia"),
                tcp("10.65.0.2", HOST, 80, iif="calib"),
                tcp("fd65::1", HOST6, 80, iif="calia"),
            ]
        ) == [reaches, False, reaches, False, reaches]


def test_neighbor_discovery_reaches_the_host(wire):
    """A workload that may send nothing may still look for its router (spec/policy.md section 6)."""
    messages = snapshot(_endpoint("a", 1, profiles=()))
    with Pair(wire, messages) as pair:
        asked = [ping("fd65::1", HOST6, type_, iif="calia") for type_ in (130, 131, 132, 133, 135, 136, 128)]
        assert pair.compare(asked) == [True] * 6 + [False]


def test_forged_sources_stop_at_the_interface(wire):
    """Foreign pool, neighbor's and outside addresses do not leave a workload; allowed prefixes do."""
    messages = snapshot(
        _endpoint("a", 1, allow_spoofed_source_prefixes=("10.99.0.0/24", "fd99::/16")), _endpoint("b", 2)
    )
    sources = {
        "10.65.0.1": True, "10.65.0.2": False, "10.65.0.9": False, "198.51.100.1": False, "10.99.0.255": True,
        "10.99.1.0": False, "fd65::1": True, "fd65::2": False, "fd99:ffff::1": True, "fd9a::1": False,
    }  # fmt: skip
    with Pair(wire, messages) as pair:
        asked = [
            udp(source, "fd66::7" if ":" in source else "203.0.113.7", 1000 + number, iif="calia")
            for number, source in enumerate(sources)
        ]
        assert pair.compare(asked) == list(sources.values())


def test_tunnels_of_workloads_are_stopped(wire):
    """VXLAN and IPIP from a workload are denied ahead of all policy, unless they are allowed."""
    asked = [
        udp("10.65.0.1", "203.0.113.7", 4789, iif="calia"),
        udp("10.65.0.1", "203.0.113.7", 4788, iif="calia"),
        Packet("10.65.0.1", "203.0.113.7", 4, iif="calia"),
    ]
    messages = snapshot(_endpoint("a", 1))
    with Pair(wire, messages) as pair:
        assert pair.compare(asked) == [False, True, False]
    with Pair(wire, messages, allow_vxlan=True, allow_ipip=True) as pair:
        assert pair.compare(asked) == [True, True, True]


def test_outgoing_traffic_of_a_pool_takes_the_hosts_address(wire):
    """What leaves the pools is masqueraded, what stays inside is not; the twin says which."""
    messages = snapshot(_endpoint("a", 1), _endpoint("b", 2), Pool("pool", "10.65.0.0/16", True))
    with Pair(wire, messages) as pair:
        outwards = udp("10.65.0.1", "203.0.113.7", 99, iif="calia", oif=OUTSIDE)
        inwards = udp("10.65.0.1", "10.65.0.2", 99, iif="calia", oif="calib")
        assert pair.compare([outwards, inwards]) == [True, True]
        assert (pair.twin.walk(outwards).translation, pair.twin.walk(inwards).translation) == ("masquerade", "")
        with ConntrackSocket() as conntrack:
            answers = {one.destination: one.reply_destination for one in conntrack.connections()}
        assert answers == {"203.0.113.7": HOST, "10.65.0.2": "10.65.0.1"}


def test_closed_without_a_programmed_endpoint(wire):
    """Fail closed: before the first endpoint, after one is gone, and for established flows too (invariant 1)."""
    out, back = (
        udp("10.65.0.1", "10.65.0.2", 53, iif="calia"),
        udp("10.65.0.2", "10.65.0.1", 40000, source_port=53, iif="calib"),
    )
    host_bound = udp("10.65.0.1", HOST, iif="calia")
    first, second = _endpoint("a", 1), _endpoint("b", 2)
    with Pair(wire, [InSync()]) as pair:
        assert pair.compare([out, host_bound]) == [False, False]
        pair.tell(snapshot(first, second))
        assert pair.compare([out]) == [True]
        answer = replace(back, ct="established")
        assert pair.compare([answer]) == [True]
        # The address stays reachable by a route of somebody else, so that only the rules stand in the way.
        pair.tell([EndpointUpdate(replace(second, active=False))])
        pair.reroute("10.65.0.2/32", "calib")
        assert pair.compare([replace(out, source_port=1), answer]) == [False, False]
        pair.tell([EndpointRemove(second.id)])
        assert pair.compare([replace(out, source_port=2), answer]) == [False, False]


def test_closed_before_the_snapshot_is_complete(wire):
    """A new dataplane leaves the former one's rules in force until it is in sync (invariant 9)."""
    closed = _endpoint("b", 2, profiles=())
    with Pair(wire, snapshot(_endpoint("a", 1), closed)) as pair:
        asked = udp("10.65.0.1", "10.65.0.2", iif="calia")
        assert pair.compare([asked]) == [False]
        with KernelDataplane() as again:
            assert not again.apply(updates(profile(), replace(closed, profiles=("open",)))).in_sync
            assert pair.compare([replace(asked, source_port=1)]) == [False]
