# SPDX-License-Identifier: Apache-2.0
"""The acceptance scenario of spec/dataplane.md section 5.6: three workloads, one policy, real packets."""

from __future__ import annotations

import socket
import struct

import pytest
from tests.scenarios.flows import observed

from percale.lab.site import Site
from percale.lab.world import HOST_ADDRESSES, OUTSIDE_ADDRESSES
from percale.resources import NetworkPolicy

pytestmark = pytest.mark.kernel

ALLOWED = (
    "client -> server tcp 8080",
    "client -> server icmp",
    "server -> client icmp",
    "server -> outside tcp 80",
    "server -> outside udp 53",
    "outside -> client tcp 80",
    "host -> server tcp 9999",
    "other -> client tcp 80",
)
DENIED = (
    "other -> server tcp 8080",
    "client -> server tcp 8081",
    "client -> server udp 8080",
    "outside -> server tcp 8080",
    "client -> host tcp 80",
    "client -> host udp 53",
)


def test_every_flow_of_the_scenario(site: Site):
    """Each flow of the scenario is allowed or denied as the reference was seen to do, in both families."""
    assert observed(site, *ALLOWED, *DENIED) == dict.fromkeys(ALLOWED, True) | dict.fromkeys(DENIED, False)


def test_the_outside_sees_the_hosts_address(site: Site):
    """What a workload of a natOutgoing pool sends outside bears the host's address."""
    for version, (ours, theirs) in enumerate(zip(HOST_ADDRESSES, OUTSIDE_ADDRESSES, strict=True)):
        family = (socket.AF_INET, socket.AF_INET6)[version]
        with (
            site.world.outside.place.open_socket(family, socket.SOCK_DGRAM, 0) as receiver,
            site.world.workloads["server"].place.open_socket(family, socket.SOCK_DGRAM, 0) as sender,
        ):
            receiver.bind((theirs, 5353))
            receiver.settimeout(2)
            sender.sendto(b"hello", (theirs, 5353))
            _, source = receiver.recvfrom(64)
        assert source[0] == ours


@pytest.mark.parametrize("forged", ["10.65.0.200", "neighbor", OUTSIDE_ADDRESSES[0]])
@pytest.mark.parametrize("target", ["server", "outside"])
def test_forged_sources_do_not_leave_the_workload(site: Site, forged: str, target: str):
    """Five packets with a foreign pool address, a neighbor's address or an outside address: none arrives."""
    source = site.addresses["other"][4] if forged == "neighbor" else forged
    place = site.world.workloads["server"] if target == "server" else site.world.outside
    address = site.addresses["server"][4] if target == "server" else OUTSIDE_ADDRESSES[0]
    honest = site.addresses["client"][4]
    with (
        place.place.open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as receiver,
        site.world.workloads["client"].place.open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender,
    ):
        receiver.settimeout(0.3)
        for _ in range(5):
            sender.sendto(_ping(source, address), (address, 0))
        # The last one is honest: when it is there, the others would have been.
        sender.sendto(_ping(honest, address), (address, 0))
        marked = 0
        while True:
            packet = receiver.recv(256)
            if packet[20] != 8:
                continue
            if socket.inet_ntoa(packet[12:16]) in (honest, HOST_ADDRESSES[0]):
                break
            marked += 1
    assert marked == 0


def _ping(source: str, destination: str) -> bytes:
    """An IPv4 packet with an ICMP echo request (RFC 791, RFC 792); the kernel fills in the header's checksum."""
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 1, 0, socket.inet_aton(source), socket.inet_aton(destination)
    )
    return header + struct.pack(">BBHHH", 8, 0, ~0x0800 & 0xFFFF, 0, 0)


def test_a_policy_deleted_and_created_again_is_felt_both_times(site: Site):
    """Without the policy the profile decides; with it again the policy does."""
    policy = site.client.get(NetworkPolicy, "server", "default")
    deleted = site.client.delete(NetworkPolicy, "server", "default")
    assert deleted.spec == policy.spec
    _settle(site)
    assert observed(site, "other -> server tcp 8080") == {"other -> server tcp 8080": True}
    site.client.create(policy.with_metadata(uid="", resource_version="", creation_timestamp=""))
    _settle(site)
    assert observed(site, "other -> server tcp 8080") == {"other -> server tcp 8080": False}


def _settle(site: Site) -> None:
    """Touch an endpoint and wait until that is programmed: all that was written before is too."""
    name = "demo-cni-other-eth0"
    endpoint = site.client.workload_endpoints.get(name, "default")
    site.client.update(endpoint.with_metadata(annotations={"touched": endpoint.metadata.resource_version}))
    site.programmed()


def test_a_removed_workload_is_unreachable_and_can_come_back(site: Site):
    """After DEL nothing is left of the endpoint; after ADD it is policed again."""
    site.disconnect("client")
    assert not [each for each in site.client.list("wep").items if "client" in each.name]
    assert "cali" + "client" not in site.world.host.run(["ip", "link"]).stdout
    site.connect("client", {"role": "client"})
    site.programmed()
    flows = ("client -> server tcp 8080", "client -> server tcp 8081")
    assert observed(site, *flows) == {flows[0]: True, flows[1]: False}


@pytest.mark.parametrize(("action", "arrives"), [("Drop", False), ("Accept", True), ("Return", True)])
def test_endpoint_to_host_action(bare_site: Site, action: str, arrives: bool):
    """What a workload's egress policy allowed reaches its own host only if the action lets it."""
    from tests.scenarios.conftest import populate

    bare_site.start_agent("--endpoint-to-host-action", action)
    populate(bare_site)
    flows = ("client -> host tcp 80", "client -> host udp 53", "client -> host icmp")
    seen = observed(bare_site, *flows)
    # ICMPv6 echo requests are not among the exceptions: both families agree.
    assert seen == dict.fromkeys(flows, arrives)
