# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from percale.plugins.cni.errors import CniError
from percale.plugins.cni.network import FeatureControl, IpamSettings
from percale.plugins.cni.pod import pod_of
from percale.resources import IPNAT, ObjectMeta, WorkloadEndpoint, WorkloadEndpointSpec

ALL = FeatureControl(ip_addrs_no_ipam=True, floating_ips=True)


def pod(namespace=None, features=ALL, spec=None, labels=None, **annotations):
    def document(wishes):
        values = {name: item if isinstance(item, str) else json.dumps(item) for name, item in wishes.items()}
        return {f"cni.projectcalico.org/{name}": value for name, value in values.items()}

    return pod_of(
        {"metadata": {"annotations": document(namespace or {})}},
        {
            "metadata": {"namespace": "ns1", "labels": labels, "annotations": document(annotations)},
            "spec": spec or {},
        },
        features,
    )


def endpoint(*networks):
    labels = {"projectcalico.org/namespace": "ns1"}
    return WorkloadEndpoint(metadata=ObjectMeta(labels=labels), spec=WorkloadEndpointSpec(ip_networks=networks))


def test_a_pod_that_asks_for_nothing():
    """Without annotations the configuration decides."""
    settings = IpamSettings(assign_ipv6="true", ipv4_pools=("a",))
    assert pod().settings(settings) == settings


def test_pools_and_families():
    """Annotations replace pools and families; the pod's win over its namespace's, each for itself."""
    asked = pod(namespace={"ipv4pools": ["n"], "ipv6pools": ["m"]}, ipv4pools=["p"], ipFamilies=["IPv6"])
    settings = asked.settings(IpamSettings(ipv4_pools=("a",)))
    assert (settings.ipv4_pools, settings.ipv6_pools) == (("p",), ("m",))
    assert (settings.wants_ipv4, settings.wants_ipv6) == (False, True)


def test_addresses_are_the_pods_own_wish():
    """A namespace cannot ask for addresses."""
    assert pod(namespace={"ipAddrs": ["192.0.2.1"]}).addresses == ()


def test_what_goes_into_the_endpoint():
    """Labels, account, profiles, sources, floating addresses."""
    asked = pod(
        spec={"serviceAccountName": "sa1"},
        labels={"app": "web", "projectcalico.org/namespace": "fake"},
        floatingIPs=["203.0.113.7", "203.0.113.8"],
        allowedSourcePrefixes=["10.1.2.3/8"],
        hwAddr="02-00-00-00-00-AB",
    )
    applied = asked.applied_to(endpoint("192.0.2.1/32"))
    assert applied.labels == {
        "app": "web",
        "projectcalico.org/namespace": "ns1",
        "projectcalico.org/serviceaccount": "sa1",
    }
    assert applied.spec.profiles == ("kns.ns1", "ksa.ns1.sa1")
    assert applied.spec.ip_nats == tuple(
        IPNAT(internal_ip="192.0.2.1", external_ip=external) for external in ("203.0.113.7", "203.0.113.8")
    )
    assert applied.spec.allow_spoofed_source_prefixes == ("10.0.0.0/8",)
    assert asked.mac == "02:00:00:00:00:ab"


@pytest.mark.parametrize(("length", "labelled"), [(62, True), (63, False)])
def test_long_service_accounts_are_no_label(length, labelled):
    """A label's value has at most 63 characters, and Calico stops one before."""
    applied = pod(spec={"serviceAccountName": "s" * length}).applied_to(endpoint())
    assert ("projectcalico.org/serviceaccount" in applied.labels) is labelled


def test_ports():
    """Ports with a name or a host port are taken, of all kinds of containers, in order."""
    spec = {
        "containers": [
            {"ports": [{"name": "http", "containerPort": 80}, {"containerPort": 81}, {"name": "x"}]},
            {"ports": [{"name": "odd", "containerPort": 82, "protocol": "tcp"}]},
            {},
        ],
        "initContainers": [{"ports": [{"containerPort": 53, "hostPort": 5353, "protocol": "UDP"}]}],
    }
    assert [(port.name, port.protocol, port.port, port.host_port) for port in pod(spec=spec).ports] == [
        ("http", "TCP", 80, 0),
        ("", "UDP", 53, 5353),
    ]


@pytest.mark.parametrize(
    "annotations",
    [
        {"ipAddrs": "192.0.2.1"},
        {"ipAddrs": []},
        {"ipAddrs": [1]},
        {"ipAddrs": ["192.0.2.300"]},
        {"ipAddrs": ["192.0.2.1/32"]},
        {"ipAddrs": ["192.0.2.1", "192.0.2.2"]},
        {"ipAddrs": ["192.0.2.1"], "ipAddrsNoIpam": ["192.0.2.1"]},
        {"ipFamilies": ["ipv4"]},
        {"ipFamilies": []},
        {"ipv4pools": "a"},
        {"hwAddr": "02:00:00:00:00"},
        {"allowedSourcePrefixes": ["10.0.0.1"]},
    ],
)
def test_wishes_that_cannot_be_followed(annotations):
    """A wish that has no meaning fails the pod with the annotation's name."""
    with pytest.raises(CniError) as caught:
        pod(**annotations)
    assert any(name in str(caught.value) for name in annotations)


@pytest.mark.parametrize("name", ["ipAddrsNoIpam", "floatingIPs"])
def test_gated_wishes(name):
    """Two wishes need the operator's consent in the configuration."""
    pod(**{name: ["192.0.2.1"]})
    with pytest.raises(CniError, match="not enabled"):
        pod(features=FeatureControl(), **{name: ["192.0.2.1"]})


def test_a_floating_address_needs_an_inner_one():
    """An IPv6 floating address without an IPv6 address is refused."""
    with pytest.raises(CniError, match="no address of that family"):
        pod(floatingIPs=["2001:db8::7"]).applied_to(endpoint("192.0.2.1/32"))
