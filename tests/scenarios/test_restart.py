# SPDX-License-Identifier: Apache-2.0
"""Restarts are invisible to traffic and to the kernel, and drift is repaired (spec/dataplane.md section 5.4)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from tests.scenarios.acceptance import populate
from tests.scenarios.flows import held, observed
from tests.scenarios.streams import Stream, flowing

from percale.lab.site import Site
from percale.netlink.nftables.connection import Monitor
from percale.netlink.rtnetlink.connection import RouteMonitor

pytestmark = pytest.mark.kernel


@pytest.fixture
def site(bare_site: Site) -> Site:
    """The host of the acceptance scenario at work."""
    bare_site.start_agent()
    populate(bare_site)
    return bare_site


SOAK = bool(os.environ.get("PERCALE_SOAK"))
RESTARTS = 60 if SOAK else 10
POLICY = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {{name: streams, namespace: default}}
spec:
  order: {order}
  selector: role == 'server'
  types: [Ingress]
  ingress:
    - {{action: Allow, protocol: UDP, destination: {{ports: [7001, 7002{more}]}}}}
"""


def _eventually(holds: Callable[[], bool], limit_s: float = 10.0) -> bool:
    limit = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def _synced(site: Site) -> None:
    assert _eventually(lambda: bool(site.status()["inSync"] and site.status()["programmedRevision"]))


@pytest.mark.slow
def test_sudden_deaths_lose_nothing_and_let_nothing_through(site: Site, capsys: pytest.CaptureFixture[str]):
    """Killed and restarted ten times under 100 000 packets: none allowed is lost, none denied passes."""
    site.command("apply", "-f", "-", text=POLICY.format(order=5, more=""))
    _synced(site)
    established = Stream("client", "server", 7001, new=False, per_second=8000)
    new = Stream("client", "server", 7002, new=True, per_second=2500)
    denied = Stream("other", "server", 7003, new=True, per_second=2500)
    restarts = 0
    with flowing(site, established, new, denied):
        while restarts < RESTARTS or established.sent + new.sent + denied.sent < 110_000:
            site.stop_agent(suddenly=True)
            site.start_agent()
            _synced(site)
            restarts += 1
    total = established.sent + new.sent + denied.sent
    with capsys.disabled():
        print(
            f"\n{restarts} sudden deaths, {total} packets: {established.sent} established ({established.lost} lost), "
            f"{new.sent} new ({new.lost} lost), {denied.sent} denied ({len(denied.received)} passed)"
        )
    assert total >= 100_000
    assert (established.lost, new.lost, len(denied.received)) == (0, 0, 0)


@pytest.mark.slow
def test_rewriting_a_policy_loses_no_packet_of_what_both_versions_allow(site: Site):
    """A hundred changes of a policy's rules, made one after the other, cost an allowed flow nothing."""
    site.command("apply", "-f", "-", text=POLICY.format(order=5, more=""))
    _synced(site)
    established = Stream("client", "server", 7001, new=False, per_second=4000)
    new = Stream("client", "server", 7002, new=True, per_second=2000)
    policy = site.client.network_policies.get("streams", "default")
    with flowing(site, established, new):
        for number in range(100):
            rule = policy.spec.ingress[0]
            ports = rule.destination.replace(ports=(7001, 7002, 10_000 + number))
            spec = policy.spec.replace(ingress=(rule.replace(destination=ports),))
            policy = site.client.update(policy.replace(spec=spec))
            time.sleep(0.01)
    assert (established.lost, new.lost) == (0, 0)


def test_a_restart_with_nothing_changed_changes_nothing_in_the_kernel(site: Site):
    """Neither the rules nor links, addresses, routes and neighbors see a single change."""
    _synced(site)
    before = held(site)
    site.stop_agent()
    rules = site.world.host.within(Monitor)
    network = site.world.host.within(lambda: RouteMonitor(("link", "address", "route", "neighbor")))
    with rules, network:
        site.start_agent()
        _synced(site)
        time.sleep(0.3)
        # What the kernel does by itself (neighbors growing stale) bears no port.
        assert (rules.receive(0), [event for event in network.receive(0) if event.port_id]) == ([], [])
    assert held(site) == before


