# SPDX-License-Identifier: Apache-2.0
"""Tracked connections: those of an address are forgotten, no others."""

from __future__ import annotations

import socket as sockets

import pytest

from percale.netlink.conntrack import ConntrackSocket, TrackedConnection
from percale.netlink.nftables.connection import NftSocket
from percale.netlink.nftables.expressions import ACCEPT, Bitwise, Cmp, Ct
from percale.netlink.nftables.objects import Chain, Rule, Table
from percale.netlink.nftables.operations import Add, Batch
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import set_link

pytestmark = pytest.mark.kernel


@pytest.fixture
def tracked(netns):
    """Connections of three hosts, one of them translated, one of IPv6."""
    for host in (1, 2, 3):
        for port in (53, 54):
            insert(netns, f"10.0.0.{host}", "10.0.1.1", "udp", port)
    insert(netns, "10.9.0.1", "10.9.0.9", "udp", 80, "--dst-nat", "10.0.0.1")
    insert(netns, "2001:db8::1", "2001:db8::2", "udp", 53)
    with ConntrackSocket() as socket:
        yield socket


def insert(netns, source, destination, protocol, port, *more):
    command = ["conntrack", "-I", "-s", source, "-d", destination, "-p", protocol, "--sport", "1000"]
    netns.run(*command, "--dport", str(port), "--timeout", "100", *more)


def sources(socket, **family):
    return sorted(connection.source for connection in socket.connections(**family))


def test_connections_are_listed_with_their_ends(tracked):
    """Protocol, addresses, ports and the ends of the answers."""
    translated = TrackedConnection(17, "10.9.0.1", "10.9.0.9", 1000, 80, "10.0.0.1", "10.9.0.1")
    assert translated in tracked.connections()
    plain = TrackedConnection(17, "2001:db8::1", "2001:db8::2", 1000, 53, "2001:db8::2", "2001:db8::1")
    assert [plain] == tracked.connections(ipv6=True)


def test_the_count_is_of_all_families(tracked):
    """Six, one translated, one of IPv6."""
    assert tracked.count() == 8


def test_an_address_is_forgotten_as_source_and_as_reply_source(tracked):
    """Its own connections and those that were translated to it go; the rest stays; a second time there is nothing."""
    assert tracked.forget(["10.0.0.1"]) == 3
    assert sources(tracked) == ["10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.3"]
    assert tracked.forget(["10.0.0.1"]) == 0


def test_a_destination_is_not_a_reason_to_forget(tracked, netns):
    """An address that only answers under another's name keeps its connections."""
    assert tracked.forget(["10.9.0.9"]) == 0
    assert tracked.count() == 8


def test_the_answering_side_is_a_reason_to_forget(tracked):
    """Without translation the destination is the reply source."""
    assert tracked.forget(["10.0.1.1"]) == 6
    assert sources(tracked) == ["10.9.0.1"]


def test_several_addresses_of_both_families(tracked):
    """One call may name many; absent ones do no harm."""
    assert tracked.forget(["10.0.0.2", "10.0.0.3", "192.0.2.1", "2001:db8::1"]) == 5
    assert sources(tracked) == ["10.0.0.1", "10.0.0.1", "10.9.0.1"]
    assert tracked.connections(ipv6=True) == []


def test_forgetting_nothing_forgets_nothing(tracked):
    """No address is not all addresses, and sends nothing."""
    before = tracked.statistics().messages_sent
    assert tracked.forget([]) == 0
    assert before == tracked.statistics().messages_sent
    assert tracked.count() == 8


def test_what_is_no_address_is_refused(tracked):
    """A mistake is a ValueError before anything is forgotten."""
    with pytest.raises(ValueError, match="not an IP address"):
        tracked.forget(["10.0.0.1", "host1"])
    assert tracked.count() == 8


def test_a_connection_that_packets_made(netns):
    """A real connection over the loopback is seen, with its answers, and forgotten."""
    table, chain = Table("inet", "t"), Chain("c", "filter", "output")
    established = Rule("c", (Ct("state"), Bitwise(b"\2\0\0\0", bytes(4)), Cmp("neq", bytes(4)), ACCEPT))
    with RouteSocket() as routes, NftSocket() as nft, ConntrackSocket() as tracker:
        routes.perform(set_link(1, up=True))
        nft.commit(Batch(table, (Add(table), Add(chain), Add(established))))
        with sockets.create_server(("127.0.0.1", 0)) as server, sockets.create_connection(server.getsockname()):
            port = server.getsockname()[1]
            (connection,) = tracker.connections()
            assert (connection.protocol, connection.destination_port) == (6, port)
            assert tracker.forget(["127.0.0.1"]) == 1
            assert tracker.connections() == []
