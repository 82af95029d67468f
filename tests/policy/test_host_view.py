# SPDX-License-Identifier: Apache-2.0
"""A host's IP sets as the judge of membership."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.calc.compiled import IPSetKind
from percale.calc.host_state import EndpointID, HostInterfaceEndpoint, HostState, IPSet, WorkloadInterface
from percale.policy.host_view import HostStateView, IPSetMembership

_BITS = {4: 32, 6: 128}


def membership(kind, *members):
    return IPSetMembership({"s": IPSet("s", kind, frozenset(members))})


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.0.0.255", False), ("10.0.1.0", True), ("10.0.1.255", True), ("10.0.2.0", False), ("fd00::1", True)],
)
def test_a_net_holds_its_first_and_last_address(address, expected):
    """Members of both families live in one set; each holds the addresses inside it."""
    sets = membership(IPSetKind.NET, "10.0.1.0/24", "fd00::/64")
    assert sets.contains("s", ip_address(address), 6, 80) is expected


def test_a_port_member_is_address_protocol_and_port():
    """All three must be the member's."""
    sets = membership(IPSetKind.IP_PORT, "10.0.0.1,tcp:80", "fd00::1,sctp:9")
    asked = [("10.0.0.1", 6, 80), ("10.0.0.1", 17, 80), ("10.0.0.1", 6, 81), ("10.0.0.2", 6, 80), ("fd00::1", 132, 9)]
    answers = [sets.contains("s", ip_address(address), protocol, port) for address, protocol, port in asked]
    assert answers == [True, False, False, False, True]


def test_a_set_that_changed_is_read_again():
    """Members are prepared once for each value of a set, not once for ever."""
    ip_sets = {"s": IPSet("s", IPSetKind.NET, frozenset({"10.0.0.0/24"}))}
    sets = IPSetMembership(ip_sets)
    assert sets.contains("s", ip_address("10.0.0.1"), 6, 80)
    ip_sets["s"] = IPSet("s", IPSetKind.NET, frozenset({"10.0.1.0/24"}))
    assert not sets.contains("s", ip_address("10.0.0.1"), 6, 80)


def test_an_unknown_set_is_a_fault():
    """A rule that refers to a set which is not there is never silently unmatched."""
    with pytest.raises(KeyError):
        membership(IPSetKind.NET).contains("other", ip_address("10.0.0.1"), 6, 80)


def test_a_view_tells_workloads_from_host_endpoints():
    """Each kind of local endpoint is found as what it is."""
    workload = WorkloadInterface(EndpointID("WorkloadEndpoint", "a", "w"), "cali1", ("10.0.0.1/32",), (), (), ())
    host = HostInterfaceEndpoint(EndpointID("HostEndpoint", "", "h"), "eth0", (), ())
    view = HostStateView(HostState(endpoints={each.id: each for each in (workload, host)}))
    assert (view.workload(workload.id), view.workload(host.id)) == (workload, None)
    assert tuple(view.host_endpoints()) == (host,)


@st.composite
def _networks(draw):
    version = draw(st.sampled_from([4, 6]))
    base = {4: 0x0A000000, 6: 0xFD << 120}[version]
    length = draw(st.integers(_BITS[version] - 5, _BITS[version]))
    return ip_network((base + draw(st.integers(0, 31)), length), strict=False)


@given(st.sets(_networks(), max_size=6), st.sampled_from([4, 6]), st.integers(0, 31))
def test_membership_agrees_with_the_standard_library(networks, version, offset):
    """An address is a member exactly if one of the networks contains it."""
    address = ip_address({4: 0x0A000000, 6: 0xFD << 120}[version] + offset)
    sets = membership(IPSetKind.NET, *map(str, networks))
    assert sets.contains("s", address, 6, 80) is any(address in network for network in networks)