DAMAGES = (
    'delete element inet percale to_wl { "caliserver" . new }',
    "flush chain inet percale f_to",
    "flush chain inet percale host_in",
    "delete table inet percale",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_deleted_while_the_agent_was_down_is_back(site: Site, damage: str):
    """After a start the table is what it was, and so are the verdicts."""
    _synced(site)
    before = held(site)
    site.stop_agent(suddenly=True)
    done = site.world.host.run(["nft", damage])
    assert done.returncode == 0, done.stderr
    assert held(site) != before
    site.start_agent()
    _synced(site)
    assert held(site) == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_deleted_while_the_agent_runs_is_repaired_at_once(site: Site, damage: str):
    """The agent hears of the change and repairs it without waiting for its next full reading."""
    _synced(site)
    before = held(site)
    done = site.world.host.run(["nft", damage])
    assert done.returncode == 0, done.stderr
    assert _eventually(lambda: held(site) == before, limit_s=5)


def test_routes_and_neighbors_deleted_from_outside_come_back(site: Site):
    """A workload's route and permanent neighbor entry are restored."""
    _synced(site)
    address = site.addresses["server"][4]
    site.world.host.run(["ip", "route", "delete", f"{address}/32"])

    def routed() -> bool:
        return address in site.world.host.run(["ip", "route"]).stdout

    assert _eventually(routed, limit_s=5)
    assert observed(site, "client -> server tcp 8080") == {"client -> server tcp 8080": True}


def test_a_policy_changed_while_the_agent_was_down_is_in_force_after_its_start(site: Site):
    """The first programming after a start is the difference to the newest state."""
    site.stop_agent()
    site.command("delete", "networkpolicy", "server")
    flow = "other -> server tcp 8080"
    assert observed(site, flow) == {flow: False}, "without an agent the last state stays"
    site.start_agent()
    _synced(site)
    assert observed(site, flow) == {flow: True}


def test_an_interface_without_endpoint_carries_nothing(site: Site):
    """A workload-named interface that no endpoint owns is dropped in forward and input, both ways."""
    stranger = site.world.add_workload("stranger")
    path = stranger.path
    for command in (
        ["ip", "link", "add", "calistranger", "type", "veth", "peer", "name", "eth0", "netns", path],
        ["ip", "address", "add", "198.51.100.1/24", "dev", "calistranger"],
        ["ip", "link", "set", "calistranger", "up"],
        ["nsenter", f"--net={path}", "ip", "address", "add", "198.51.100.2/24", "dev", "eth0"],
        ["nsenter", f"--net={path}", "ip", "link", "set", "eth0", "up"],
        ["nsenter", f"--net={path}", "ip", "route", "add", "default", "via", "198.51.100.1"],
    ):
        done = site.world.host.run(command)
        assert done.returncode == 0, done.stderr
    from percale.lab.probes import Probe, arrivals

    inward = Probe(stranger.place, site.world.host.place, "tcp", "198.51.100.2", "198.51.100.1", 80)
    client = site.world.workloads["client"]
    through = Probe(stranger.place, client.place, "udp", "198.51.100.2", site.addresses["client"][4], 53)
    back = Probe(client.place, stranger.place, "udp", site.addresses["client"][4], "198.51.100.2", 53)
    assert arrivals([inward, through, back], deadline_s=0.7) == {inward: False, through: False, back: False}


def test_established_flows_end_when_the_endpoint_is_removed(site: Site):
    """Fail closed holds for established flows too: once the endpoint is gone from the store, nothing passes."""
    site.command("apply", "-f", "-", text=POLICY.format(order=5, more=""))
    _synced(site)
    stream = Stream("client", "server", 7001, new=False, per_second=500)
    with flowing(site, stream):
        time.sleep(0.3)
        site.client.delete("wep", "demo-cni-server-eth0", "default")
        time.sleep(0.5)
        before = len(stream.received)
        time.sleep(0.3)
        assert len(stream.received) == before
    assert before > 0
