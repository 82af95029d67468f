# SPDX-License-Identifier: Apache-2.0
"""The sample of Calico's reference page on workload endpoints: refused as printed, shown once it is mended."""

import json

import pytest
import yaml

AS_PRINTED = """\
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata:
  name: node1-k8s-my--nginx--b1337a-eth0
  namespace: default
  labels:
    app: frontend
    projectcalico.org/namespace: default
    projectcalico.org/orchestrator: k8s
spec:
  node: node1
  orchestrator: k8s
  endpoint: eth0
  containerID: 1337495556942031415926535
  pod: my-nginx-b1337a
  endpoint: eth0
  interfaceName: cali0ef24ba
  mac: ca:fe:1d:52:bb:e9
  ipNetworks:
    - 192.168.0.0/32
  profiles:
    - profile1
  ports:
    - name: some-port
      port: 1234
      protocol: TCP
    - name: another-port
      port: 5432
      protocol: UDP
"""
MENDED = AS_PRINTED.replace("1337495556942031415926535", '"1337495556942031415926535"').replace(
    "  pod: my-nginx-b1337a\n  endpoint: eth0\n", "  pod: my-nginx-b1337a\n"
)


@pytest.fixture
def applied(percale, tmp_path):
    (tmp_path / "mended.yaml").write_text(MENDED)
    assert percale("apply", "-f", "mended.yaml") == (0, "Successfully applied 1 'WorkloadEndpoint' resource(s)\n", "")
    return percale


@pytest.mark.parametrize("verb", ["apply", "create", "validate"])
def test_as_printed(percale, tmp_path, verb):
    """Both defects are named at once, each with its line and how to mend it, and nothing is stored."""
    (tmp_path / "sample.yaml").write_text(AS_PRINTED)
    status, out, err = percale(verb, "-f", "sample.yaml")
    assert (status, out) == (1, "")
    number, quote_it, twice, keep_one, *_ = err.splitlines()
    subject = "WorkloadEndpoint default/node1-k8s-my--nginx--b1337a-eth0"
    assert number.startswith(f"sample.yaml:14: {subject}: spec.containerID: ")
    assert "1337495556942031415926535 does not fit 64 bits" in number
    assert quote_it == '    write it in quotes: "1337495556942031415926535"'
    assert twice.startswith(f"sample.yaml:16: {subject}: ")
    assert "'endpoint' stands twice; it was already set in line 13" in twice
    assert keep_one == "    keep one of the two lines"
    assert percale("get", "wep", "-o", "json").out.count("node1") == 0


def test_table(applied):
    """The mended sample as a table."""
    assert applied("get", "workloadendpoint").out == (
        "WORKLOAD          NODE    NETWORKS         INTERFACE     \n"
        "my-nginx-b1337a   node1   192.168.0.0/32   cali0ef24ba   \n\n"
    )


def test_wide(applied):
    """The mended sample as a wide table."""
    headings, row, _ = applied("get", "workloadendpoint", "-o", "wide").out.split("\n", 2)
    assert headings.split() == ["NAME", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE", "PROFILES", "NATS"]
    assert row.split() == [
        "node1-k8s-my--nginx--b1337a-eth0",
        "my-nginx-b1337a",
        "node1",
        "192.168.0.0/32",
        "cali0ef24ba",
        "profile1",
    ]


def test_yaml(applied):
    """The mended sample as YAML says what was applied."""
    shown = yaml.safe_load(applied("get", "workloadendpoint", "node1-k8s-my--nginx--b1337a-eth0", "-o", "yaml").out)
    assert shown["spec"]["containerID"] == "1337495556942031415926535"
    assert shown["metadata"]["labels"]["app"] == "frontend"
    assert [port["name"] for port in shown["spec"]["ports"]] == ["some-port", "another-port"]


def test_json(applied):
    """The mended sample as JSON, in a list, says the same as the YAML."""
    (item,) = json.loads(applied("get", "workloadendpoint", "-o", "json").out)["items"]
    assert item == yaml.safe_load(applied("get", "workloadendpoint", item["metadata"]["name"], "-o", "yaml").out)


def test_unquoted_scalars_warn(percale, tmp_path):
    """A scalar that becomes another text is applied as Calico does, with a warning that names its line."""
    (tmp_path / "x.yaml").write_text(MENDED.replace("app: frontend", "app: 010"))
    status, _, err = percale("apply", "-f", "x.yaml")
    assert status == 0
    assert err.startswith("warning: x.yaml:7: ")
    assert "010 becomes the text '8'" in err
