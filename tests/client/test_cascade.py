# SPDX-License-Identifier: Apache-2.0
"""Deletes of nodes and pools, which take other things along."""

from __future__ import annotations

import pytest
from tests.client.documents import endpoint, pool

from percale.client import cascade
from percale.errors import Conflict, NotFound
from percale.resources import (
    BGPConfiguration,
    BGPPeer,
    BGPPeerSpec,
    FelixConfiguration,
    HostEndpoint,
    HostEndpointSpec,
    Node,
    NodeSpec,
    ObjectMeta,
)


class Recorder:
    """Address management that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def release_addresses(self, addresses):
        self.asked.append(("release", *addresses))

    def remove_host(self, host):
        self.asked.append(("remove", host))

    def release_pool(self, cidr):
        self.asked.append(("pool", cidr))


@pytest.fixture
def addresses(client, monkeypatch):
    monkeypatch.setattr(cascade, "_POOL_PAUSE_S", 0)
    client.addresses = Recorder()
    return client.addresses


def named(kind, name, **spec):
    return kind(metadata=ObjectMeta(name=name), **spec)


class TestNode:
    def test_everything_of_the_node_goes(self, client, addresses):
        """Endpoints, peers, host endpoints and configurations of the node go, those of its namesakes stay."""
        for node in ("n-1", "n-12", "n-1-x"):
            client.create(named(Node, node, spec=NodeSpec(ipv4_vxlan_tunnel_addr="192.0.2.99")))
            client.create(endpoint("pod", "192.0.2.1/32", "2001:db8::1/128", node=node))
            client.create(named(BGPPeer, f"peer-{node}", spec=BGPPeerSpec(node=node, peer_ip="192.0.2.9", as_number=1)))
            client.create(named(HostEndpoint, f"h-{node}", spec=HostEndpointSpec(node=node, interface_name="eth0")))
            client.create(named(FelixConfiguration, f"node.{node}"))
            client.create(named(BGPConfiguration, f"node.{node}"))
        assert client.nodes.delete("n-1").name == "n-1"
        for kind in ("wep", "BGPPeer", "hep", "FelixConfiguration", "BGPConfiguration", "node"):
            left = [item.name for item in client.list(kind).items]
            assert len(left) == 2, kind
        assert addresses.asked == [("release", "192.0.2.1", "2001:db8::1", "192.0.2.99"), ("remove", "n-1")]

    def test_missing_node_is_reported_after_its_remains_are_gone(self, client, addresses):
        """What a node left behind goes even when the node is gone already."""
        client.create(endpoint("pod", node="n-1"))
        with pytest.raises(NotFound):
            client.delete("node", "n-1")
        assert client.list("wep").items == []

    def test_without_address_management(self, client):
        """The resources go as well where nobody manages addresses."""
        client.create(named(Node, "n-1"))
        client.create(endpoint("pod", "192.0.2.1/32", node="n-1"))
        client.delete("node", "n-1")
        assert client.list("wep").items == []


class TestPool:
    def test_pool_is_disabled_before_its_blocks_are_taken(self, client, addresses, monkeypatch):
        """Nobody can allocate from a pool while it is being deleted."""
        client.create(pool("p", "192.0.2.0/24"))
        seen = []
        monkeypatch.setattr(
            addresses, "release_pool", lambda cidr: seen.append((cidr, client.ip_pools.get("p").spec.disabled))
        )
        client.delete("pool", "p")
        assert seen == [("192.0.2.0/24", True)]
        with pytest.raises(NotFound):
            client.ip_pools.get("p")

    def test_old_version_of_a_pool(self, client, addresses):
        """A conditional delete of an older version conflicts and takes nothing."""
        created = client.create(pool("p", "192.0.2.0/24"))
        client.update(created)
        with pytest.raises(Conflict):
            client.ip_pools.delete("p", resource_version=created.metadata.resource_version)
        assert addresses.asked == []
        assert not client.ip_pools.get("p").spec.disabled
