# SPDX-License-Identifier: Apache-2.0
"""What is not known is dropped, and what was known stays (spec/dataplane.md section 5.4, invariants 1, 2 and 9)."""

from __future__ import annotations

import sqlite3
import time

import pytest
from tests.scenarios.language import FAMILIES, allow, both, passing, policy, stream

from percale.lab.site import Site, endpoint_name
from percale.lab.streams import Traffic
from percale.netlink.nftables.connection import Monitor
from percale.netlink.rtnetlink.addresses import Address, add_address
from percale.netlink.rtnetlink.links import Veth, add_veth, set_link
from percale.netlink.rtnetlink.routes import Route, add_route
from percale.resources import WorkloadEndpoint

pytestmark = pytest.mark.kernel

STRAY = {4: "10.65.0.99", 6: "fd00:65::99"}
GATEWAY = {4: "10.65.0.98", 6: "fd00:65::98"}
DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
STRAY_FLOWS = (
    "stray → host udp 53",
    "stray → host tcp 22",
    "stray → outside udp 53",
    "outside → stray udp 53",
    "outside → stray icmp",
)
SHOP_FLOWS = ("client → server tcp 8080", "other → server tcp 8080", "client → server icmp", "client → host udp 53")
SHOP_PASSES = both("client → server tcp 8080", "client → server icmp")


def add_stray(site: Site) -> None:
    """Connect a namespace by hand, by an interface that is named like a workload's; the host forwards for it."""
    stray, host = site.world.add_workload("stray"), site.world.host
    site.addresses["stray"] = STRAY
    host.perform(add_veth(Veth("calistray", "eth0", peer_namespace=stray.descriptor)))
    for place, name, addresses in ((host, "calistray", GATEWAY), (stray, "eth0", STRAY)):
        index = place.link_index(name)
        place.perform(set_link(index, up=True))
        for version, length in ((4, 31), (6, 127)):
            place.perform(add_address(Address(index, f"{addresses[version]}/{length}", no_dad=version == 6)))
    index = stray.link_index("eth0")
    stray.perform(*(add_route(Route(DEFAULT[version], index, gateway=GATEWAY[version])) for version in FAMILIES))
    for switch in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
        host.run(["sysctl", "-w", f"net.{switch}=1"])


def test_an_interface_without_endpoint_carries_nothing(site):
    """Named like a workload's and nobody's: dropped from the agent's first programming on, endpoint or none."""
    add_stray(site)
    site.world.route_outside({f"{STRAY[4]}/32": "192.0.2.2", f"{STRAY[6]}/128": "2001:db8::2"})
    assert passing(site, STRAY_FLOWS) == both(*STRAY_FLOWS), "without an agent it is an interface as any other"
    site.start_agent()
    site.programmed()
    assert passing(site, STRAY_FLOWS) == set(), "before the first endpoint"
    site.connect("client", {"role": "client"})
    assert passing(site, (*STRAY_FLOWS, "stray → client udp 53", "client → stray udp 53")) == set()
    site.stop_agent()
    assert passing(site, STRAY_FLOWS) == set(), "the agent may be gone"


def test_the_first_programming_is_one_transaction_per_table(site):
    """Base chains, dispatch and the drops behind it appear together: there is no moment with some of them."""
    with site.world.host.within(Monitor) as monitor:
        site.start_agent()
        site.programmed()
        changes = monitor.receive(0.2)
        while more := monitor.receive(0.2):
            changes += more
    transactions, current = [], set()
    for change in changes:
        if change.generation is None:
            current.add((change.family, change.table))
        else:
            transactions.append(current)
            current = set()
    assert sorted(transactions, key=sorted) == [{("arp", "percale")}, {("inet", "percale")}]


@pytest.mark.parametrize("removed", ["client", "server"])
def test_established_connections_end_with_their_endpoint(site, removed):
    """When an endpoint is gone from the store, either end's, not even established connections pass any more."""
    site.start_agent()
    for name in ("client", "server", "other"):
        site.connect(name, {"role": name})
    ended = [stream(site, "established", "client", "server", 7001, version) for version in FAMILIES]
    ended += [stream(site, "new", "client", "server", 7002, version) for version in FAMILIES]
    lasting = stream(site, "established", "other", "outside", 7001, 4)
    with Traffic([*ended, lasting]) as traffic:
        traffic.await_sent(200)
        site.withdraw(WorkloadEndpoint, endpoint_name(removed), "default")
        marks = {one: traffic.sent(one) for one in ended}
        traffic.await_sent(400)
        counts = traffic.stop()
    for one, mark in marks.items():
        # The burst of the moment may have been under way when the mark was set.
        late = [number for number in counts[one].arrived if number >= mark + 8]
        assert (one.name, late) == (one.name, [])
        assert len(counts[one].arrived) >= 200
    assert (counts[lasting].lost, counts[lasting].unanswered) == ([], [])


