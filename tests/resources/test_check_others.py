# SPDX-License-Identifier: Apache-2.0
"""The rules of address management, nodes, agents and BGP."""

import pytest
from tests.resources.valid import cited, problems

POOL, FELIX = "IPPool", "FelixConfiguration"


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"cidr": "192.0.2.0/26"}, set()),
        ({"cidr": "192.0.2.0/27"}, {"spec"}),
        ({"cidr": "192.0.2.0/27", "disabled": True}, set()),
        ({"cidr": "192.0.2.0/27", "blockSize": 27}, set()),
        ({"cidr": "2001:db8::/122"}, set()),
        ({"cidr": "2001:db8::/123"}, {"spec"}),
        ({"blockSize": 32}, set()),
        ({"blockSize": 33}, {"spec"}),
        ({"cidr": "10.0.0.0/8", "blockSize": 20}, set()),
        ({"cidr": "10.0.0.0/8", "blockSize": 19}, {"spec"}),
        ({"cidr": "2001:db8::/100", "blockSize": 115}, {"spec"}),
        ({"blockSize": -1}, {"spec", "spec.blockSize"}),
        ({"cidr": "169.0.0.0/8"}, {"spec"}),
        ({"cidr": "168.0.0.0/8"}, set()),
        ({"cidr": "0.0.0.0/0"}, {"spec"}),
        ({"cidr": "fe80::/64"}, {"spec"}),
        ({"ipipMode": "Always"}, set()),
        ({"ipipMode": "always"}, {"spec.ipipMode"}),
        ({"ipipMode": "Always", "vxlanMode": "CrossSubnet"}, {"spec"}),
        ({"cidr": "2001:db8::/64", "ipipMode": "Always"}, {"spec"}),
        ({"cidr": "2001:db8::/64", "vxlanMode": "Always"}, set()),
        ({"namespaceSelector": "all()", "allowedUses": ["Workload"]}, set()),
        ({"namespaceSelector": "all()"}, {"spec"}),
        ({"nodeSelector": "global()"}, {"spec"}),
        ({"nodeSelector": "x =="}, {"NodeSelector"}),
        ({"allowedUses": ["LoadBalancer"]}, set()),
        ({"allowedUses": ["LoadBalancer", "Tunnel"]}, {"spec"}),
        ({"allowedUses": ["LoadBalancer"], "nodeSelector": "has(a)"}, {"spec"}),
        ({"allowedUses": ["LoadBalancer"], "disableBGPExport": True}, {"spec"}),
        ({"allowedUses": ["LoadBalancer"], "vxlanMode": "Always"}, {"spec"}),
        ({"allowedUses": ["Anything"]}, {"IPpool.AllowedUses", "spec.allowedUses[0]"}),
        ({"assignmentMode": "Manual"}, set()),
        ({"assignmentMode": ""}, {"spec.assignmentMode"}),
    ],
)
def test_pool(spec, names):
    """A pool's size, place, encapsulation and uses have their borders."""
    assert cited(POOL, spec) == names


