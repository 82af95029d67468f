# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from percale.plugins.cni.errors import CniError
from percale.plugins.cni.invocation import Invocation
from percale.plugins.cni.network import Network
from percale.plugins.cni.workload import Workload, node_name, profile_of

POD = "K8S_POD_NAMESPACE=ns1;K8S_POD_NAME=web-0"


def workload(args="", container="cid0123456789abcdef", mesos=(), **variables):
    environment = {
        "CNI_COMMAND": "DEL",
        "CNI_CONTAINERID": container,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/x",
        "CNI_ARGS": args,
    }
    labels = [{"key": key, "value": value} for key, value in mesos]
    conf = {"name": "net1", "args": {"org.apache.mesos": {"network_info": {"labels": {"labels": labels}}}}}
    network = Network.decode(json.dumps(conf).encode(), "DEL")
    return Workload.of(Invocation.of(environment | variables), network, "node-a")


def test_plain_container():
    """A container is known by its id."""
    plain = workload()
    assert (plain.orchestrator, plain.namespace, plain.host_interface) == ("cni", "default", "calicid01234567")
    assert plain.identifiers.name() == "node--a-cni-cid0123456789abcdef-eth0"
    assert plain.handles("net1") == ("net1.cid0123456789abcdef", "cid0123456789abcdef")


def test_pod():
    """A pod is known by its name, whatever its sandbox."""
    pod = workload(POD)
    assert (pod.orchestrator, pod.namespace, pod.host_interface) == ("k8s", "ns1", "caliabc48332923")
    assert pod.identifiers.name() == "node--a-k8s-web--0-eth0"
    assert pod.handles("net1") == ("net1.cid0123456789abcdef", "ns1.web-0")
    assert pod.attributes("now") == {"node": "node-a", "timestamp": "now", "pod": "web-0", "namespace": "ns1"}


@pytest.mark.parametrize(("container", "name"), [("a" * 11, "cali" + "a" * 11), ("a" * 12, "cali" + "a" * 11)])
def test_host_interface_has_eleven_characters_of_the_id(container, name):
    """An interface's name has room for eleven characters besides the prefix."""
    assert workload(container=container).host_interface == name


def test_prefix_of_host_interfaces():
    """The first of the agent's prefixes is used."""
    assert workload(container="abc", FELIX_INTERFACEPREFIX="vm,tap").host_interface == "vmabc"


@pytest.mark.parametrize(
    ("text", "label"),
    [("web/front end", "web.front-end"), ("..a//b..", "a.b"), ("a-_b", "a-_b"), ("-.-", ""), ("a-.-b", "a.b")],
)
def test_labels_of_mesos(text, label):
    """What cannot stand in a label is replaced as Calico does."""
    assert workload(mesos=[("key", text)]).labels == {"key": label}


def test_namespace_of_a_plain_container():
    """The test argument wins over Mesos, which wins over the default."""
    mesos = [("projectcalico.org/namespace", "team1")]
    assert workload(mesos=mesos).namespace == "team1"
    assert workload("CNI_TEST_NAMESPACE=team2", mesos=mesos).namespace == "team2"


def test_endpoint():
    """The endpoint says whose it is, where, with which addresses, in which network."""
    endpoint = workload(POD).endpoint(["192.0.2.1/32"], "net1", "02:00:00:00:00:01")
    assert endpoint.key == ("WorkloadEndpoint", "ns1", "node--a-k8s-web--0-eth0")
    assert endpoint.labels == {"projectcalico.org/namespace": "ns1", "projectcalico.org/orchestrator": "k8s"}
    assert (endpoint.spec.pod, endpoint.spec.profiles, endpoint.spec.ip_networks) == (
        "web-0",
        ("net1",),
        ("192.0.2.1/32",),
    )


@pytest.mark.parametrize(("open_to_all", "selector"), [(True, ""), (False, "has(net1)")])
def test_profile(open_to_all, selector):
    """Plain networks let in their own endpoints, Kubernetes' without policy let in everybody."""
    profile = profile_of("net1", open_to_all=open_to_all)
    assert [rule.source.selector for rule in profile.spec.ingress] == [selector]
    assert profile.spec.labels_to_apply == {"net1": ""}


def test_node_name(tmp_path):
    """The configuration wins over the file, the file over the old setting, that over what the agent knows."""
    file = tmp_path / "nodename"

    def name(**members):
        conf = {"name": "n", "type": "percale", "nodename_file": str(file)} | members
        return node_name(Network.decode(json.dumps(conf).encode(), "ADD"), "agent")

    assert (name(), name(hostname="old"), name(nodename="conf")) == ("agent", "old", "conf")
    with pytest.raises(CniError):
        name(nodename="conf", nodename_file_optional=False)
    file.write_text("file")
    assert (name(hostname="old"), name(nodename="conf")) == ("file", "conf")
