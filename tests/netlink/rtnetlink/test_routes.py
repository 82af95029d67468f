# SPDX-License-Identifier: Apache-2.0
"""Routes of both families."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.netlink.rtnetlink.addresses import Address, add_address, address_text
from percale.netlink.rtnetlink.routes import Route, add_route, decode_route, delete_route, replace_route
from percale.netlink.socket import NetlinkError

ROUTES = [
    Route("10.65.0.1/32", 100, metric=1024, scope=253),
    Route("10.65.0.1/32", 100, scope=253, protocol=80),
    Route("0.0.0.0/0", 100, scope=253),
    Route("10.66.0.0/24", 100, gateway="10.99.0.1", onlink=True, protocol=80),
    Route("10.66.0.0/26", type="blackhole", protocol=80),
    Route("10.66.0.0/26", type="unreachable"),
    Route("10.66.0.0/26", type="prohibit", metric=5),
    Route("10.65.0.1/32", 100, scope=253, preferred_source="192.0.2.1"),
    Route("10.65.0.1/32", 100, scope=253, table=100),
    Route("10.65.0.1/32", 100, scope=253, table=100_000),
    Route("2001:db8::1/128", 100, metric=1024),
    Route("2001:db8::1/128", 100, scope=253),
    Route("::/0", 100, gateway="fe80::1", protocol=80),
    Route("2001:db8::/64", type="blackhole", protocol=80),
    Route("2001:db8::/64", 100, gateway="2001:db8:9::1", onlink=True),
    Route("2001:db8::1/128", 100, table=100_000, metric=512),
]


@pytest.mark.kernel
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.type} {route.destination}")
def test_a_route_reads_back_as_reported(wire, route):
    """``reported`` says how the kernel reports a route; adding it again is refused, deleting it once works."""
    socket = wire.socket
    socket.perform(add_address(Address(100, "192.0.2.1/32")))

    def there():
        return socket.routes(ipv6=route.is_ipv6, table=route.table)

    socket.perform(add_route(route))
    assert route.reported() in there()
    with pytest.raises(NetlinkError) as caught:
        socket.perform(add_route(route))
    assert caught.value.already_exists
    socket.perform(replace_route(route))
    assert there().count(route.reported()) == 1
    socket.perform(delete_route(route))
    assert route.reported() not in there()
    with pytest.raises(NetlinkError) as caught:
        socket.perform(delete_route(route))
    assert caught.value.is_not_found


@pytest.mark.kernel
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.type} {route.destination}")
def test_what_is_reported_is_settled(wire, route):
    """Sending a reported form changes nothing about it."""
    assert route.reported() == route.reported().reported()


@pytest.mark.kernel
@pytest.mark.parametrize("destination", ["10.65.0.1/32", "2001:db8::1/128"])
def test_replacement_keeps_one_route(wire, destination):
    """A replacement of equal destination, table and metric leaves the new route only."""
    old, new = Route(destination, 1, metric=1024, scope=253), Route(destination, 100, metric=1024, scope=253)
    wire.socket.perform(replace_route(old))
    wire.socket.perform(replace_route(new))
    ipv6 = new.is_ipv6
    assert [new.reported()] == [one for one in wire.socket.routes(ipv6=ipv6) if one.destination == destination]


@pytest.mark.kernel
def test_routes_of_different_metric_stand_side_by_side(wire):
    """Deleting one of them leaves the other."""
    low, high = (Route("10.65.0.1/32", 100, metric=metric, scope=253) for metric in (512, 1024))
    for route in (low, high):
        wire.socket.perform(add_route(route))
    wire.socket.perform(delete_route(low))
    assert wire.socket.routes() == [high]


@pytest.mark.kernel
def test_the_kernel_chooses_by_protocol_and_interface(wire):
    """A dump may be narrowed to one protocol, one interface, or both."""
    ours = Route("10.65.0.1/32", 100, scope=253, protocol=80)
    other = Route("10.65.0.2/32", 100, scope=253)
    elsewhere = Route("10.65.0.3/32", 1, scope=253, protocol=80)
    for route in (ours, other, elsewhere):
        wire.socket.perform(add_route(route))
    assert {ours, elsewhere} == set(wire.socket.routes(protocol=80))
    assert {ours, other} == set(wire.socket.routes(interface=100))
    assert [ours] == wire.socket.routes(interface=100, protocol=80)
    assert wire.socket.routes(table=4242) == []


@pytest.mark.kernel
def test_a_foreign_multipath_route_never_equals_ours(netns, wire):
    """A route with several next hops is marked."""
    netns.run("ip", "route", "add", "10.9.0.0/24", "nexthop", "dev", "cali1", "nexthop", "dev", "lo")
    (route,) = wire.socket.routes()
    assert (route.destination, route.multipath, route.interface) == ("10.9.0.0/24", True, 0)


@pytest.mark.kernel
def test_ip_and_pyroute2_show_the_same(netns, wire):
    """Two witnesses agree about the route of a workload."""
    from pyroute2 import IPRoute

    wire.socket.perform(add_route(ROUTES[0]))
    (shown,) = json.loads(netns.run("ip", "-d", "-j", "route"))
    words = tuple(shown[key] for key in ("type", "dst", "dev", "protocol", "scope", "metric"))
    assert words == ("unicast", "10.65.0.1", "cali1", "boot", "link", 1024)
    with IPRoute() as witness:
        (seen,) = witness.get_routes(table=254, family=2)
    assert (seen["proto"], seen["scope"], seen["dst_len"]) == (3, 253, 32)
    attributes = tuple(seen.get_attr(f"RTA_{name}") for name in ("DST", "OIF", "PRIORITY"))
    assert attributes == ("10.65.0.1", 100, 1024)


NUMBERS = st.integers(0, 2**32 - 1)


@given(st.ip_addresses(), NUMBERS, NUMBERS, NUMBERS, st.integers(0, 255), st.booleans())
def test_any_route_survives_the_codec(address, interface, metric, table, protocol, onlink):
    """Decoding undoes encoding, without a kernel between."""
    text = address_text(address.packed)
    route = Route(f"{text}/{address.max_prefixlen}", interface, text, "", metric, table or 1, protocol, onlink=onlink)
    assert route == decode_route(add_route(route).body)


def test_only_ipv6_routes_are_reported_otherwise():
    """An IPv4 route is reported as it was sent; an IPv6 route has no scope and always a metric."""
    assert ROUTES[0] == ROUTES[0].reported()
    route = Route("2001:db8::1/128", 100, scope=253)
    assert replace(route, scope=0, metric=1024) == route.reported()
