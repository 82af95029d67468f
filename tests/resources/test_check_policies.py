# SPDX-License-Identifier: Apache-2.0
"""The rules of rules, policies, tiers and profiles."""

import pytest
from tests.resources.valid import cited, problems

from percale.resources import DocumentError, read_documents

NP, GNP = "NetworkPolicy", "GlobalNetworkPolicy"


def ingress(**rule):
    return {"ingress": [{"action": "Allow"} | rule]}


def source(**entity):
    return ingress(source=entity)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (ingress(), set()),
        (ingress(action="Log"), set()),
        (ingress(action=""), {"spec.ingress[0].action"}),
        (ingress(action="allow"), {"spec.ingress[0].action"}),
        (ingress(ipVersion=4), set()),
        (ingress(ipVersion=5), {"spec.ingress[0].ipVersion"}),
        (ingress(protocol="UDPLite"), set()),
        (ingress(protocol=1), set()),
        (ingress(protocol=0), {"Protocol"}),
        (ingress(notProtocol="tcp"), {"Protocol"}),
        (ingress(protocol="ICMP", icmp={"type": 254, "code": 255}), set()),
        (ingress(protocol="ICMP", icmp={"type": 255}), {"Type", "spec.ingress[0].icmp.type"}),
        (ingress(protocol="ICMP", icmp={"type": 8, "code": 256}), {"Code", "spec.ingress[0].icmp.code"}),
        (ingress(protocol="ICMP", icmp={"code": 0}), {"spec.ingress[0].icmp"}),
        (ingress(notICMP={"code": 0}), {"spec.ingress[0].notICMP"}),
        (ingress(icmp={}), {"spec.ingress[0]"}),
        (ingress(protocol="ICMP", ipVersion=4), set()),
        (ingress(protocol="ICMP", ipVersion=6), {"spec.ingress[0]"}),
        (ingress(notProtocol="ICMPv6", ipVersion=4), {"spec.ingress[0]"}),
        (ingress(protocol="TCP", source={"ports": [1, 65535, "1:2", "http"]}), set()),
        (ingress(source={"ports": ["http"]}), set()),
        (ingress(source={"ports": [80]}), {"Source.Ports"}),
        (ingress(protocol="ICMP", destination={"notPorts": ["http"]}), {"Destination.NotPorts"}),
        (ingress(protocol="TCP", source={"ports": [0]}), {"Port"}),
        (ingress(protocol="TCP", source={"ports": ["HTTP"]}), {"PortName"}),
        (source(nets=["192.0.2.0/24"], notNets=["192.0.2.0/32"]), set()),
        (source(nets=["192.0.2.1/24"]), {"Nets[0]"}),
        (source(nets=["192.0.2.1"]), {"Source.Nets"}),
        (source(nets=["x"]), {"Nets[0]", "Source.Nets"}),
        (source(notNets=["0.0.0.0/0"]), {"Source.NotNets"}),
        (source(notNets=["0::0/0"]), {"Source.NotNets"}),
        (source(notNets=["0.0.0.0/1"]), set()),
        (ingress(ipVersion=4, source={"nets": ["2001:db8::/32"]}), {"Source.Nets"}),
        (source(nets=["192.0.2.0/24", "2001:db8::/32"]), {"Source.Nets"}),
        (ingress(source={"nets": ["192.0.2.0/24"]}, destination={"notNets": ["::/1"]}), {"Destination.NotNets"}),
        (source(nets=["192.0.2.0/24"] * 256), set()),
        (source(nets=["192.0.2.0/24"] * 257), {"spec.ingress[0].source.nets"}),
        (source(selector="has(a)"), set()),
        (source(selector="has(a"), {"Selector"}),
        (source(selector="a == '" + "x" * 1016 + "'"), set()),
        (source(selector="a == '" + "x" * 1018 + "'"), {"spec.ingress[0].source.selector"}),
        (source(selector="global()"), {"spec.ingress[0].source"}),
        (source(notSelector="global()"), set()),
        (source(namespaceSelector=" global() "), set()),
        (source(namespaceSelector="global() || all()"), {"NamespaceSelector field"}),
        (source(services={"name": "a"}), set()),
        (source(services={"namespace": "b"}), {"spec.ingress[0].source"}),
        (source(services={"name": "a"}, selector="all()"), {"spec.ingress[0].source"}),
        (source(services={"name": "a"}, serviceAccounts={}), {"spec.ingress[0].source"}),
        (source(services={"name": "A"}), {"Name"}),
        (ingress(destination={"services": {"name": "a"}}), {"Services"}),
        ({"egress": [{"action": "Allow", "source": {"services": {"name": "a"}}}]}, {"Services"}),
        ({"egress": [{"action": "Allow", "destination": {"services": {"name": "a"}}}]}, set()),
        (
            {
                "egress": [
                    {"action": "Allow", "protocol": "TCP", "destination": {"services": {"name": "a"}, "ports": [1]}}
                ]
            },
            {"spec.egress[0]"},
        ),
        (ingress(http={"methods": ["GET"], "paths": [{"exact": "/a"}]}), set()),
        (ingress(http={"methods": ["GET", "GET"]}), {"Methods"}),
        (ingress(http={"paths": [{"exact": "/a", "prefix": "/"}]}), {"Paths"}),
        (ingress(http={"paths": [{}]}), {"Paths"}),
        (ingress(http={"paths": [{"prefix": "a"}]}), {"Paths"}),
        (ingress(http={"paths": [{"prefix": "/a?b"}]}), {"Paths"}),
        (ingress(action="Deny", http={}), {"spec.ingress[0]"}),
        (ingress(protocol="UDP", http={}), {"spec.ingress[0]"}),
        ({"egress": [{"action": "Allow", "http": {}}]}, {"HTTP"}),
        (ingress(metadata={"annotations": {"bad key": "x"}}), {"Metadata.Annotations (key)"}),
        ({"ingress": [{"action": "Allow"}] * 1024}, set()),
        ({"ingress": [{"action": "Allow"}] * 1025}, {"spec.ingress"}),
        ({"types": ["Egress", "Ingress"]}, set()),
        ({"types": ["Ingress", "Ingress"]}, {"NetworkPolicySpec.Types"}),
        ({"types": ["Both"]}, {"spec.types[0]"}),
        ({"selector": "global()"}, {"spec"}),
        ({"performanceHints": ["AssumeNeededOnEveryNode"]}, set()),
        ({"performanceHints": ["x"]}, {"PerformanceHints[0]", "spec.performanceHints[0]"}),
        ({"tier": "a.b"}, set()),
        ({"order": -1.5}, set()),
    ],
)
def test_network_policy(spec, names):
    """Each rule of a policy has its border."""
    assert cited(NP, spec) == names


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"preDNAT": True, "applyOnForward": True}, set()),
        ({"preDNAT": True}, {"spec"}),
        ({"doNotTrack": True}, {"spec"}),
        ({"preDNAT": True, "doNotTrack": True, "applyOnForward": True}, {"spec"}),
        ({"preDNAT": True, "applyOnForward": True, "types": ["Egress"]}, {"spec"}),
        ({"namespaceSelector": "global()"}, {"spec"}),
        (source(services={"name": "a", "namespace": "b"}), set()),
        (source(services={"name": "a"}), {"Namespace"}),
        ({"types": ["Egress", "Egress"]}, {"GlobalNetworkPolicySpec.Types"}),
    ],
)
def test_global_network_policy(spec, names):
    """Host policies and services have rules of their own."""
    assert cited(GNP, spec) == names


