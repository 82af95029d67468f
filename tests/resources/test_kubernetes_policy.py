# SPDX-License-Identifier: Apache-2.0
"""Kubernetes policies as Calico's (spec/storage-kubernetes.md section 6)."""

import msgspec
import pytest

from percale.resources import EntityRule, Rule, StagedKubernetesNetworkPolicySpec
from percale.resources.kubernetes_policy import convert_kubernetes_policy

PODS = "projectcalico.org/orchestrator == 'k8s'"


def _converted(**members):
    spec = msgspec.convert({"podSelector": {}} | members, StagedKubernetesNetworkPolicySpec)
    return convert_kubernetes_policy(spec)


def _ports(*ports):
    [rule] = _converted(ingress=[{"ports": list(ports)}]).spec.ingress
    return rule.protocol, rule.destination.ports


def _peer(**peer):
    [rule] = _converted(ingress=[{"from": [peer]}]).spec.ingress
    return rule.source


def test_it_stands_in_the_default_tier():
    """Order 1000, for pods only, and for ingress unless it says otherwise."""
    spec, bad_rules = _converted()
    assert (spec.tier, spec.order, spec.selector, spec.types) == ("default", 1000, PODS, ("Ingress",))
    assert not bad_rules
    assert _converted(policyTypes=["Egress", "Ingress"]).spec.types == ("Ingress", "Egress")


def test_selectors_are_joined_in_their_order():
    """Labels by key, then expressions as written; an operator that does not exist is passed over."""
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "k", "operator": "In", "values": ["x", "y"]},
            {"key": "k", "operator": "NotIn", "values": ["z"]},
            {"key": "k", "operator": "Exists"},
            {"key": "l", "operator": "DoesNotExist"},
            {"key": "m", "operator": "Near"},
            {"key": "n", "operator": "In", "values": []},
        ],
    }
    terms = "a == '1' && b == '2' && k in { 'x', 'y' } && k not in { 'z' } && has(k) && ! has(l) && n in { '' }"
    assert _converted(podSelector=selector).spec.selector == f"{PODS} && {terms}"
    assert _peer(namespaceSelector=selector) == EntityRule(selector=PODS, namespace_selector=terms)


def test_peers_are_pods_namespaces_or_blocks():
    """A namespace alone means its pods, an empty one all namespaces; a block leaves selectors aside."""
    assert _peer(podSelector={"matchLabels": {"a": "b"}}) == EntityRule(selector=f"{PODS} && a == 'b'")
    assert _peer(namespaceSelector={}) == EntityRule(selector=PODS, namespace_selector="all()")
    assert _peer() == EntityRule(selector=PODS)
    block = _peer(ipBlock={"cidr": "10.0.0.1/8", "except": ["10.1.2.3/16"]}, podSelector={})
    assert block == EntityRule(nets=("10.0.0.0/8",), not_nets=("10.1.0.0/16",))


@pytest.mark.parametrize(
    ("ports", "converted"),
    [
        ([{}], ("TCP", ())),
        ([{"protocol": "udp", "port": 53}], ("UDP", (53,))),
        ([{"port": "80"}], ("TCP", (80,))),
        ([{"port": 80}, {"port": 82}], ("TCP", (80, 82))),
        ([{"port": 80}, {"port": 81}, {"port": "b"}, {"port": 79}, {"port": "a"}], ("TCP", ("b", "a", "79:81"))),
        ([{"port": 80, "endPort": 90}, {"port": 85, "endPort": 95}], ("TCP", ("80:95",))),
        ([{"port": 80}, {"protocol": "TCP"}], ("TCP", ())),
    ],
)
def test_ports_are_merged_behind_the_names(ports, converted):
    """An entry without a port is the whole protocol, whatever stands beside it."""
    assert _ports(*ports) == converted


def test_there_is_one_rule_for_each_protocol_and_peer():
    """Protocols by name, then peers in their order; egress has both on one side."""
    rule = {"ports": [{"protocol": "UDP", "port": 53}, {"port": 80}], "to": [{}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    assert _converted(egress=[rule]).spec.egress == tuple(
        Rule(action="Allow", protocol=protocol, destination=peer.replace(ports=(port,)))
        for protocol, port in (("TCP", 80), ("UDP", 53))
        for peer in (EntityRule(selector=PODS), EntityRule(nets=("10.0.0.0/8",)))
    )
    assert _converted(ingress=[{}]).spec.ingress == (Rule(action="Allow"),)


@pytest.mark.parametrize(
    "rule",
    [
        {"ports": [{"port": "a b"}, {"port": 80}]},
        {"ports": [{"port": 65536}]},
        {"ports": [{"port": 90, "endPort": 80}]},
        {"ports": [{"port": "http", "endPort": 80}]},
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]},
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["x"]}}]},
    ],
)
def test_a_rule_that_means_nothing_is_left_out(rule):
    """One bad port or network spoils its rule and no other."""
    spec, bad_rules = _converted(ingress=[rule, {"ports": [{"port": 65535}]}])
    assert [each.destination.ports for each in spec.ingress] == [(65535,)]
    assert len(bad_rules) == 1
