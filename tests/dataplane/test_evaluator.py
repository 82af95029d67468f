# SPDX-License-Identifier: Apache-2.0
"""Explanation and rendered rules agree: the evaluator's verdict is the twin's, for random states and packets."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dataplane.strategies import packets, states

from percale.calc.host_state import EndpointID, HostState, InSync
from percale.dataplane.config import DataplaneConfig, HostAction
from percale.dataplane.twin import TwinDataplane
from percale.policy.flow import Conntrack, Flow
from percale.policy.host_path import HOST, End, judge
from percale.policy.host_settings import HostSettings
from percale.policy.host_view import HostStateView
from percale.policy.verdict import Verdict


def flow_of(packet):
    """The question to the evaluator that a packet is."""
    has_ports, has_type = packet.protocol in (6, 17, 132), packet.protocol in (1, 58)
    return Flow(
        packet.protocol,
        ip_address(packet.source),
        ip_address(packet.destination),
        packet.source_port if has_ports else 0,
        packet.destination_port if has_ports else 0,
        packet.icmp_type if has_type else None,
        packet.icmp_code if has_type else None,
        Conntrack(packet.ct),
    )


def end_of(interface):
    if not interface:
        return HOST
    if interface.startswith("cali"):
        return End(EndpointID("WorkloadEndpoint", "default", interface.removeprefix("cali")))
    return End.outside(interface)


def without_spoofing(packet):
    """The packet with a source that its interface may use, since policy knows nothing of spoofing."""
    own = {"calia": ("10.65.0.1", "fd65::1"), "calib": ("10.65.0.2", "fd65::2")}.get(packet.iif)
    if own is None:
        return packet
    fields = {name: getattr(packet, name) for name in packet.__slots__}
    return type(packet)(**{**fields, "source": own[packet.is_ipv6]})


def _dead_ends(state):
    """Workload interfaces that are closed: without an endpoint, or with one that is not active."""
    return {"calix", *(one.interface for one in state.endpoints.values() if not one.active)}


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    states(),
    st.lists(packets(), min_size=7, max_size=12),  # 400 examples: at least 2 800 packets
    st.sampled_from(HostAction),
    st.booleans(),
    st.integers(1, 3),
)
def test_evaluator_and_twin_agree(messages, asked, action, drop_invalid, share_from):
    """Whatever the state, policy's verdict on a packet and the walk through the rendered rules are the same."""
    twin = TwinDataplane(
        DataplaneConfig(
            endpoint_to_host_action=action,
            disable_conntrack_invalid_check=not drop_invalid,
            share_policies_from=share_from,
        )
    )
    twin.add_route("0.0.0.0/0", "eth0")
    twin.add_route("::/0", "eth0")
    for name in ("calia", "calib"):
        twin.network.set_link(name)
    assert twin.apply([*messages, InSync()]).ok
    view = HostStateView(
        HostState().after(messages), HostSettings(endpoint_to_host_action=action.value, drop_invalid=drop_invalid)
    )
    dead_ends = _dead_ends(view.state)
    for packet in map(without_spoofing, asked):
        established_into_dead_end = packet.ct in ("established", "related") and packet.oif in dead_ends
        if packet.iif in dead_ends or (packet.iif.startswith("cali") and established_into_dead_end):
            # The rules close dead ends: no source is legal behind one, and established traffic stops before one
            # (spec/dataplane.md section 5.4, 1). The evaluator knows no spoofing, and lets go at the source.
            assert not twin.walk(packet).allowed
            continue
        expected = judge(view, flow_of(packet), end_of(packet.iif), end_of(packet.oif))
        walk = twin.walk(packet)
        allowed = expected.verdict is Verdict.ALLOW
        assert walk.allowed == allowed, f"{packet}\n{walk}\n{expected}"