@pytest.mark.parametrize(
    ("kind", "name", "accepted"),
    [
        (NP, "a", True),
        (NP, "default.a", True),
        (NP, "a.b.c", False),
        (NP, "knp.default.a.b.c", True),
        (NP, "ossg.default.a", True),
        (NP, "knp.other.a", False),
        (GNP, "a.b", True),
        (GNP, "knp.default.a", False),
        ("Tier", "a" * 63, True),
        ("Tier", "a" * 64, False),
        ("Tier", "a.b", False),
    ],
)
def test_names_of_policies_and_tiers(kind, name, accepted):
    """Policies have one or two parts, those that stand for Kubernetes' more; tiers have one."""
    assert cited(kind, name=name) == (set() if accepted else {"Metadata.Name"})


@pytest.mark.parametrize(
    ("name", "spec", "messages"),
    [
        ("default", {}, []),
        ("default", {"order": 1_000_000, "defaultAction": "Deny"}, []),
        ("default", {"order": 999_999}, ["spec.order: the built-in tier has order 1000000"]),
        ("default", {"defaultAction": "Pass"}, ["spec.defaultAction: the built-in tier has Deny"]),
        ("kube-admin", {"order": 1000, "defaultAction": "Pass"}, []),
        (
            "kube-baseline",
            {},
            ["spec.defaultAction: the built-in tier has Pass", "spec.order: the built-in tier has order 10000000"],
        ),
        ("mine", {"order": 5, "defaultAction": "Pass"}, []),
    ],
)
def test_built_in_tiers_keep_their_values(name, spec, messages):
    """Order and default action of the three built-in tiers are fixed."""
    assert problems("Tier", spec, name=name) == messages


