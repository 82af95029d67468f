# SPDX-License-Identifier: Apache-2.0
"""Links: made, changed, moved, deleted; read back by us and by others."""

from __future__ import annotations

import json
import time

import pytest

from percale.netlink import namespace
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Veth, add_link, add_veth, delete_link, set_link
from percale.netlink.socket import NetlinkError

pytestmark = pytest.mark.kernel


def far_link(descriptor, name="eth0"):
    def look():
        with RouteSocket() as socket:
            return socket.link(name)

    return namespace.in_namespace(descriptor, look)


def test_a_veth_pair_is_made_as_asked(netns, socket):
    """Names, index, MACs, MTU and the peer's namespace, in one request."""
    far = netns.other()
    veth = Veth("cali1", "eth0", 77, "ee:ee:ee:ee:ee:ee", 1400, peer_mac="02:00:00:00:00:01", peer_namespace=far)
    socket.perform(add_veth(veth))
    near, peer = socket.link("cali1"), far_link(far)
    assert (near.index, near.name, near.kind, near.mac, near.mtu) == (77, "cali1", "veth", "ee:ee:ee:ee:ee:ee", 1400)
    assert (peer.name, peer.mac, peer.mtu, near.peer) == ("eth0", "02:00:00:00:00:01", 1400, peer.index)
    assert (near.up, peer.up, near.peer_namespace) == (False, False, 0)
    assert socket.link("eth0") is None


def test_a_pair_within_one_namespace(socket):
    """Without a peer's namespace both ends are here, and the index of the peer may be chosen too."""
    socket.perform(add_veth(Veth("a", "b", 50, peer_index=60)))
    near, peer = socket.link("a"), socket.link(60)
    assert (peer.name, near.peer, peer.peer, near.peer_namespace) == ("b", 60, 50, None)


def test_the_number_of_queues(netns, socket):
    """One queue each way unless asked otherwise, as ``ip`` sees it."""
    socket.perform(add_veth(Veth("a", "b")))
    socket.perform(add_veth(Veth("c", "d", queues=3)))
    shown = {link["ifname"]: link for link in json.loads(netns.run("ip", "-d", "-j", "link"))}
    queues = [(shown[name]["num_tx_queues"], shown[name]["num_rx_queues"]) for name in "abcd"]
    assert queues == [(1, 1), (1, 1), (3, 3), (3, 3)]


def test_a_link_is_operational_once_both_ends_are_up(netns, socket):
    """Up is what was asked for; running needs the other end."""
    far = netns.other()
    socket.perform(add_veth(Veth("cali1", "eth0", 100, peer_namespace=far, up=True)))
    link = socket.link(100)
    assert (link.up, link.operational) == (True, False)
    peer = far_link(far).index

    def bring_up():
        with RouteSocket() as inside:
            inside.perform(set_link(peer, up=True))

    namespace.in_namespace(far, bring_up)
    deadline = time.monotonic() + 10  # the kernel works the state out in the background
    while not socket.link(100).operational and time.monotonic() < deadline:
        time.sleep(0.01)
    link = socket.link(100)
    assert (link.operational, link.state) == (True, "up")


def test_a_link_is_changed(socket):
    """Name, MAC, MTU, alias and state change, and only what is given."""
    socket.perform(add_veth(Veth("a", "b", 50)))
    socket.perform(set_link(50, mac="02:00:00:00:00:07", mtu=1300))
    socket.perform(set_link(50, name="z", alias="a workload"))
    socket.perform(set_link(50, up=True))
    link = socket.link(50)
    changed = (link.name, link.mac, link.mtu, link.alias, link.up)
    assert changed == ("z", "02:00:00:00:00:07", 1300, "a workload", True)
    socket.perform(set_link(50, up=False))
    assert not socket.link("z").up


def test_a_link_is_moved(netns, socket):
    """With a namespace's descriptor the link goes there."""
    far = netns.other()
    socket.perform(add_veth(Veth("a", "b", 50)))
    socket.perform(set_link(50, namespace=far))
    assert socket.link(50) is None
    assert far_link(far, "a").kind == "veth"


def test_a_link_joins_a_master(socket):
    """A port has the index of its bridge, and may leave it."""
    socket.perform(add_link("br0", "bridge", mac="02:00:00:00:00:09", mtu=1450, up=True))
    socket.perform(add_veth(Veth("a", "b", 50)))
    bridge = socket.link("br0")
    assert (bridge.kind, bridge.mac, bridge.mtu, bridge.up) == ("bridge", "02:00:00:00:00:09", 1450, True)
    socket.perform(set_link(50, master=bridge.index))
    assert socket.link(50).master == bridge.index
    socket.perform(set_link(50, master=0))
    assert socket.link(50).master == 0


@pytest.mark.parametrize("which", ["a", 50])
def test_deleting_one_end_takes_both(socket, which):
    """By name or index; a second time it is not found."""
    socket.perform(add_veth(Veth("a", "b", 50)))
    socket.perform(delete_link(which))
    assert [link.name for link in socket.links()] == ["lo"]
    with pytest.raises(NetlinkError) as caught:
        socket.perform(delete_link(which))
    assert caught.value.is_not_found


def test_absent_links_are_none(socket):
    """Asking for a link that is not there is no error."""
    assert socket.link("missing") is None
    assert socket.link(4711) is None


@pytest.mark.parametrize(("name", "fits"), [("c" * 15, True), ("c" * 16, False), ("", False)])
def test_names_have_1_to_15_bytes(socket, name, fits):
    """Longer and empty names are refused before they are sent."""
    if fits:
        socket.perform(add_veth(Veth(name, "b")))
        assert socket.link(name).name == name
    else:
        with pytest.raises(ValueError, match="1 to 15 bytes"):
            add_veth(Veth(name, "b"))


def test_others_see_the_same_links(netns, socket):
    """``ip`` and pyroute2 agree with us about every link."""
    from pyroute2 import IPRoute

    socket.perform(add_veth(Veth("a", "b", 50, "02:00:00:00:00:01", 1234, up=True)))
    ours = {(link.index, link.name, link.mac, link.mtu, link.up) for link in socket.links()}
    shown = json.loads(netns.run("ip", "-j", "link"))
    assert ours == {
        (link["ifindex"], link["ifname"], link["address"], link["mtu"], "UP" in link["flags"]) for link in shown
    }
    with IPRoute() as witness:
        assert ours == {
            (link["index"], link.get_attr("IFLA_IFNAME"), link.get_attr("IFLA_ADDRESS"), link.get_attr("IFLA_MTU"),
             bool(link["flags"] & 1))
            for link in witness.get_links()
        }  # fmt: skip