@pytest.mark.parametrize(
    ("kind", "spec", "names"),
    [
        ("NetworkSet", {"nets": ["192.0.2.1/24", "2001:db8::1"]}, set()),
        ("GlobalNetworkSet", {"nets": ["x"]}, {"Nets[0]"}),
        ("IPReservation", {"reservedCIDRs": ["192.0.2.1/24"]}, set()),
        ("IPReservation", {"reservedCIDRs": ["192.0.2.1"]}, {"spec.reservedCIDRs[0]"}),
        ("IPReservation", {"reservedCIDRs": ["x"]}, {"ReservedCIDRs", "spec.reservedCIDRs[0]"}),
        ("IPAMConfiguration", {"maxBlocksPerHost": 1_000_000, "ipCooldownSeconds": 1200}, set()),
        ("IPAMConfiguration", {"maxBlocksPerHost": -1}, {"MaxBlocksPerHost", "spec.maxBlocksPerHost"}),
        ("IPAMConfiguration", {"maxBlocksPerHost": 1_000_001}, {"spec.maxBlocksPerHost"}),
        ("IPAMConfiguration", {"ipCooldownSeconds": 1201}, {"spec.ipCooldownSeconds"}),
        ("BlockAffinity", {"state": ""}, set()),
        ("BlockAffinity", {"state": "gone"}, {"spec.state"}),
        ("BlockAffinity", {"deleted": True}, {"Spec.Deleted"}),
        ("BlockAffinity", {"cidr": "192.0.2.1"}, {"spec.cidr"}),
        ("Node", {"bgp": {"ipv4Address": "192.0.2.1/24"}}, set()),
        ("Node", {"bgp": {}}, {"BGP"}),
        ("Node", {"bgp": {"ipv6Address": "192.0.2.1/24"}}, {"IPv6Address"}),
        ("Node", {"vxlanTunnelMACAddr": "x"}, {"VXLANTunnelMACAddr"}),
        ("Node", {"wireguard": {"interfaceIPv4Address": "::1"}}, {"InterfaceIPv4Address"}),
        ("Node", {"addresses": [{"address": "anything"}]}, set()),
        ("CalicoNodeStatus", {"updatePeriodSeconds": 86400}, set()),
        ("CalicoNodeStatus", {"updatePeriodSeconds": 86401}, {"UpdatePeriodSeconds"}),
        ("CalicoNodeStatus", {"classes": ["BGP", "BGP"]}, {"Classes"}),
        ("CalicoNodeStatus", {"classes": ["Other"]}, {"spec.classes[0]"}),
        ("KubeControllersConfiguration", {"healthChecks": "On"}, {"HealthChecks", "spec.healthChecks"}),
        ("KubeControllersConfiguration", {"prometheusMetricsPort": 65536}, {"spec.prometheusMetricsPort"}),
        ("BGPPeer", {"peerIP": "[2001:db8::1]:179", "reachableBy": "fe80::1"}, set()),
        ("BGPPeer", {"reachableBy": "fe80::1"}, {"ReachableBy"}),
        ("BGPPeer", {"node": "a", "nodeSelector": "all()"}, {"spec"}),
        ("BGPPeer", {"asNumber": 2147483647}, set()),
        ("BGPPeer", {"asNumber": 2147483648}, {"BGPPeer"}),
        ("BGPPeer", {"reversePeering": "x"}, {"BGPPeer", "spec.reversePeering"}),
        ("BGPConfiguration", {"communities": [{"name": "a", "value": "1:2"}]}, {"spec"}),
        (
            "BGPConfiguration",
            {"prefixAdvertisements": [{"cidr": "192.0.2.0/24", "communities": ["65535:65535", "1:2:4294967295"]}]},
            set(),
        ),
        (
            "BGPConfiguration",
            {"prefixAdvertisements": [{"cidr": "192.0.2.0/24", "communities": ["65536:1"]}]},
            {"Spec.PrefixAdvertisement[].Communities[]"},
        ),
        ("BGPConfiguration", {"nodeToNodeMeshEnabled": False, "nodeMeshMaxRestartTime": "1m"}, {"spec"}),
        ("BGPFilter", {"exportV4": [{"action": "Accept", "cidr": "192.0.2.0/24"}]}, {"spec.exportV4[0]"}),
        (
            "BGPFilter",
            {"exportV6": [{"action": "Reject", "cidr": "2001:db8::/32", "matchOperator": "In"}]},
            set(),
        ),
        (
            "BGPFilter",
            {"importV4": [{"action": "Accept", "operations": [{"addCommunity": {"value": "1:2"}}]}]},
            set(),
        ),
        (
            "BGPFilter",
            {"importV4": [{"action": "Reject", "operations": [{"setPriority": {"value": 5}}]}]},
            {"spec.importV4[0]"},
        ),
        ("BGPFilter", {"exportV4": [{"action": ""}]}, {"Action", "spec.exportV4[0].action"}),
        (
            "BGPConfiguration",
            {
                "communities": [{"name": "a", "value": "65536:1"}],
                "prefixAdvertisements": [{"cidr": "192.0.2.0/24", "communities": ["a"]}],
            },
            {"Spec.Communities[].Value"},
        ),
        (
            "BGPFilter",
            {
                "exportV4": [
                    {
                        "action": "Accept",
                        "cidr": "192.0.2.0/24",
                        "matchOperator": "In",
                        "prefixLength": {"min": 0, "max": 33},
                    }
                ]
            },
            {"Max", "spec.exportV4[0].prefixLength.max"},
        ),
        (
            "BGPFilter",
            {"exportV6": [{"action": "Accept", "prefixLength": {"max": 128}}]},
            {"spec.exportV6[0]"},
        ),
        (
            "BGPFilter",
            {"exportV4": [{"action": "Accept", "operations": [{}]}]},
            {"spec.exportV4[0].operations[0]"},
        ),
        (
            "BGPFilter",
            {"exportV4": [{"action": "Accept", "communities": {"values": ["1:2", "3:4"]}}]},
            {"spec.exportV4[0].communities.values"},
        ),
        (
            "BGPFilter",
            {"exportV4": [{"action": "Accept", "communities": {"values": ["65536:1"]}}]},
            {"spec.exportV4[0].communities.values[0]"},
        ),
        ("FelixConfiguration", {"bpfDSROptoutCIDRs": ["192.0.2.1/24"]}, set()),
        ("FelixConfiguration", {"bpfDSROptoutCIDRs": ["192.0.2.1/24", "x"]}, {"BPFDSROptoutCIDRs"}),
        ("IPPool", {"cidr": "192.0.2.1"}, {"spec.cidr"}),
        ("IPPool", {"cidr": "192.0.2.1/24"}, {"CIDR", "spec"}),
    ],
)
def test_other_kinds(kind, spec, names):
    """Each rule has its border."""
    assert cited(kind, spec) == names


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"routeRefreshInterval": "90s"}, set()),
        ({"routeRefreshInterval": "1500ms"}, {"spec.routeRefreshInterval"}),
        ({"routeRefreshInterval": "-1s"}, {"spec.routeRefreshInterval"}),
        ({"nftablesRefreshInterval": "1500ms"}, set()),
        ({"liveMigrationRouteConvergenceTime": "1500ms"}, set()),
        ({"chainInsertMode": "append"}, set()),
        ({"chainInsertMode": "after"}, {"spec.chainInsertMode"}),
        ({"logSeverityScreen": "dEBUG"}, set()),
        ({"nftablesMode": "enabled"}, {"spec.nftablesMode"}),
        ({"iptablesBackend": ""}, {"spec.iptablesBackend"}),
        ({"awsSrcDstCheck": "x"}, {"AWSSrcDstCheck", "spec.awsSrcDstCheck"}),
        ({"nftablesMarkMask": 4294967295}, set()),
        ({"nftablesMarkMask": 4294967296}, {"spec.nftablesMarkMask"}),
        ({"logActionRateLimit": "9999/hour"}, set()),
        ({"logActionRateLimit": "10000/hour"}, {"spec.logActionRateLimit"}),
        ({"debugPort": 65535}, set()),
        ({"debugPort": 65536}, {"DebugPort"}),
        ({"wireguardRoutingRulePriority": 32765}, set()),
        ({"wireguardRoutingRulePriority": 32766}, {"WireguardRoutingRulePriority"}),
        ({"kubeNodePortRanges": ["1:2"] * 7}, set()),
        ({"kubeNodePortRanges": ["1:2"] * 8}, {"KubeNodePortRanges", "spec.kubeNodePortRanges"}),
        ({"kubeNodePortRanges": ["http"]}, {"KubeNodePortRanges"}),
        ({"externalNodesList": ["192.0.2.0/24"]}, set()),
        ({"externalNodesList": ["2001:db8::/32"]}, {"ExternalNodesCIDRList"}),
        ({"openstackRegion": "a" * 46}, set()),
        ({"openstackRegion": "a" * 47}, {"OpenstackRegion"}),
        ({"natOutgoingAddress": "192.0.2.1"}, set()),
        ({"natOutgoingAddress": "::1"}, {"spec"}),
        ({"natOutgoingAddress": "x"}, {"NATOutgoingAddress", "spec"}),
        ({"deviceRouteSourceAddressIPv6": "::1"}, set()),
        ({"routeTableRange": {"min": 1, "max": 250}}, set()),
        ({"routeTableRange": {"min": 1, "max": 251}}, {"RouteTableRange", "spec.routeTableRange"}),
        ({"routeTableRanges": [{"min": 1, "max": 65535}]}, set()),
        ({"routeTableRanges": [{"min": 1, "max": 65536}]}, {"RouteTableRanges"}),
        ({"routeTableRanges": [{"min": 0, "max": 1}]}, {"RouteTableRange", "spec.routeTableRanges[0]"}),
        ({"routeTableRange": {"min": 1, "max": 2}, "routeTableRanges": []}, {"spec"}),
        ({"nodeSelector": "all()"}, {"FelixConfiguration"}),
        ({"healthTimeoutOverrides": [{"name": "a b", "timeout": "0s"}]}, set()),
        ({"healthTimeoutOverrides": [{"name": "a.b", "timeout": "1s"}]}, {"HealthTimeoutOverride.Name"}),
        ({"healthTimeoutOverrides": [{"name": "a", "timeout": "-1s"}]}, {"HealthTimeoutOverride.Timeout"}),
        ({"failsafeInboundHostPorts": [{"protocol": "x", "port": 0, "net": "y"}]}, set()),
        ({"featureDetectOverride": "a=true,b="}, set()),
        ({"featureDetectOverride": "a=maybe"}, {"spec.featureDetectOverride"}),
        ({"bpfLogFilters": {"all": "tcp", "eth0": "udp"}}, set()),
        ({"bpfLogFilters": {"a b": "tcp"}}, {"BPFLogFilters"}),
        ({"mtuIfacePattern": "("}, {"MTUIfacePattern"}),
    ],
)
def test_agents_settings(spec, names):
    """Each setting of the agents has its border; the content of failsafe lists is free, as in Calico."""
    assert cited(FELIX, spec) == names


