# SPDX-License-Identifier: Apache-2.0
"""Routes, permanent neighbors, sysctls and forgotten connections (spec/dataplane.md sections 2.1 to 2.4 and 2.8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.dataplane.language import endpoint, snapshot

from percale.calc.host_state import EndpointRemove, EndpointUpdate, InSync, Nat
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.network import DropNeighbor, DropRoute, ForgetConnections, PutNeighbor, PutRoute, SetSysctl
from percale.dataplane.twin import TwinDataplane
from percale.netlink.rtnetlink.routes import Route

MAC = "02:00:00:00:00:01"
ONE = endpoint("1", "10.65.0.1/32", "fd65::1/128", mac=MAC)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def twin(clock):
    return TwinDataplane(clock=clock)


def routes(twin):
    names = {link.index: link.name for link in twin.network.links()}
    return sorted((route.destination, names[route.interface]) for route in twin.network.routes())


def kinds(applied, *wanted):
    return [operation for operation in applied.plan.network if isinstance(operation, wanted)]


def test_routes_of_an_endpoint(twin):
    """An active endpoint gets a route per network and a permanent neighbor per IPv4 address."""
    link = twin.network.set_link("cali1")
    twin.apply(snapshot(ONE))
    four, six = sorted(twin.network.routes(), key=lambda route: route.is_ipv6)
    assert (four.destination, four.interface, four.metric, four.protocol, four.scope) == (
        "10.65.0.1/32", link.index, 1024, 3, 253,
    )  # fmt: skip
    assert (six.destination, six.metric, six.protocol) == ("fd65::1/128", 1024, 3)
    (neighbor,) = twin.network.neighbors()
    assert (neighbor.address, neighbor.mac, neighbor.state) == ("10.65.0.1", MAC, "permanent")


def test_no_mac_no_neighbor(twin):
    """Without a MAC there is no neighbor entry."""
    twin.network.set_link("cali1")
    twin.apply(snapshot(endpoint("1", "10.65.0.1/32")))
    assert twin.network.neighbors() == []


def test_routes_wait_for_the_link(twin):
    """Routes are withheld while the interface is absent or down, and come with it; again after each flap."""
    applied = twin.apply(snapshot(ONE))
    assert applied.ok
    assert not kinds(applied, PutRoute, PutNeighbor)
    assert twin.statuses() == {ONE.id: "down"}
    assert not twin.interface_changed(twin.network.set_link("cali1", up=False)).plan
    twin.interface_changed(twin.network.set_link("cali1"))
    assert routes(twin) == [("10.65.0.1/32", "cali1"), ("fd65::1/128", "cali1")]
    assert twin.statuses() == {ONE.id: "up"}
    twin.interface_changed(twin.network.set_link("cali1", up=False))
    assert routes(twin) == []
    twin.interface_changed(twin.network.set_link("cali1"))
    assert len(routes(twin)) == 2
    assert len(twin.network.neighbors()) == 1
    twin.network.remove_link("cali1")
    assert twin.interface_gone("cali1").ok
    assert twin.statuses() == {ONE.id: "down"}


def test_a_lost_carrier_costs_no_routes(twin):
    """An interface that is up keeps what it has: its carrier comes late at first, and after a pause of the workload."""
    link = twin.network.set_link("cali1")
    twin.apply(snapshot(ONE))
    done = twin.interface_changed(replace(link, running=False, state="lowerlayerdown"))
    assert not kinds(done, DropRoute, DropNeighbor)
    assert len(routes(twin)) == 2
    assert twin.statuses() == {ONE.id: "down"}


def test_a_flap_seen_at_once_is_repaired(twin):
    """A link that went down and up before we were told has lost its routes all the same."""
    twin.network.set_link("cali1")
    twin.apply(snapshot(ONE))
    down = twin.network.set_link("cali1", up=False)
    up = twin.network.set_link("cali1")
    twin.interface_changed(down)
    twin.interface_changed(up)
    assert len(routes(twin)) == 2


def test_a_link_made_anew_gets_new_routes(twin):
    """An interface of the same name and another index is another interface."""
    twin.network.set_link("cali1")
    twin.apply(snapshot(ONE))
    twin.network.remove_link("cali1")
    twin.interface_changed(twin.network.set_link("cali1"))
    assert len(routes(twin)) == 2


def test_inactive_endpoints_have_no_routes(twin):
    """An endpoint that is administratively down has no routes."""
    twin.network.set_link("cali1")
    twin.apply(snapshot(endpoint("1", "10.65.0.1/32", active=False)))
    assert routes(twin) == []
    assert set(twin.statuses().values()) == {"down"}


def test_sysctls_when_a_link_comes_up(twin):
    """An interface is prepared when it is up, and prepared once."""
    twin.network.sysctls["net/ipv4/conf/default/rp_filter"] = "2"
    twin.network.set_link("cali1")
    applied = twin.apply(snapshot(ONE))
    assert {
        operation.path.removeprefix("net/"): operation.value for operation in kinds(applied, SetSysctl)
    } == {
        "ipv4/ip_forward": "1",
        "ipv6/conf/all/forwarding": "1",
        "netfilter/nf_conntrack_acct": "1",
        "ipv6/conf/cali1/accept_ra": "0",
        "ipv4/conf/cali1/route_localnet": "1",
        "ipv4/neigh/cali1/proxy_delay": "0",
        "ipv4/conf/cali1/proxy_arp": "1",
        "ipv4/conf/cali1/forwarding": "1",
        "ipv4/conf/cali1/rp_filter": "2",
        "ipv6/conf/cali1/proxy_ndp": "1",
        "ipv6/conf/cali1/forwarding": "1",
    }  # fmt: skip
    assert not twin.interface_changed(twin.network.set_link("cali1")).plan


def test_spoofing_endpoints_are_not_filtered_by_the_kernel(twin):
    """rp_filter is off where a workload may use foreign sources."""
    twin.network.set_link("cali1")
    twin.apply(snapshot(endpoint("1", "10.65.0.1/32", allow_spoofed_source_prefixes=("10.9.0.0/16",))))
    assert twin.network.sysctls["net/ipv4/conf/cali1/rp_filter"] == "0"


def test_no_forwarding_if_not_wanted():
    """ip_forward is left alone if the configuration says so."""
    twin = TwinDataplane(DataplaneConfig(ip_forward=False))
    assert not [one for one in kinds(twin.apply([InSync()]), SetSysctl) if "forward" in one.path]


def test_connections_of_a_gone_address_are_forgotten_after_its_route(twin):
    """The order is: route away, connections forgotten (section 2.8)."""
    twin.network.set_link("cali1")
    twin.apply(snapshot(ONE))
    applied = twin.apply([EndpointRemove(ONE.id)])
    assert [type(operation) for operation in kinds(applied, DropRoute, ForgetConnections)] == [
        DropRoute, DropRoute, ForgetConnections,
    ]  # fmt: skip
    assert twin.network.forgotten == ["10.65.0.1", "fd65::1"]
    assert routes(twin) == []
    assert twin.network.neighbors() == []


def test_an_address_that_moves(twin):
    """An address that moves to another interface: old route, connections, new route; in this order."""
    for name in ("cali1", "cali2"):
        twin.network.set_link(name)
    twin.apply(snapshot(endpoint("1", "10.65.0.1/32")))
    applied = twin.apply([EndpointRemove(ONE.id), EndpointUpdate(endpoint("2", "10.65.0.1/32"))])
    assert [type(one) for one in kinds(applied, DropRoute, ForgetConnections, PutRoute)] == [
        DropRoute, ForgetConnections, PutRoute,
    ]  # fmt: skip
    assert routes(twin) == [("10.65.0.1/32", "cali2")]


def test_a_policy_update_forgets_nothing(twin):
    """Connections survive updates of an endpoint that keeps its addresses, and a flap of its link."""
    twin.network.set_link("cali1")
    twin.apply(snapshot(ONE))
    twin.apply([EndpointUpdate(endpoint("1", "10.65.0.1/32", "fd65::1/128", mac=MAC, profiles=()))])
    twin.interface_changed(twin.network.set_link("cali1", up=False))
    assert twin.network.forgotten == []


def test_two_endpoints_with_one_address(twin):
    """One of two interfaces has the route; the other takes over."""
    for name in ("cali1", "cali2"):
        twin.network.set_link(name)
    first, second = endpoint("1", "10.65.0.1/32"), endpoint("2", "10.65.0.1/32")
    twin.apply(snapshot(second, first))
    assert routes(twin) == [("10.65.0.1/32", "cali1")]
    twin.apply([EndpointRemove(first.id)])
    assert routes(twin) == [("10.65.0.1/32", "cali2")]


def test_unknown_routes_are_spared_for_a_while(twin, clock):
    """A route that a CNI plugin made before we heard of its endpoint has ten seconds to become known."""
    link = twin.network.set_link("cali9")
    twin.network.add_foreign(Route("10.65.0.9/32", link.index, metric=1024, scope=253))
    applied = twin.apply(snapshot())
    assert applied.retry_after_s == 10
    clock.now += 9.9
    assert not twin.resync().plan
    assert routes(twin) == [("10.65.0.9/32", "cali9")]
    clock.now += 0.2
    assert kinds(twin.resync(), DropRoute)
    assert routes(twin) == []


def test_an_unknown_route_that_becomes_known_stays(twin, clock):
    """The plugin's route is adopted when the endpoint is heard of."""
    link = twin.network.set_link("cali1")
    twin.network.add_foreign(Route("10.65.0.1/32", link.index, metric=1024, scope=253))
    twin.apply(snapshot())
    applied = twin.apply([EndpointUpdate(endpoint("1", "10.65.0.1/32"))])
    assert applied.ok
    clock.now += 20
    assert not kinds(twin.resync(), DropRoute)
    assert routes(twin) == [("10.65.0.1/32", "cali1")]


