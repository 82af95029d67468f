# SPDX-License-Identifier: Apache-2.0
"""Deleting a node or a pool on the command line gives its addresses back (spec/storage-etcd.md section 6)."""

import pytest

from percale.client import cascade, connect
from percale.ipam import AutoRequest, Ipam, parse_address

POOLS = """\
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p}
spec: {cidr: 192.0.2.0/24, blockSize: 28}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: other}
spec: {cidr: 198.51.100.0/24, blockSize: 28}
---
"""
NODE = """\
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: NODE}
spec: {ipv4VXLANTunnelAddr: TUNNEL}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {namespace: shop}
spec: {node: NODE, orchestrator: k8s, pod: web, endpoint: eth0, interfaceName: cali1, ipNetworks: [ADDRESS/32],
  profiles: [projectcalico-default-allow]}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: node.NODE}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: h-NODE}
spec: {node: NODE, interfaceName: eth0}
---
"""


@pytest.fixture
def cluster(percale, tmp_path, monkeypatch):
    """Two nodes, each with an endpoint, a tunnel and an address whose endpoint is gone, of two pools."""
    monkeypatch.setattr(cascade, "_POOL_PAUSE_S", 0)
    nodes = "".join(f"apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {{name: n{n}}}\n---\n" for n in (1, 2))
    (tmp_path / "pools.yaml").write_text(POOLS + nodes)
    assert percale("apply", "-f", "pools.yaml").status == 0
    with connect() as client:
        ipam = Ipam.of(client.datastore)
        for node in ("n1", "n2"):
            one, two, _ = (
                str(ipam.auto_assign(AutoRequest(node, num4=1, handle=f"{use}-{node}")).v4.addresses[0].address)
                for use in ("pod", "tunnel", "lost")
            )
            text = NODE.replace("NODE", node).replace("ADDRESS", one).replace("TUNNEL", two)
            (tmp_path / f"{node}.yaml").write_text(text)
            assert percale("apply", "-f", f"{node}.yaml").status == 0
        yield client


def handles(client):
    blocks = Ipam.of(client.datastore).blocks()
    return sorted(attribute.handle for block in blocks for attribute in block.attributes)


def records(client, part):
    found = client.datastore.keyvalue.range("/calico/ipam/", "/calico/ipam0").items
    return [item.key for item in found if part in item.key]


def affinities(client, node):
    return records(client, f"/host/{node}/")


def test_a_node_gives_back_what_it_uses(percale, cluster):
    """The addresses of its endpoints and tunnels are free, their handles gone, and its blocks nobody's."""
    assert affinities(cluster, "n1")
    assert percale("delete", "node", "n1") == (0, "Successfully deleted 1 'Node' resource(s)\n", "")
    assert handles(cluster) == ["lost-n1", "lost-n2", "pod-n2", "tunnel-n2"]
    assert affinities(cluster, "n1") == []
    assert affinities(cluster, "n2")
    assert len(records(cluster, "/handle/")) == 4


def test_a_node_takes_its_resources_along(percale, cluster):
    """Its endpoints, host endpoints and configuration are deleted, those of other nodes are not."""
    percale("delete", "node", "n1")
    left = [cluster.list(kind).items for kind in ("WorkloadEndpoint", "HostEndpoint", "FelixConfiguration", "Node")]
    assert [[item.name for item in items] for items in left] == [["n2-k8s-web-eth0"], ["h-n2"], ["node.n2"], ["n2"]]


def test_a_node_without_addresses_in_use_leaves_no_block(percale, cluster):
    """Blocks in which nothing is in use vanish with their node."""
    Ipam.of(cluster.datastore).release_by_handle("lost-n1")
    before = len(records(cluster, "/block/1"))
    percale("delete", "node", "n1")
    blocks = Ipam.of(cluster.datastore).blocks()
    assert [block.host for block in blocks] == ["n2"]
    assert len(records(cluster, "/assignment/")) == 1
    assert before >= 2


def test_a_node_from_a_file(percale, cluster, tmp_path):
    """A document names a node as well as a word does."""
    (tmp_path / "node.yaml").write_text(NODE.replace("NODE", "n1").partition("---\n")[0])
    assert percale("delete", "-f", "node.yaml").status == 0
    assert handles(cluster) == ["lost-n1", "lost-n2", "pod-n2", "tunnel-n2"]


def test_remains_of_a_node_that_is_gone(percale, cluster):
    """What a node left behind goes although the node is gone, which is told."""
    cluster.datastore.keyvalue.delete("/calico/resources/v3/projectcalico.org/nodes/n1")
    status, _, err = percale("delete", "node", "n1")
    assert status == 1
    assert "resource does not exist: Node(n1)" in err
    assert affinities(cluster, "n1") == []


def test_a_pool_takes_its_blocks_back(percale, cluster):
    """No host owns a block of a deleted pool; addresses in use stay so, and can still be given back."""
    assert percale("delete", "pool", "p", "other") == (0, "Successfully deleted 2 'IPPool' resource(s)\n", "")
    blocks = Ipam.of(cluster.datastore).blocks()
    assert [block.affinity for block in blocks] == [None, None]
    assert records(cluster, "/host/") == []
    assert percale("get", "pool").out == "NAME   CIDR   SELECTOR   \n\n"
    address = blocks[0].address(next(n for n, index in enumerate(blocks[0].allocations) if index is not None))
    assert percale("ipam", "release", f"--ip={address}").status == 0


def test_another_pool_keeps_its_blocks(percale, cluster):
    """Blocks of other pools stay their hosts'."""
    ipam = Ipam.of(cluster.datastore)
    ipam.assign(parse_address("192.0.2.200"), "n1", "h")
    assert percale("delete", "pool", "p").status == 0
    owners = {(block.cidr.partition(".")[0], block.affinity) for block in ipam.blocks()}
    assert owners == {("192", None), ("198", "host:n1"), ("198", "host:n2")}


def test_an_old_version_of_a_pool_takes_nothing_back(percale, cluster, tmp_path):
    """A document with a version that is not the newest changes neither the pool nor its blocks."""
    before = records(cluster, "/host/")
    (tmp_path / "old.yaml").write_text(
        POOLS.partition("---")[0].replace("{name: p}", "{name: p, resourceVersion: '1'}")
    )
    status, _, err = percale("delete", "-f", "old.yaml")
    assert status == 1
    assert "update conflict: IPPool(p)" in err
    assert records(cluster, "/host/") == before
    assert not cluster.ip_pools.get("p").spec.disabled
