# SPDX-License-Identifier: Apache-2.0
"""Neither the agent's death nor a rewritten policy is felt by traffic (spec/dataplane.md sections 5.4 and 5.6)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping

import pytest
from tests.scenarios.language import FAMILIES, allow, policy, stream

from percale.lab.site import Site
from percale.lab.streams import Count, Stream, Traffic
from percale.resources import NetworkPolicy, NetworkSet, NetworkSetSpec, ObjectMeta

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

SOAK = bool(os.environ.get("PERCALE_SOAK"))
RESTARTS, PACKETS = (100, 2_000_000) if SOAK else (10, 100_000)
REWRITES = 5_000 if SOAK else 200
SERVER = "role == 'server'"
FORMER, ALLOWED, CLIENTS_ONLY, CLOSED = 7001, 7002, 7003, 7004
"""Ports of the server: open only until a connection is there, open to all, open to the client, never open."""


@pytest.fixture
def open_shop(shop):
    """The acceptance scenario with ports that are open to all, to some, and to none."""
    shop.enforce(policy("ports", SERVER, allow("UDP", ALLOWED), allow("UDP", CLIENTS_ONLY, source="role == 'client'")))
    yield shop
    shop.withdraw(NetworkPolicy, "ports", "default")


def streams(site: Site, kind: str, source: str, port: int) -> list[Stream]:
    return [stream(site, kind, source, "server", port, version) for version in FAMILIES]


def running(site: Site, wanted: Iterable[Stream], **options: float) -> Traffic:
    """Traffic whose established connections no policy would allow any more: only their state lets them pass."""
    site.enforce(policy("former", SERVER, allow("UDP", FORMER)))
    traffic = Traffic(list(wanted), **options)
    site.withdraw(NetworkPolicy, "former", "default")
    return traffic


def report(title: str, groups: Mapping[str, Iterable[Count]]) -> None:
    print(f"\n{title}")
    for name, counts in groups.items():
        sent, arrived = sum(one.sent for one in counts), sum(len(one.arrived) for one in counts)
        print(f"  {name:<12} {sent:>8} packets sent, {sent - arrived:>8} of them did not arrive")


def test_sudden_deaths_lose_nothing_and_let_nothing_pass(open_shop, capsys):
    """Killed again and again under established, new and denied flows: no allowed packet is lost, none denied passes."""
    established = streams(open_shop, "established", "client", FORMER)
    new = streams(open_shop, "new", "client", ALLOWED)
    denied = streams(open_shop, "new", "other", CLIENTS_ONLY) + streams(open_shop, "new", "client", CLOSED)
    deaths = 0
    with running(open_shop, established + new + denied) as traffic:
        while deaths < RESTARTS or traffic.total_sent < PACKETS:
            open_shop.stop_agent(suddenly=True)
            traffic.await_sent(50)
            open_shop.start_agent()
            open_shop.programmed()
            deaths += 1
        counts = traffic.stop()
    groups = {
        "established": [counts[one] for one in established],
        "new": [counts[one] for one in new],
        "denied": [counts[one] for one in denied],
    }
    with capsys.disabled():
        report(f"{deaths} sudden deaths of the agent", groups)
    assert sum(one.overflows for one in counts.values()) == 0, "our own sockets were too slow: this proves nothing"
    assert {name: sum(len(one.lost) for one in groups[name]) for name in ("established", "new")} == {
        "established": 0,
        "new": 0,
    }
    assert sum(len(one.unanswered) for one in groups["established"]) == 0
    assert sum(len(one.arrived) for one in groups["denied"]) == 0
    # The same streams arrive once a policy lets them: their silence was the policy's doing.
    open_shop.enforce(policy("all", SERVER, allow("UDP"), order=1))
    with Traffic(denied) as traffic:
        traffic.await_sent(50)
        counts = traffic.stop()
    open_shop.withdraw(NetworkPolicy, "all", "default")
    assert {one.name: len(count.lost) for one, count in counts.items()} == {one.name: 0 for one in denied}


def other_ports(number: int) -> NetworkPolicy:
    """The policy with other ports each time; each list is a set of its own, which must be whole before it is used."""
    # Ports side by side make a range, and so a set of another type than single ports do.
    open_to_all = (ALLOWED, 20_000 + number, *([ALLOWED + 1] if number % 3 else []))
    lists = [range(10_000 + number, 10_001 + number + step) for step in range(number % 4)]
    rules = [*(allow("UDP", *ports) for ports in lists), allow("UDP", *open_to_all)]
    return policy("ports", SERVER, *(rules if number % 2 else reversed(rules)))


def other_networks(number: int) -> NetworkSet:
    """The network set with the clients' networks cut another way each time, among others that come and go."""
    cuts = (
        ("10.65.0.0/24", "fd00:65::/64"),
        ("10.65.0.0/25", "10.65.0.128/25", "fd00:65::/65"),
        ("10.64.0.0/15", "fd00::/16", "192.0.2.0/24"),
        tuple(f"10.65.0.{last}/32" for last in range(8)) + tuple(f"fd00:65::{last}/128" for last in range(8)),
    )
    nets = (*cuts[number % len(cuts)], f"10.9.{number % 250}.1/32", f"fd09:{number}::/64")
    return NetworkSet(
        metadata=ObjectMeta(name="peers", namespace="default", labels={"peers": "yes"}), spec=NetworkSetSpec(nets=nets)
    )


RULES = {
    other_ports: (allow("UDP", ALLOWED),),
    other_networks: (allow("UDP", ALLOWED, source="has(peers)"),),
}


@pytest.mark.parametrize("rewritten", [other_ports, other_networks])
def test_rewriting_loses_nothing_of_what_stays_allowed(open_shop, capsys, rewritten):
    """Rules, sets and networks come and go in quick succession: what each version allows, or denies, is not touched."""
    established = streams(open_shop, "established", "client", FORMER)
    new = streams(open_shop, "new", "client", ALLOWED)
    denied = streams(open_shop, "new", "client", CLOSED)
    open_shop.enforce(rewritten(0), policy("ports", SERVER, *RULES[rewritten]))
    with running(open_shop, established + new + denied, pause_s=0.0002) as traffic:
        for number in range(REWRITES):
            open_shop.client.apply(rewritten(number))
            time.sleep(0.01)
        open_shop.programmed(open_shop.revision)
        counts = traffic.stop()
    groups = {
        "established": [counts[one] for one in established],
        "new": [counts[one] for one in new],
        "denied": [counts[one] for one in denied],
    }
    with capsys.disabled():
        report(f"{REWRITES} times {rewritten.__name__.replace('_', ' ')}", groups)
    assert sum(one.overflows for one in counts.values()) == 0, "our own sockets were too slow: this proves nothing"
    lost = {one.name: len(count.lost) for one, count in counts.items() if one not in denied}
    assert lost == dict.fromkeys(lost, 0)
    assert sum(len(counts[one].arrived) for one in denied) == 0
