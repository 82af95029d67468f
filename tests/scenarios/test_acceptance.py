# SPDX-License-Identifier: Apache-2.0
"""The acceptance scenario of spec/dataplane.md section 5.6: embedded store, real agent, real plugin, real packets."""

from __future__ import annotations

import socket
import statistics

import pytest
from tests.scenarios import spoofing
from tests.scenarios.acceptance import POLICY
from tests.scenarios.language import (
    FAMILIES,
    address,
    allow,
    both,
    namespace,
    passing,
    policy,
    probe,
)

from percale.lab.latency import NewFlows
from percale.resources import NetworkPolicy

pytestmark = pytest.mark.kernel


PASSES = (
    "client → server tcp 8080",
    "client → server icmp",
    "server → client icmp",
    "server → outside tcp 80",
    "outside → client tcp 80",
    "host → server tcp 22",
    "client → other udp 53",
)
FAILS = (
    "other → server tcp 8080",
    "client → server udp 8080",
    "client → server tcp 8081",
    "outside → server tcp 8080",
    "server → host tcp 22",
    "client → host tcp 22",
    "client → host udp 53",
)


def test_every_flow_of_the_list_fares_as_expected(shop):
    """What the list allows arrives and nothing else does, in both families."""
    assert passing(shop, PASSES + FAILS) == both(*PASSES)


@pytest.mark.parametrize("version", FAMILIES)
def test_the_outside_sees_the_hosts_address(shop, version):
    """A workload of a pool with NAT outgoing reaches the outside from the host's address, its neighbor from its own."""
    assert _source_seen(shop, "server", "outside", version) == address(shop, "host", version)
    assert _source_seen(shop, "server", "client", version) == address(shop, "server", version)


@pytest.mark.parametrize("version", FAMILIES)
@pytest.mark.parametrize("target", ["server", "outside"])
def test_spoofed_packets_do_not_arrive(shop, version, target):
    """Of five pings from each address that is not its own none leaves a workload; from its own address all do."""
    forged = {
        "own": address(shop, "client", version),
        "foreign pool": {4: "10.65.0.250", 6: "fd00:65::fa"}[version],
        "neighbor": address(shop, "other", version),
        "outside": {4: "198.51.100.7", 6: "2001:db8:ffff::7"}[version],
        "host": address(shop, "host", version),
    }
    found = spoofing.arrived(namespace(shop, "client"), namespace(shop, target), forged, address(shop, target, version))
    assert found == {"own": 5, "foreign pool": 0, "neighbor": 0, "outside": 0, "host": 0}


def test_packets_feel_a_change_of_policy(shop):
    """Each change of a policy is felt by new flows; how soon is printed, not judged."""
    opened = policy("toggle", "role == 'server'", allow("UDP", 7007), order=1)
    allowed, denied = [], []
    client, server = namespace(shop, "client"), namespace(shop, "server")
    with NewFlows(client, server, address(shop, "server", 4), 7007) as flows:
        for _ in range(10):
            allowed.append(flows.felt_ms(lambda: shop.client.create(opened), arrives=True))
            denied.append(flows.felt_ms(lambda: shop.client.delete(NetworkPolicy, "toggle", "default"), arrives=False))
    for what, times in (("created", allowed), ("deleted", denied)):
        print(f"policy {what}: felt after median {statistics.median(times):.1f} ms, at most {max(times):.1f} ms")


def test_an_endpoint_comes_and_goes(shop):
    """A new endpoint is in force when ADD returns; after DEL nothing of it is left in the store or on the host."""
    shop.connect("second", {"role": "client"})
    assert passing(shop, ["second → server tcp 8080", "second → server tcp 8081"]) == both("second → server tcp 8080")
    shop.disconnect("second")
    assert not [one for one in shop.client.workload_endpoints.list() if "second" in one.metadata.name]
    with pytest.raises(OSError, match="no interface"):
        shop.world.host.link_index("calisecond")
    assert passing(shop, PASSES + FAILS) == both(*PASSES)


def test_a_change_while_the_agent_is_down_comes_into_force_at_its_start(shop):
    """Without an agent the old policy stays; a policy changed meanwhile is in force once the next agent runs."""
    shop.stop_agent()
    stored = shop.client.apply(policy("server", "role == 'server'", allow("TCP", 8081)))
    flows = ["client → server tcp 8080", "other → server tcp 8081"]
    assert passing(shop, flows) == both("client → server tcp 8080")
    shop.start_agent()
    shop.programmed(int(stored.metadata.resource_version))
    assert passing(shop, flows) == both("other → server tcp 8081")
    shop.command("apply", "-f", "-", text=POLICY)
    shop.programmed(shop.revision)
    assert passing(shop, flows) == both("client → server tcp 8080")


def _source_seen(site, source, destination, version):
    """The source address that a new TCP connection has at its destination."""
    sent = probe(site, source, destination, "tcp", 80, version)
    with (
        sent.destination.open_socket(sent.family, socket.SOCK_STREAM, 0) as listener,
        sent.source.open_socket(sent.family, socket.SOCK_STREAM, 0) as client,
    ):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(2)
        client.settimeout(2)
        listener.bind((sent.destination_address, 80))
        listener.listen()
        client.connect((sent.destination_address, 80))
        accepted, peer = listener.accept()
        accepted.close()
        return peer[0]
