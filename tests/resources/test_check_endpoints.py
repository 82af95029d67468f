# SPDX-License-Identifier: Apache-2.0
"""The rules of workload and host endpoints."""

import pytest
from tests.resources.valid import cited, found, problems, resource

from percale.resources import check

WEP, HEP = "WorkloadEndpoint", "HostEndpoint"


def port(**members):
    return {"ports": [{"name": "http", "protocol": "TCP", "port": 80} | members]}


@pytest.mark.parametrize(
    ("spec", "message", "names"),
    [
        ({"interfaceName": "a" * 15}, None, set()),
        (
            {"interfaceName": "a" * 16},
            "spec.interfaceName: 'aaaaaaaaaaaaaaaa' is not an interface name",
            {"InterfaceName"},
        ),
        ({"interfaceName": ""}, "spec.interfaceName: is empty", {"InterfaceName"}),
        ({"containerID": "A1"}, None, set()),
        ({"containerID": "a."}, "spec.containerID: 'a.' is not a container ID", {"ContainerID"}),
        ({"ipNetworks": ["192.0.2.1"]}, None, set()),
        ({"ipNetworks": ["2001:db8::1/128", "192.0.2.1/32"]}, None, set()),
        (
            {"ipNetworks": ["192.0.2.0/31"]},
            "spec.ipNetworks[0]: '192.0.2.0/31' is a network; an endpoint has single addresses",
            {"IPNetworks"},
        ),
        (
            {"ipNetworks": ["192.0.2.1/24"]},
            "spec.ipNetworks[0]: '192.0.2.1/24' is a network; an endpoint has single addresses",
            {"IPNetworks", "IPNetworks[0]"},
        ),
        (
            {"ipNetworks": ["192.0.2.300"]},
            "spec.ipNetworks[0]: '192.0.2.300' is not an address",
            {"IPNetworks", "IPNetworks[0]"},
        ),
        ({"ipv4Gateway": "192.0.2.254"}, None, set()),
        ({"ipv4Gateway": "::1"}, "spec.ipv4Gateway: '::1' is not an IPv4 address", {"IPv4Gateway"}),
        ({"ipv6Gateway": "fe80::1"}, None, set()),
        ({"ipv6Gateway": "x"}, "spec.ipv6Gateway: 'x' is not an IPv6 address", {"IPv6Gateway"}),
        ({"ipNATs": [{"internalIP": "192.0.2.1", "externalIP": "198.51.100.1"}]}, None, set()),
        (
            {"ipNATs": [{"internalIP": "192.0.2.2", "externalIP": "198.51.100.1"}]},
            "spec.ipNATs[0].internalIP: 192.0.2.2 is not among the endpoint's ipNetworks",
            {"IPNATs"},
        ),
        (
            {"ipNATs": [{"internalIP": "192.0.2.1", "externalIP": "2001:db8::1"}]},
            "spec.ipNATs[0].externalIP: 2001:db8::1 is IPv6, internalIP is IPv4",
            {"ExternalIP"},
        ),
        (port(), None, set()),
        (port(protocol=132), None, set()),
        (port(port=65535), None, set()),
        (port(port=0), "spec.ports[0].port: 0 must be greater than 0", {"Port"}),
        (port(protocol="tcp"), "spec.ports[0].protocol: 'tcp' is not a protocol", {"Protocol"}),
        (port(protocol="ICMP"), "spec.ports[0].protocol: 'ICMP' has no ports", {"WorkloadEndpointPort.Protocol"}),
        (
            port(protocol="GRE"),
            "spec.ports[0].protocol: 'GRE' is not a protocol",
            {"Protocol", "WorkloadEndpointPort.Protocol"},
        ),
        (port(name=""), "spec.ports[0].name: is required", {"WorkloadEndpointPort.Name"}),
        (port(name="", hostPort=8080), None, set()),
        (port(name="80"), "spec.ports[0].name: '80' is not a port name", {"Name"}),
        (port(hostIP="x"), "spec.ports[0].hostIP: 'x' is not a CIDR or an address", {"HostIP"}),
        ({"allowSpoofedSourcePrefixes": ["192.0.2.1/24"]}, None, set()),
        (
            {"allowSpoofedSourcePrefixes": ["x"]},
            "spec.allowSpoofedSourcePrefixes[0]: 'x' is not a CIDR or an address",
            {"AllowSpoofedSourcePrefixes[0]"},
        ),
    ],
)
def test_workload_endpoint(spec, message, names):
    """Each field has its border, its words, and Calico's names."""
    assert problems(WEP, spec) == ([message] if message else [])
    assert cited(WEP, spec) == names


@pytest.mark.parametrize(
    ("spec", "message", "names"),
    [
        ({"node": ""}, "spec: node must be specified", {"spec"}),
        ({"interfaceName": "", "expectedIPs": ["192.0.2.1"]}, None, set()),
        (
            {"interfaceName": ""},
            "spec: at least one of interfaceName or expectedIPs must be specified",
            {"spec"},
        ),
        (
            {"expectedIPs": ["192.0.2.1/32"]},
            "spec.expectedIPs[0]: '192.0.2.1/32' is not an IP address",
            {"ExpectedIPs[0]"},
        ),
        (port(protocol="ICMP"), "spec.ports[0].protocol: 'ICMP' has no ports", {"EndpointPort.Protocol"}),
        (port(name=""), "spec.ports[0].name: is empty", {"Name"}),
    ],
)
def test_host_endpoint(spec, message, names):
    """A host endpoint has a node, an interface or addresses, and named ports."""
    assert problems(HEP, spec) == ([message] if message else [])
    assert cited(HEP, spec) == names


@pytest.mark.parametrize(
    ("identifiers", "message", "hint"),
    [
        (
            {"pod": "q"},
            "metadata.name: 'n1-k8s-p-eth0' is not the name that the spec gives this endpoint",
            "write n1-k8s-q-eth0",
        ),
        ({"pod": ""}, "spec.pod: is required to make the name of the endpoint", ""),
        ({"pod": "-p"}, "spec.pod: '-p' must not begin or end with a dash", ""),
        ({"orchestrator": "cni"}, "spec.containerID: is required to make the name of the endpoint", ""),
        ({"orchestrator": "openstack"}, "spec.workload: is required to make the name of the endpoint", ""),
    ],
)
def test_the_name_follows_from_the_identifiers(identifiers, message, hint):
    """The first identifier that is missing is named, or the name that would be right."""
    first = found(WEP, identifiers)[0]
    assert f"{first.path}: {first.message}" == message
    assert first.hint.startswith(hint)


@pytest.mark.parametrize("kind", [WEP, HEP])
def test_port_names_are_unique_in_what_people_write(kind):
    """A person's second port of one name is refused; a plugin's is not, for Calico allows it."""
    ports = [{"name": "dns", "protocol": protocol, "port": 53} for protocol in ("TCP", "UDP")]
    endpoint = resource(kind, {"ports": ports})
    assert [str(problem) for problem in check(endpoint)] == [
        "spec.ports[1].name: 'dns' is the name of ports[0] already\n    a port's name is unique within an endpoint"
    ]
    assert check(endpoint, people=False) == ()