def test_routes_of_others_are_left_alone(twin, clock):
    """Routes on other interfaces are never touched, nor the kernel's own on ours."""
    eth0, cali = twin.network.set_link("eth0"), twin.network.set_link("cali1")
    twin.network.add_foreign(Route("10.9.0.0/16", eth0.index))
    twin.network.add_foreign(Route("fe80::/64", cali.index, protocol=2, metric=256))
    twin.apply(snapshot())
    clock.now += 20
    twin.resync()
    assert len(twin.network.routes()) == 2
    twin.uninstall()
    assert len(twin.network.routes()) == 2


def test_external_routes_may_stay(clock):
    """Without removeExternalRoutes only routes of our protocol are ours."""
    twin = TwinDataplane(DataplaneConfig(remove_external_routes=False), clock=clock)
    cali = twin.network.set_link("cali1")
    twin.network.add_foreign(Route("10.9.0.0/16", cali.index, protocol=12))
    twin.network.add_foreign(Route("10.8.0.0/16", cali.index, protocol=3))
    twin.apply(snapshot())
    clock.now += 20
    twin.resync()
    assert routes(twin) == [("10.9.0.0/16", "cali1")]


def test_floating_addresses_have_routes_and_translations():
    """A floating address leads to its workload; of two workloads that want one, the lower has it."""
    twin = TwinDataplane(DataplaneConfig(floating_ips=True))
    twin.network.set_link("cali1")
    one = endpoint("1", "10.65.0.1/32", nats=(Nat("10.65.0.1", "203.0.113.5"),))
    two = endpoint("2", "10.65.0.2/32", nats=(Nat("10.65.0.2", "203.0.113.5"),))
    twin.apply(snapshot(one, two))
    assert ("203.0.113.5/32", "cali1") in routes(twin)
    held = twin.nftables.contents("inet", "percale")
    assert [element.data for element in held.sets["fip_d4"]] == [bytes((10, 65, 0, 1))]
    twin.apply([EndpointRemove(one.id)])
    assert [element.data for element in twin.nftables.contents("inet", "percale").sets["fip_d4"]] == [
        bytes((10, 65, 0, 2))
    ]


def test_floating_addresses_are_for_those_who_ask(twin):
    """Floating addresses are off by default, and on for OpenStack."""
    nats = (Nat("10.65.0.1", "203.0.113.5"),)
    twin.network.set_link("cali1")
    twin.apply(snapshot(endpoint("1", "10.65.0.1/32", nats=nats)))
    assert len(routes(twin)) == 1
    sort_key = ("openstack", "openstack/1", "1")
    twin.apply([EndpointUpdate(endpoint("1", "10.65.0.1/32", nats=nats, sort_key=sort_key))])
    assert len(routes(twin)) == 2
