# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate export``: what becomes of nodes whose names in Kubernetes differ (spec/cli.md section 11)."""

import json

import pytest

from percale.client import connect
from percale.ipam import AutoRequest, Ipam

CLUSTER = """\
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p}
spec: {cidr: 192.0.2.0/24}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: one}
spec: {orchRefs: [{orchestrator: other, nodeName: x}, {orchestrator: k8s, nodeName: first}]}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: node.one}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: node.else}
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: node.one}
"""


@pytest.fixture
def exported(percale, tmp_path):
    """The three parts of the export of a cluster with a node, its configurations, blocks and handles."""
    (tmp_path / "c.yaml").write_text(CLUSTER)
    assert percale("apply", "-f", "c.yaml").status == 0
    with connect() as client:
        ipam = Ipam.of(client.datastore)
        for handle in ("vxlan-tunnel-addr-one", "pod"):
            ipam.auto_assign(AutoRequest("one", num4=1, handle=handle))
    assert percale("datastore", "migrate", "lock").status == 0
    status, out, err = percale("datastore", "migrate", "export")
    assert (status, err) == (0, "")
    return out.split("===\n")


def test_resources_of_a_node_follow_its_name(exported):
    """The node has its name in Kubernetes, and so have the configurations of this node, but of no other."""
    names = [line.strip() for line in exported[0].splitlines() if line.startswith("    name: ")]
    assert "name: first" in names
    assert "name: one" not in names
    assert names.count("name: node.first") == 2
    assert "name: node.else" in names


def test_addresses_of_a_node_follow_its_name(exported):
    """Affinities, the owners of blocks, and the handles of tunnels name the node as Kubernetes does."""
    records = json.loads(exported[2])
    assert [record["Key"].split("/")[5] for record in records["block_affinities"]] == ["first"]
    (block,) = records["blocks"]
    assert block["Value"]["affinity"] == "host:first"
    assert {each["handle_id"] for each in block["Value"]["attributes"]} == {"vxlan-tunnel-addr-first", "pod"}
    assert sorted(record["Key"].rpartition("/")[2] for record in records["handles"]) == [
        "pod",
        "vxlan-tunnel-addr-first",
    ]


def test_cluster_information_is_the_second_part(exported):
    """The second part is the cluster's description, locked."""
    assert json.loads(exported[1])["spec"]["datastoreReady"] is False
