# SPDX-License-Identifier: Apache-2.0
"""Notifications of rtnetlink, decoded to the values that the dumps give."""

from __future__ import annotations

import pytest

from percale.netlink.rtnetlink.addresses import Address, add_address, delete_address
from percale.netlink.rtnetlink.connection import Event, RouteMonitor
from percale.netlink.rtnetlink.links import Link, Veth, add_veth, delete_link
from percale.netlink.rtnetlink.neighbors import Neighbor, delete_neighbor, replace_neighbor
from percale.netlink.rtnetlink.routes import Route, add_route, delete_route

pytestmark = pytest.mark.kernel


def drain(monitor):
    events = []
    while more := monitor.receive(0):
        events += more
    return events


@pytest.mark.parametrize(
    ("kind", "item", "add", "delete"),
    [
        ("route", Route("10.65.0.1/32", 100, scope=253), add_route, delete_route),
        ("route", Route("2001:db8::1/128", 100, metric=1024), add_route, delete_route),
        ("address", Address(100, "192.0.2.1/24", no_prefix_route=True), add_address, delete_address),
        ("neighbor", Neighbor(100, "10.65.0.1", "02:00:00:00:00:01"), replace_neighbor, delete_neighbor),
    ],
)
def test_a_change_is_told_with_its_value(wire, kind, item, add, delete):
    """What was added is told as the equal value, and again when it goes."""
    with RouteMonitor([kind]) as monitor:
        wire.socket.perform(add(item))
        assert [("new", item)] == [(event.verb, event.item) for event in drain(monitor)]
        wire.socket.perform(delete(item))
        last = drain(monitor)[-1]
    assert last.verb == "delete"
    assert type(last.item) is type(item)


def test_our_own_route_is_told_by_its_port(netns, wire):
    """The event names the port of the socket that changed the route; ``ip`` has another."""
    with RouteMonitor(["route"]) as monitor:
        wire.socket.perform(add_route(Route("10.65.0.1/32", 100, scope=253)))
        netns.run("ip", "route", "add", "10.65.0.2/32", "dev", "cali1")
        ours, theirs = drain(monitor)
    assert ours.port_id == wire.socket.port_id != theirs.port_id


def test_links_come_and_go(socket):
    """A new link is told as it is, and its end too."""
    with RouteMonitor(["link"]) as monitor:
        socket.perform(add_veth(Veth("a", "b", 50)))
        link = socket.link(50)
        events = drain(monitor)
        assert {event.item.name for event in events if event.verb == "new"} == {"a", "b"}
        socket.perform(delete_link(50))
        gone = [event for event in drain(monitor) if event.verb == "delete"]
    assert isinstance(link, Link)
    assert {event.item.name for event in gone} == {"a", "b"}


def test_only_the_kinds_asked_for_are_told(wire):
    """A monitor of links hears nothing of routes."""
    with RouteMonitor(["link"]) as monitor:
        wire.socket.perform(add_route(Route("10.65.0.1/32", 100, scope=253)))
        assert drain(monitor) == []


def test_a_port_that_joins_a_bridge_is_one_link(socket):
    """The bridge's own message about its port is not taken for a link."""
    from percale.netlink.rtnetlink.links import add_link, set_link

    socket.perform(add_link("br0", "bridge"))
    socket.perform(add_veth(Veth("a", "b", 50)))
    with RouteMonitor(["link"]) as monitor:
        socket.perform(set_link(50, master=socket.link("br0").index))
        events = drain(monitor)
    assert all(isinstance(event, Event) and isinstance(event.item, Link) and event.item.name for event in events)
    assert all(event.item.kind for event in events)
