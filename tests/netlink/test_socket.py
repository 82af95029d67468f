# SPDX-License-Identifier: Apache-2.0
"""The netlink socket against the kernel: acknowledgements, errors, dumps, pipelines, lost notifications."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.netlink.nftables.batch_codec import GETCHAIN, generic_header, message_kind
from percale.netlink.nftables.connection import NftSocket
from percale.netlink.nftables.datatypes import IPV4_ADDR
from percale.netlink.nftables.objects import Chain, Set, Table
from percale.netlink.nftables.operations import Add, AddElements, Batch, Delete
from percale.netlink.rtnetlink import links
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Veth, add_veth, get_link, set_link
from percale.netlink.rtnetlink.routes import NEWROUTE, Route, add_route, replace_route
from percale.netlink.socket import (
    NETFILTER,
    NLM_F_REQUEST,
    ROUTE,
    Message,
    NetlinkError,
    NetlinkSocket,
    Request,
    pack_message,
    unpack_messages,
)

LOOPBACK = 1


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.binary(max_size=8).map(bytes))))
def test_messages_unpack_to_what_was_packed(items):
    """Kind, sequence number and body survive; the REQUEST flag is added."""
    padded = [(kind, sequence, body + bytes(-len(body) % 4)) for kind, sequence, body in items]
    data = b"".join(pack_message(kind, 0, sequence, body) for kind, sequence, body in padded)
    expected = [Message(kind, NLM_F_REQUEST, sequence, 0, body) for kind, sequence, body in padded]
    assert expected == list(unpack_messages(data))


@given(st.binary(max_size=64))
def test_any_datagram_unpacks_without_error(noise):
    """A torn message ends the datagram."""
    assert isinstance(list(unpack_messages(noise)), list)


@pytest.mark.kernel
def test_a_refusal_carries_number_and_explanation(netns):
    """The kernel's extended acknowledgement becomes part of the error."""
    with NetlinkSocket(ROUTE) as socket, pytest.raises(NetlinkError) as caught:
        socket.request(*add_route(Route("192.0.2.1/32", 4711, scope=253)), context="adding a route")
    assert caught.value.errno == errno.ENODEV
    assert caught.value.is_not_found
    assert str(caught.value).startswith("adding a route: No such device")

    with RouteSocket() as routes, pytest.raises(NetlinkError) as caught:
        routes.perform(add_route(Route("192.0.2.0/24", LOOPBACK, gateway="198.51.100.1")))
    assert caught.value.explanation == "Nexthop has invalid gateway"


@pytest.mark.kernel
def test_existing_is_told_from_missing(netns):
    """The two predicates name the two everyday refusals."""
    with RouteSocket() as socket:
        socket.perform(add_veth(Veth("v0", "v1")))
        with pytest.raises(NetlinkError) as caught:
            socket.perform(add_veth(Veth("v0", "v2")))
        assert (caught.value.already_exists, caught.value.is_not_found) == (True, False)
        with pytest.raises(NetlinkError) as caught:
            socket.perform(links.delete_link("v9"))
        assert (caught.value.already_exists, caught.value.is_not_found) == (False, True)


@pytest.mark.kernel
def test_an_error_is_an_oserror(netns):
    """Who knows nothing of netlink may catch OSError."""
    with NetlinkSocket(ROUTE) as socket, pytest.raises(OSError) as caught:
        socket.query(*get_link("missing"))
    assert caught.value.errno == errno.ENODEV


@pytest.mark.kernel
def test_a_pipeline_carries_on_after_a_refusal(netns):
    """Each request of a pipeline stands alone; the refused ones are told by position."""
    routes = [Route(f"192.0.2.{number}/32", 4711 if number % 7 == 0 else LOOPBACK, scope=253) for number in range(256)]
    with RouteSocket() as socket:
        socket.perform(set_link(LOOPBACK, up=True))
        refused = socket.perform_all([add_route(route) for route in routes])
        assert [number for number in range(256) if number % 7 == 0] == sorted(refused)
        assert {error.errno for error in refused.values()} == {errno.ENODEV}
        assert all(error.index == position for position, error in refused.items())
        assert len(routes) - len(refused) == len(socket.routes(interface=LOOPBACK))


@pytest.mark.kernel
@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 600])
def test_pipelines_of_any_length_are_done_to_the_end(netns, length):
    """Lengths around the size of one system call lose nothing, even if everything is refused."""
    with RouteSocket() as socket:
        refused = socket.perform_all([links.delete_link("missing")] * length)
        assert list(range(length)) == sorted(refused)
        assert socket.statistics().messages_sent == length


@pytest.mark.kernel
def test_statistics_count_messages(netns):
    """A request and a dump are one message each."""
    with RouteSocket() as socket:
        assert socket.statistics().messages_sent == 0
        socket.perform(set_link(LOOPBACK, up=True))
        assert len(socket.links()) == 1
        statistics = socket.statistics()
        assert (statistics.messages_sent, statistics.dumps, statistics.dumps_interrupted) == (2, 1, 0)
        assert statistics.messages_received > 1


