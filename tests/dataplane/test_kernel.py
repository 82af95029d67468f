# SPDX-License-Identifier: Apache-2.0
"""The dataplane of the running kernel: routes, sysctls, and the repair of what others change."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.dataplane.language import endpoint, policy, snapshot, tier

from percale.calc.host_state import EndpointRemove, EndpointUpdate
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.kernel import KernelDataplane
from percale.dataplane.network import DropNeighbor, DropRoute
from percale.dataplane.tables import read_contents
from percale.netlink.nftables.connection import NftSocket
from percale.netlink.nftables.objects import Table
from percale.netlink.nftables.operations import Add, Batch, Delete, Flush
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Veth, add_veth, delete_link, set_link
from percale.netlink.rtnetlink.neighbors import Neighbor, replace_neighbor
from percale.netlink.rtnetlink.routes import Route, add_route, delete_route

pytestmark = pytest.mark.kernel

MAC = "02:00:00:00:00:01"
ONE = endpoint("1", "10.65.0.1/32", "fd65::1/128", mac=MAC)


@pytest.fixture
def host(netns):
    """A private host with a cable ``cali1`` whose other end is in a namespace of its own."""
    made = Cable(netns)
    yield made
    made.close()


class Cable:
    def __init__(self, netns):
        self.routes = RouteSocket()
        self.nftables = NftSocket()
        self._other = netns.other()
        self.connect()

    def connect(self):
        """Lay the cable and wait until its carrier is seen."""
        self.routes.perform(add_veth(Veth("cali1", "cali1p", up=True)))
        self.routes.perform(set_link(self.routes.link("cali1p").index, up=True, name="peer1"))
        while not self.routes.link("cali1").operational:
            time.sleep(0.01)

    @property
    def index(self):
        return self.routes.link("cali1").index

    def destinations(self):
        found = self.routes.routes(interface=self.index) + self.routes.routes(ipv6=True, interface=self.index)
        return sorted(route.destination for route in found if route.protocol != 2)

    def held(self):
        return read_contents(self.nftables, Table("inet", "percale"))

    def close(self):
        self.routes.close()
        self.nftables.close()


def _sysctl(path):
    return Path("/proc/sys/net", path).read_text().strip()


def test_routes_neighbors_and_sysctls(host):
    """The kernel's routes, neighbors and sysctls are those that the endpoint calls for."""
    with KernelDataplane() as dataplane:
        applied = dataplane.apply(snapshot(ONE))
        assert applied.ok, applied
        assert host.destinations() == ["10.65.0.1/32", "fd65::1/128"]
        permanent = [one for one in host.routes.neighbors(host.index) if one.state == "permanent"]
        assert [(one.address, one.mac) for one in permanent] == [("10.65.0.1", MAC)]
        assert _sysctl("ipv4/ip_forward") == "1"
        assert _sysctl("ipv4/conf/cali1/proxy_arp") == "1"
        assert _sysctl("ipv4/conf/cali1/route_localnet") == "1"
        assert _sysctl("ipv6/conf/cali1/accept_ra") == "0"
        assert _sysctl("ipv6/conf/cali1/proxy_ndp") == "1"
        assert not dataplane.resync().plan
        assert dataplane.apply([EndpointRemove(ONE.id)]).ok
        assert host.destinations() == []


def test_restart_adopts_routes(host):
    """A new dataplane finds its routes and neighbors and touches none of them."""
    with KernelDataplane() as first:
        first.apply(snapshot(ONE))
    with KernelDataplane() as again:
        assert not again.apply(snapshot(ONE)).plan


def test_links_that_come_and_go_are_attended_to(host):
    """The monitor tells of a link; its endpoint gets its routes and loses its status with it."""
    with KernelDataplane() as dataplane:
        dataplane.apply(snapshot(ONE))
        host.routes.perform(delete_link("cali1"))
        _attend_until(dataplane, lambda: dataplane.statuses() == {ONE.id: "down"})
        host.connect()
        _attend_until(dataplane, lambda: dataplane.statuses() == {ONE.id: "up"})
        assert host.destinations() == ["10.65.0.1/32", "fd65::1/128"]


def test_reports_that_are_overtaken_take_nothing_away(host):
    """What was reported of an interface before it was read does not cost it its routes for a moment."""
    with KernelDataplane() as dataplane:
        host.routes.perform(set_link(host.index, up=False))
        host.routes.perform(set_link(host.index, up=True))
        assert dataplane.apply(snapshot(ONE)).ok  # reads the interface as it is by now
        done = [operation for applied in dataplane.attend(1.0) for operation in applied.plan.network]
        assert not [operation for operation in done if isinstance(operation, DropRoute | DropNeighbor)]
        assert host.destinations() == ["10.65.0.1/32", "fd65::1/128"]