def test_an_endpoint_that_comes_back_is_judged_anew(site):
    """Connections of a removed endpoint are forgotten: the same ports are a new flow when it is back."""
    site.start_agent()
    for name in ("client", "server"):
        site.connect(name, {"role": name})
    steady = stream(site, "established", "client", "server", 7001, 4)
    with Traffic([steady]) as traffic:
        traffic.await_sent(50)
        endpoint = site.client.get(WorkloadEndpoint, endpoint_name("server"), "default")
        site.withdraw(WorkloadEndpoint, endpoint.metadata.name, "default")
        site.client.create(policy("closed", "role == 'server'", allow("TCP")))
        site.enforce(endpoint.with_metadata(resource_version="", uid=""))
        mark = traffic.sent(steady)
        traffic.await_sent(200)
        counts = traffic.stop()
    assert [number for number in counts[steady].arrived if number >= mark + 8] == []


def _remove(site):
    for path in site.folder.glob("store.db*"):
        path.unlink()


def _overwrite(site):
    for path in site.folder.glob("store.db*"):
        if not path.name.endswith("-wake"):
            path.write_bytes(b"these are my notes\n" * 10_000)


def _damage(site):
    database = sqlite3.connect(site.store)
    database.execute("DROP TABLE change")
    database.commit()
    database.close()


def await_status(site: Site, *, in_sync: bool) -> None:
    """Wait until the agent says that it follows the datastore, or that it does not."""
    limit = time.monotonic() + 15
    while site.status()["inSync"] is not in_sync:
        assert time.monotonic() < limit, site.log.read_text(encoding="utf-8")
        time.sleep(0.05)


@pytest.mark.parametrize("loss", [_remove, _overwrite, _damage])
def test_the_last_state_stays_when_the_datastore_is_lost(shop_of_its_own, loss):
    """Removed, overwritten or broken under a running agent: it says so, and all programmed stays in force."""
    site = shop_of_its_own
    loss(site)
    await_status(site, in_sync=False)
    assert passing(site, SHOP_FLOWS) == SHOP_PASSES
    assert site.agent.poll() is None
    assert site.status()["endpoints"] == 3
    log = site.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert str(site.store) in log


def test_a_datastore_that_comes_back_is_followed_again(shop_of_its_own):
    """Moved away and back, the agent goes on where it was."""
    site = shop_of_its_own
    moved = {path: path.with_name(f"moved-{path.name}") for path in site.folder.glob("store.db*")}
    for path, elsewhere in moved.items():
        path.rename(elsewhere)
    await_status(site, in_sync=False)
    for path, elsewhere in moved.items():
        elsewhere.rename(path)
    await_status(site, in_sync=True)
    site.enforce(policy("server", "role == 'server'", allow("TCP", 8081)))
    flows = ("client → server tcp 8080", "other → server tcp 8081")
    assert passing(site, flows) == both("other → server tcp 8081")


@pytest.mark.parametrize("loss", [_overwrite, _damage])
def test_an_agent_that_cannot_read_its_datastore_at_its_start_changes_nothing(shop_of_its_own, loss):
    """Until a complete snapshot is there, what a former agent programmed stays in force."""
    site = shop_of_its_own
    site.stop_agent()
    loss(site)
    done = site.world.host.run(["timeout", "--signal=TERM", "2", *site.agent_command], env=site.environment)
    assert "Traceback" not in done.stderr
    assert passing(site, SHOP_FLOWS) == SHOP_PASSES


def test_a_datastore_that_is_not_ready_cuts_nothing_off(shop_of_its_own):
    """Locked, and then emptied of everything, it leaves the host as it is; ready again, its new content is in force."""
    site = shop_of_its_own
    site.programmed()
    site.command("datastore", "migrate", "lock")
    site.client.apply(policy("opened", "role == 'server'", allow("UDP", 53)))
    assert _told(site, "is locked")
    assert passing(site, ("client → server udp 53",)) == set(), "a change during the lock is not in force"
    site.command("datastore", "migrate", "unlock")
    site.programmed(site.revision)
    assert passing(site, ("client → server udp 53",)) == both("client → server udp 53")

    keyvalue = site.client.datastore.keyvalue
    kept = keyvalue.range("/calico/", "/calico0").items
    keyvalue.delete("/calico/", "/calico0")
    assert _told(site, "has no ClusterInformation")
    assert passing(site, SHOP_FLOWS) == SHOP_PASSES, "an emptied datastore is not followed"
    for item in sorted(kept, key=lambda item: "clusterinformations" in item.key):
        keyvalue.put(item.key, item.value)
    site.programmed(site.revision)
    assert passing(site, SHOP_FLOWS) == SHOP_PASSES


def _told(site: Site, reason: str) -> bool:
    limit = time.monotonic() + 10
    while reason not in site.status()["behind"]:
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True
