# SPDX-License-Identifier: Apache-2.0
"""Neighbors and forwarding entries."""

from __future__ import annotations

import json

import pytest

from percale.netlink.attributes import u32
from percale.netlink.rtnetlink.links import add_link
from percale.netlink.rtnetlink.neighbors import (
    ForwardingEntry,
    Neighbor,
    add_neighbor,
    delete_forwarding_entry,
    delete_neighbor,
    replace_forwarding_entry,
    replace_neighbor,
)
from percale.netlink.socket import NetlinkError

pytestmark = pytest.mark.kernel

NEIGHBORS = [
    Neighbor(100, "10.65.0.1", "02:00:00:00:00:01"),
    Neighbor(100, "2001:db8::1", "02:00:00:00:00:01"),
    Neighbor(100, "10.65.0.1", "02:00:00:00:00:01", "stale"),
    Neighbor(100, "10.65.0.1", proxy=True),
    Neighbor(100, "2001:db8::1", proxy=True),
]


@pytest.mark.parametrize("neighbor", NEIGHBORS, ids=lambda one: f"{one.state} {one.address} {one.proxy}")
def test_a_neighbor_reads_back_as_sent(wire, neighbor):
    """Both families, permanent, other and proxy; deleted it is gone and deleting it again is not found."""
    wire.socket.perform(replace_neighbor(neighbor))
    assert neighbor in wire.socket.neighbors(100, proxy=neighbor.proxy)
    wire.socket.perform(replace_neighbor(neighbor))
    wire.socket.perform(delete_neighbor(neighbor))
    assert not [
        one
        for one in wire.socket.neighbors(proxy=neighbor.proxy)
        if one.address == neighbor.address and one.state == neighbor.state
    ]


def test_adding_a_neighbor_twice_is_refused(wire):
    """``add`` of what is there is EEXIST, ``replace`` takes its place."""
    first, second = (Neighbor(100, "10.65.0.1", f"02:00:00:00:00:0{number}") for number in (1, 2))
    wire.socket.perform(add_neighbor(first))
    with pytest.raises(NetlinkError) as caught:
        wire.socket.perform(add_neighbor(second))
    assert caught.value.already_exists
    wire.socket.perform(replace_neighbor(second))
    assert [second] == [one for one in wire.socket.neighbors(100) if one.address == "10.65.0.1"]


def test_deleting_an_absent_neighbor_is_not_found(wire):
    """The error's predicate says so."""
    with pytest.raises(NetlinkError) as caught:
        wire.socket.perform(delete_neighbor(NEIGHBORS[0]))
    assert caught.value.is_not_found


def test_ip_shows_a_permanent_neighbor(netns, wire):
    """``ip neigh`` shows address, MAC and state."""
    wire.socket.perform(replace_neighbor(NEIGHBORS[0]))
    (shown,) = json.loads(netns.run("ip", "-4", "-j", "neigh", "show", "dev", "cali1"))
    assert (shown["dst"], shown["lladdr"], shown["state"]) == ("10.65.0.1", "02:00:00:00:00:01", ["PERMANENT"])


def test_forwarding_entries_of_a_vxlan_device(socket):
    """A MAC behind a remote host reads back, is replaced and deleted."""
    try:
        socket.perform(add_link("vx", "vxlan", u32(1, 4096), up=True))
    except NetlinkError as error:
        pytest.skip(f"this kernel makes no VXLAN device: {error}")
    index = socket.link("vx").index
    first, second = (ForwardingEntry(index, "66:00:00:00:00:01", f"192.0.2.{number}") for number in (1, 2))
    for entry in (first, second):
        socket.perform(replace_forwarding_entry(entry))
        assert [entry] == socket.forwarding_entries(index)
    socket.perform(delete_forwarding_entry(second))
    assert socket.forwarding_entries(index) == []
