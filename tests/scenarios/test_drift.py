# SPDX-License-Identifier: Apache-2.0
"""A restart touches nothing that is right, and what others damage is repaired (spec/dataplane.md section 5.4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.scenarios.acceptance import POLICY
from tests.scenarios.language import address, allow, both, passing, policy

from percale.dataplane.tables import read_contents
from percale.lab.site import Site
from percale.netlink.nftables.connection import Monitor, NftSocket
from percale.netlink.nftables.objects import Table
from percale.netlink.rtnetlink.connection import RouteMonitor, RouteSocket

pytestmark = pytest.mark.kernel

FLOWS = ("client → server tcp 8080", "other → server tcp 8080")
DAMAGES = {
    "element": 'delete element inet percale to_wl { "caliserver" . new }',
    "rules": "flush chain inet percale f_to",
    "chain": "flush chain inet percale host_in2; delete chain inet percale host_in2",
    "set": "flush set inet percale src4",
    "table": "delete table inet percale",
    "stranger's rule": "insert rule inet percale f_from accept",
    "arp table": "delete table arp percale",
}
ROUTES = ("route delete", "-6 route delete", "neighbor delete")


def held(site: Site) -> dict[str, Any]:
    """What our tables hold, comparable across the kernel's handles."""

    def read() -> dict[str, Any]:
        with NftSocket() as socket:
            found = {family: read_contents(socket, Table(family, "percale")) for family in ("inet", "arp")}
        return {
            family: contents
            and (
                contents.chains,
                {name: [rule.expressions for rule in rules] for name, rules in contents.rules.items()},
                set(contents.sets),
                contents.elements,
            )
            for family, contents in found.items()
        }

    return site.world.host.within(read)


def routed(site: Site) -> tuple[set[Any], set[Any]]:
    """The routes of workloads' interfaces and their permanent neighbors."""

    def read() -> tuple[set[Any], set[Any]]:
        with RouteSocket() as socket:
            indexes = {link.index for link in socket.links() if link.name.startswith("cali")}
            routes = [one for ipv6 in (False, True) for one in socket.routes(ipv6=ipv6) if one.interface in indexes]
            neighbors = [one for one in socket.neighbors() if one.interface in indexes and one.state == "permanent"]
        return set(routes), set(neighbors)

    return site.world.host.within(read)


def damage(site: Site, *command: str) -> None:
    done = site.world.host.run(command)
    assert done.returncode == 0, done.stderr


def milliseconds_until(holds: Callable[[], bool], limit_s: float = 10.0) -> float:
    """How long it takes until something holds; fails the test if it does not."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + limit_s, "it was not repaired"
        time.sleep(0.001)
    return 1000 * (time.monotonic() - began)


@pytest.mark.parametrize("suddenly", [False, True])
def test_a_restart_with_nothing_changed_touches_nothing(shop, suddenly):
    """The agent sends no nftables message, and nobody hears of any rule, link, address, route or neighbor changed."""
    before = held(shop), routed(shop)
    shop.stop_agent(suddenly=suddenly)
    rules = shop.world.host.within(Monitor)
    network = shop.world.host.within(lambda: RouteMonitor(("link", "address", "route", "neighbor")))
    with rules, network:
        shop.start_agent()
        shop.programmed()
        time.sleep(0.2)
        assert rules.receive(0) == []
        # What the kernel does by itself (neighbors growing stale) bears no port.
        assert [event for event in network.receive(0) if event.port_id] == []
    assert (held(shop), routed(shop)) == before


def test_a_restart_with_one_policy_changed_touches_little_else(shop):
    """After a start with one policy changed meanwhile, base chains and other endpoints' elements were not touched."""
    chains, rules, _, elements = held(shop)["inet"]
    shop.stop_agent()
    stored = shop.client.apply(policy("server", "role == 'server'", allow("TCP", 8081)))
    shop.start_agent()
    shop.programmed(int(stored.metadata.resource_version))
    _, new_rules, _, new_elements = held(shop)["inet"]
    assert [name for name, chain in chains.items() if chain.is_base and rules[name] != new_rules[name]] == []
    assert elements["from_wl"] == new_elements["from_wl"]
    assert passing(shop, FLOWS) == set()
    shop.command("apply", "-f", "-", text=POLICY)
    shop.programmed(shop.revision)
    assert passing(shop, FLOWS) == both(FLOWS[0])


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_while_the_agent_is_down_is_repaired_at_its_start(shop, name):
    """After a start our tables are what they were."""
    before = held(shop)
    shop.stop_agent(suddenly=True)
    damage(shop, "nft", DAMAGES[name])
    assert held(shop) != before
    shop.start_agent()
    shop.programmed()
    assert held(shop) == before
    assert passing(shop, FLOWS) == both(FLOWS[0])


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_while_the_agent_runs_is_repaired_at_once(shop, name):
    """The agent hears of the damage and repairs it long before its next full reading; how soon is printed."""
    before = held(shop)
    damage(shop, "nft", DAMAGES[name])
    print(f"{name}: repaired after {milliseconds_until(lambda: held(shop) == before):.1f} ms")
    assert passing(shop, FLOWS) == both(FLOWS[0])


@pytest.mark.parametrize("command", ROUTES)
@pytest.mark.parametrize("running", [True, False])
def test_a_lost_route_or_neighbor_comes_back(shop, command, running):
    """What others delete of a workload's routes and neighbors is back at once, or at the agent's next start."""
    before = routed(shop)
    if not running:
        shop.stop_agent()
    target = address(shop, "server", 6 if "-6" in command else 4)
    damage(shop, "ip", *command.split(), target, "dev", "caliserver")
    if running:
        print(f"{command}: repaired after {milliseconds_until(lambda: routed(shop) == before):.1f} ms")
    else:
        assert routed(shop) != before
        shop.start_agent()
        milliseconds_until(lambda: routed(shop) == before)