def test_a_flap_that_is_over_when_it_is_heard_of_is_repaired(host):
    """Down and up again before anybody looked: the kernel took the routes, and they are put back."""
    with KernelDataplane() as dataplane:
        dataplane.apply(snapshot(ONE))
        host.routes.perform(set_link(host.index, up=False))
        host.routes.perform(set_link(host.index, up=True))
        _attend_until(dataplane, lambda: host.destinations() == ["10.65.0.1/32", "fd65::1/128"])


def test_drift_of_rules_is_repaired_at_once(host):
    """A rule that somebody flushed is back as soon as the notification is attended to; our own changes cause none."""
    with KernelDataplane() as dataplane:
        dataplane.apply(snapshot(ONE))
        before = host.held()
        resyncs = _quiet(dataplane)
        host.nftables.commit(Batch(before.table, (Flush(before.chains["f_to"]), Flush(before.sets["from_wl"]))))
        assert host.held() != before
        _attend_until(dataplane, lambda: host.held() == before)
        assert _quiet(dataplane) == resyncs + 1


def test_another_table_is_none_of_our_business(host):
    """Changes of other tables cause no resync."""
    with KernelDataplane() as dataplane:
        dataplane.apply(snapshot(ONE))
        resyncs = _quiet(dataplane)
        other = Table("inet", "other")
        host.nftables.commit(Batch(other, (Add(other),)))
        host.nftables.commit(Batch(other, (Delete(other),)))
        assert _quiet(dataplane) == resyncs


def test_drift_of_routes_is_repaired_at_once(host):
    """A route that somebody deleted comes back."""
    with KernelDataplane() as dataplane:
        dataplane.apply(snapshot(ONE))
        _quiet(dataplane)
        host.routes.perform(delete_route(Route("10.65.0.1/32", host.index, metric=1024, scope=253)))
        _attend_until(dataplane, lambda: host.destinations() == ["10.65.0.1/32", "fd65::1/128"])


def test_uninstall_leaves_what_is_not_ours(host):
    """Uninstalling removes our tables, routes and neighbors; foreign routes and tables stay (invariant 10)."""
    other = Table("ip", "other")
    host.nftables.commit(Batch(other, (Add(other),)))
    with KernelDataplane() as dataplane:
        dataplane.apply(snapshot(ONE))
        host.routes.perform(add_route(Route("10.99.0.0/16", host.index, metric=7, scope=253, protocol=99)))
        host.routes.perform(replace_neighbor(Neighbor(host.index, "10.65.0.99", MAC, "reachable")))
        host.routes.perform(replace_neighbor(Neighbor(host.index, "fd65::99", MAC)))
        dataplane.uninstall()
        assert host.destinations() == ["10.99.0.0/16"]
        assert [one.address for one in host.routes.neighbors(host.index) if one.state == "permanent"] == ["fd65::99"]
        assert host.held() is None
        assert host.nftables.table("ip", "other") is not None


def test_a_failed_route_is_told_and_tried_again(host):
    """A route that the kernel refuses holds nothing else back, and the next resync tries it again."""
    with KernelDataplane(DataplaneConfig(route_metric=0)) as dataplane:
        dataplane.apply(snapshot())
        # The link goes down behind our back: its routes are refused.
        host.routes.perform(set_link(host.index, up=False))
        web = policy("web", ingress=[])
        applied = dataplane.apply(
            [*snapshot(web)[:-1], EndpointUpdate(endpoint("1", "10.65.0.1/32", tiers=[tier(web)]))]
        )
        assert applied.error is None
        assert len(applied.failures) == 1
        assert "10.65.0.1/32" in applied.failures[0]
        assert "tier default ingress" in str(host.held().chains)
        host.routes.perform(set_link(host.index, up=True))
        while not host.routes.link("cali1").operational:
            time.sleep(0.01)
        assert dataplane.resync().ok
        assert host.destinations() == ["10.65.0.1/32"]


def test_nft_reads_what_we_wrote(netns):
    """``nft`` lists our table, and loads its own listing again: no name of ours is a word of its grammar."""
    with KernelDataplane() as dataplane:
        dataplane.apply(snapshot(ONE))
        listing = netns.run("nft", "list", "table", "inet", "percale")
        dataplane.uninstall()
        netns.run("nft", "-f", "-", text=listing)
        assert netns.run("nft", "list", "table", "inet", "percale") == listing


def _attend_until(dataplane, holds, deadline_s=5.0):
    deadline = time.monotonic() + deadline_s
    while not holds() and time.monotonic() < deadline:
        dataplane.attend(0.05)
    assert holds()


def _quiet(dataplane):
    """Attend until nothing is reported any more; the number of resyncs so far."""
    while dataplane.attend(0.1):
        pass
    return dataplane.statistics().resyncs