@pytest.mark.parametrize(
    ("kind", "spec", "names"),
    [
        ("StagedNetworkPolicy", {"stagedAction": "Learn", "selector": "all()"}, set()),
        ("StagedNetworkPolicy", {"stagedAction": "Drop"}, {"spec.stagedAction"}),
        ("StagedNetworkPolicy", {"stagedAction": "Delete", "tier": "default", "types": ["Ingress"]}, set()),
        ("StagedNetworkPolicy", {"stagedAction": "Delete", "selector": "all()"}, {"StagedNetworkPolicySpec"}),
        ("StagedGlobalNetworkPolicy", {"stagedAction": "Delete", "order": 0}, {"StagedGlobalNetworkPolicySpec"}),
        ("StagedKubernetesNetworkPolicy", {"stagedAction": "Delete"}, set()),
        (
            "StagedKubernetesNetworkPolicy",
            {"stagedAction": "Delete", "policyTypes": ["Ingress"]},
            {"StagedKubernetesNetworkPolicySpec"},
        ),
        ("StagedKubernetesNetworkPolicy", {"ingress": [{"ports": [{"port": 1, "endPort": 1}]}]}, set()),
        ("StagedKubernetesNetworkPolicy", {"ingress": [{"ports": [{"port": 2, "endPort": 1}]}]}, {"PolicySpec"}),
        ("StagedKubernetesNetworkPolicy", {"ingress": [{"ports": [{"endPort": 1}]}]}, {"PolicySpec"}),
    ],
)
def test_staged_policies(kind, spec, names):
    """A staged deletion carries nothing else."""
    assert cited(kind, spec) == names


@pytest.mark.parametrize(("line", "refused"), [("types: []", False), ("ingress: []", True)])
def test_a_list_written_empty_counts_with_a_staged_deletion(line, refused):
    """Only types may be there; the document's line is named."""
    head = "apiVersion: projectcalico.org/v3\nkind: StagedNetworkPolicy\nmetadata: {name: a, namespace: b}\n"
    text = f"{head}spec:\n  stagedAction: Delete\n  {line}\n"
    if refused:
        with pytest.raises(DocumentError, match="not even an empty list"):
            read_documents(text)
    else:
        assert read_documents(text)[0].check() == ()


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"labelsToApply": {"a": "b"}}, set()),
        ({"labelsToApply": {"a": "not ok", "b c": "d"}}, {"LabelsToApply"}),
        ({"ingress": [{"action": "anything"}]}, set()),
        ({"egress": [{"action": "Allow", "destination": {"ports": [80]}}]}, {"Destination.Ports"}),
    ],
)
def test_profiles_have_the_first_layer_only(spec, names):
    """No schema is published for profiles, so an unknown action passes, as in Calico."""
    assert cited("Profile", spec) == names


def test_words_for_a_rule():
    """The path is the user's, the hint says what to do."""
    spec = {
        "ingress": [
            {"action": "allow", "source": {"nets": ["10.0.0.300/8", "192.0.2.1"]}, "destination": {"ports": [80]}},
        ]
    }
    assert problems(NP, spec) == [
        "spec.ingress[0].source.nets[0]: '10.0.0.300/8' is not a CIDR or an address",
        "spec.ingress[0].destination.ports: ports need a protocol that has ports",
        "spec.ingress[0].source.nets[1]: '192.0.2.1' is not a CIDR with a prefix length",
        "spec.ingress[0].action: 'allow' is not one of Allow, Deny, Log, Pass",
    ]
