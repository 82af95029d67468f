# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate export``: what becomes of nodes whose names in Kubernetes differ (spec/cli.md section 11)."""

import json

import pytest

from percale.cli.main import main
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
    (tmp_path / "export.yaml").write_text(out)
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


# Import


@pytest.fixture
def imported(percale, exported, monkeypatch, tmp_path):
    """An empty datastore into which the export was read."""
    monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "new.db"))
    status, out, err = percale("datastore", "migrate", "import", "-f", "export.yaml")
    assert (status, err) == (0, "")
    assert out.startswith("Imported 8 resources and 4 records of address management.\n")
    return percale


def test_what_was_imported_is_exported_again(imported, exported):
    """Resources, the cluster's description and the records of addresses survive the journey, names included."""
    status, out, _ = imported("datastore", "migrate", "export")
    assert status == 0
    again = out.split("===\n")

    def lines(text):
        return [line for line in text.splitlines() if "resourceVersion" not in line]

    assert lines(again[0]) == lines(exported[0])
    assert json.loads(again[1])["spec"] == json.loads(exported[1])["spec"]
    assert json.loads(again[2]) == json.loads(exported[2])


def test_an_imported_datastore_is_locked(imported):
    """Nothing gives out addresses until somebody unlocks it."""
    assert imported("get", "clusterinfo", "-o", "custom-columns=DATASTOREREADY").out.split() == [
        "DATASTOREREADY",
        "false",
    ]


def test_only_an_empty_datastore_takes_an_export(percale, exported):
    """A datastore with resources of its own is left as it is."""
    status, out, err = percale("datastore", "migrate", "import", "-f", "export.yaml")
    assert (status, out) == (1, "")
    assert err.startswith("the datastore is not empty, it has ")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it has 1 parts"),
        ("===\n===\n===\n", "it has 4 parts"),
        ("===\n{\n===\n{}", "its description of the cluster or its addresses"),
        ('===\n{"spec": {}}\n===\n[]', "its description of the cluster or its addresses"),
        ('a: b\n===\n{"spec": {}}\n===\n{}', "cannot unmarshal object"),
        ('===\n{"spec": {}}\n===\n{"blocks": [{"Key": "/registry/x", "Value": 1}]}', "/registry/x is no record"),
    ],
)
def test_what_is_no_export(percale, tmp_path, text, complaint):
    """A file that is no export is refused before anything is written."""
    (tmp_path / "x.yaml").write_text(text)
    status, out, err = percale("datastore", "migrate", "import", "-f", "x.yaml")
    assert (status, out) == (1, "")
    assert complaint in err
    assert percale("get", "clusterinfo", "-o", "custom-columns=DATASTOREREADY").out.split()[-1] == "true"


def test_what_cannot_be_imported_is_named(percale, exported, monkeypatch, tmp_path):
    """A resource that breaks a rule is named, with the rule; the others are imported."""
    bad = (
        "apiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata: {name: bad, namespace: shop}\n"
        "spec: {nets: [192.0.2.0/33]}\n---\n"
    )
    (tmp_path / "more.yaml").write_text(bad + (tmp_path / "export.yaml").read_text())
    monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "new.db"))
    status, out, err = percale("datastore", "migrate", "import", "-f", "more.yaml")
    assert status == 1
    assert out.startswith("Imported 8 resources")
    assert err == (
        "NetworkSet shop/bad: spec.nets[0]: '192.0.2.0/33' is not a CIDR or an address\n"
        "    a prefix length is at most 32\n"
        "1 of 9 resources were not imported\n"
    )


@pytest.mark.parametrize(("program", "named"), [("percale", "percale"), ("kubectl-calico", "calicoctl")])
def test_an_export_wants_the_lock(percale, capsys, program, named):
    """The command that locks is named as its user calls it."""
    assert percale("datastore", "migrate", "unlock").status == 0
    assert main(["datastore", "migrate", "export"], program=program) == 1
    assert f"Run the `{named} datastore migrate lock` command" in capsys.readouterr().err


def test_a_peer_finds_its_filter(percale, exported, monkeypatch, tmp_path):
    """What refers to something that stands behind it in an export is made after it."""
    text = (tmp_path / "export.yaml").read_text()
    peer = (
        "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\n"
        "spec: {peerIP: 192.0.2.9, asNumber: 65001, filters: [f]}\n---\n"
    )
    bgp_filter = "apiVersion: projectcalico.org/v3\nkind: BGPFilter\nmetadata: {name: f}\n---\n"
    (tmp_path / "more.yaml").write_text(peer + text.replace("===\n", bgp_filter + "===\n", 1))
    monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "new.db"))
    assert percale("datastore", "migrate", "import", "-f", "more.yaml").status == 0
    assert percale("get", "bgppeer", "p").status == 0