def test_the_namespace_label_is_reserved():
    """Network sets cannot claim a namespace by label."""
    assert problems("GlobalNetworkSet", labels={"projectcalico.org/namespace": "a"}) == [
        "metadata.labels['projectcalico.org/namespace']: the label projectcalico.org/namespace is reserved"
    ]


def test_some_bgp_settings_are_for_the_default_only():
    """Another BGPConfiguration cannot set what holds for all nodes."""
    assert cited("BGPConfiguration", {"asNumber": 64512}) == set()
    assert cited("BGPConfiguration", {"asNumber": 64512}, name="node.a") == {"BGPConfiguration.Spec.ASNumber"}


@pytest.mark.parametrize(
    ("templates", "names"),
    [
        ([{"generateName": "a", "interfacePattern": "eth.*"}], set()),
        ([{"generateName": "a"}], {"KubeControllersConfiguration.Node.HostEndpoint.Templates.a"}),
        (
            [{"generateName": "a", "interfaceCIDRs": ["192.0.2.0/24"]}] * 2,
            {"KubeControllersConfiguration.Node.HostEndpoint.Templates.a"},
        ),
        ([{"interfacePattern": "x"}], {"KubeControllersConfiguration.Node.HostEndpoint.Templates"}),
    ],
)
def test_templates_of_host_endpoints(templates, names):
    """A template has a name of its own and says which interfaces it is for."""
    spec = {"controllers": {"node": {"hostEndpoint": {"templates": templates}}}}
    assert cited("KubeControllersConfiguration", spec) == names