class Disturbed(NetlinkSocket):
    """A socket during whose first dumps something else changes the tables, after the first datagram is in."""

    def __init__(self, disturb, times):
        super().__init__(NETFILTER)
        self._disturb, self._times, self._datagrams = disturb, times, 0

    def _receive(self, flags):
        data = super()._receive(flags)
        self._datagrams += 1
        if self._datagrams == 1 and self._times:
            self._times -= 1
            self._disturb()
        return data

    def _dump_once(self, kind, body, context):
        self._datagrams = 0
        return super()._dump_once(kind, body, context)


def many_chains(socket):
    table = Table("inet", "many")
    chains = tuple(Add(Chain(f"chain{number:04}_{'x' * 60}")) for number in range(2000))
    socket.commit(Batch(table, (Add(table), *chains)))


def change_of_another_table(socket):
    other = Table("inet", "other")
    return lambda: socket.commit(Batch(other, (Add(other), Delete(other))))


@pytest.mark.kernel
@pytest.mark.parametrize("times", [0, 1, 3])
def test_an_interrupted_dump_is_begun_again(netns, times):
    """A dump into which a change falls (NLM_F_DUMP_INTR) is repeated until it is whole."""
    with NftSocket() as other:
        disturb = change_of_another_table(other)
        many_chains(other)

        with Disturbed(disturb, times) as socket:
            messages = socket.dump(message_kind(GETCHAIN), generic_header(1))
            assert len(messages) == 2000
            assert socket.statistics().dumps_interrupted == times
            assert socket.statistics().dumps == times + 1


@pytest.mark.kernel
def test_a_dump_that_never_comes_to_rest_is_given_up(netns):
    """After several interrupted attempts the error is EINTR."""
    with NftSocket() as other:
        disturb = change_of_another_table(other)
        many_chains(other)

        with Disturbed(disturb, 10**6) as socket, pytest.raises(NetlinkError) as caught:
            socket.dump(message_kind(GETCHAIN), generic_header(1))
    assert caught.value.errno == errno.EINTR


def drain(listener):
    while listener.receive(0):
        pass


@pytest.mark.kernel
def test_lost_notifications_are_told_once(netns):
    """A full receive buffer is ENOBUFS and counted; afterwards the socket goes on receiving."""
    with NetlinkSocket(ROUTE, (7,), receive_buffer=4096) as listener, RouteSocket() as socket:
        socket.perform(set_link(LOOPBACK, up=True))
        routes = [Route(f"198.51.100.{number}/32", LOOPBACK, scope=253) for number in range(200)]
        assert socket.perform_all([replace_route(route) for route in routes]) == {}
        with pytest.raises(NetlinkError) as caught:
            drain(listener)
        assert caught.value.errno == errno.ENOBUFS
        drain(listener)
        assert listener.statistics().overruns == 1
        socket.perform(replace_route(Route("203.0.113.1/32", LOOPBACK, scope=253)))
        assert [message.kind for message in listener.receive(5)] == [NEWROUTE]


@pytest.mark.kernel
def test_receive_comes_back_after_its_time(netns):
    """Without a notification the timeout ends the wait, with nothing."""
    with NetlinkSocket(ROUTE, (1,)) as listener:
        assert listener.receive(0) == []
        assert listener.receive(0.01) == []


@pytest.mark.kernel
def test_a_message_too_long_for_the_buffer_says_what_to_do(netns):
    """Without the privilege to raise the send buffer a long batch is EMSGSIZE with advice; short ones work."""
    program = """
import errno
from percale.netlink.nftables.connection import NftSocket
from percale.netlink.nftables.datatypes import IPV4_ADDR
from percale.netlink.nftables.objects import Set, Table
from percale.netlink.nftables.operations import Add, AddElements, Batch
from percale.netlink.socket import NetlinkError
table, item = Table("inet", "t"), Set("s", (IPV4_ADDR,))
room = 2 * int(open("/proc/sys/net/core/wmem_max").read())
keys = [number.to_bytes(4, "big") for number in range(1000)]
with NftSocket() as socket:
    try:
        socket.commit(Batch(table, (Add(table), Add(item), AddElements(item, [bytes(4)] * (room // 16)))))
    except NetlinkError as error:
        print(errno.errorcode[error.errno], error)
    socket.commit(Batch(table, (Add(table), Add(item), AddElements(item, keys))))
    print(len(socket.keys(table, item)))
"""
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", program]
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if "unshare failed" in done.stderr:
        pytest.skip("user namespaces are not permitted here")
    first, second = done.stdout.splitlines()
    assert first.startswith("EMSGSIZE")
    assert "net.core.wmem_max" in first
    assert second == "1000"


@pytest.mark.kernel
def test_a_long_batch_goes_out_whole(netns):
    """With the privilege, megabytes go out in one message to the kernel."""
    table, item = Table("inet", "t"), Set("s", (IPV4_ADDR,))
    keys = [number.to_bytes(4, "big") for number in range(60000)]
    with NftSocket() as socket:
        socket.commit(Batch(table, (Add(table), Add(item), AddElements(item, keys))))
        assert socket.statistics().bytes_sent > 60000 * 16
        assert keys == sorted(socket.keys(table, item))


@pytest.mark.kernel
def test_closing_twice_is_fine(netns):
    """A closed socket may be closed again."""
    socket = NetlinkSocket(ROUTE)
    socket.close()
    socket.close()
    with pytest.raises(NetlinkError) as caught:
        socket.request(*Request(links.GETLINK, 0, b""))
    assert caught.value.errno == errno.EBADF
