# SPDX-License-Identifier: Apache-2.0
"""From rules as written to compiled rules and IP sets (spec/calculation.md R7, R8, R15)."""

import pytest

from percale.calc.compile import compile_policy, compile_profile, is_ignored
from percale.calc.compiled import IPSetKind, PortRange
from percale.resources import (
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    NetworkPolicySpec,
    ObjectMeta,
    Profile,
    ProfileSpec,
    Rule,
    ServiceMatch,
    StagedNetworkPolicy,
    StagedNetworkPolicySpec,
)
from percale.selectors import make_id, parse


def _policy(*ingress, **spec):
    spec = NetworkPolicySpec(ingress=ingress, **spec)
    return NetworkPolicy(metadata=ObjectMeta(name="p", namespace="ns1"), spec=spec)


def _global_policy(*ingress, **spec):
    return GlobalNetworkPolicy(metadata=ObjectMeta(name="g"), spec=GlobalNetworkPolicySpec(ingress=ingress, **spec))


def _compiled_source(rule_protocol="TCP", **entity):
    rule = Rule(action="Allow", protocol=rule_protocol, source=EntityRule(**entity))
    policy, ip_sets = compile_policy(_global_policy(rule))
    return policy.ingress[0].source, ip_sets


def test_a_selector_becomes_a_set_under_its_own_identity():
    """Equal selectors share a set, whoever uses them."""
    side, ip_sets = _compiled_source(selector="has(a)")
    uid = parse("has(a)").uid
    assert side.ip_sets == (uid,)
    assert (ip_sets[uid].kind, ip_sets[uid].selector.canonical) == (IPSetKind.NET, "has(a)")


def test_named_ports_alone_make_the_selector_redundant():
    """The members of a named-port set are filtered already."""
    uid = parse("has(a)").uid
    named = make_id("n", f"{uid},tcp,http")
    side, ip_sets = _compiled_source(selector="has(a)", ports=("http",))
    assert (side.ip_sets, side.named_port_sets, side.ports) == ((), (named,), ())
    assert ip_sets.keys() == {named}
    side, ip_sets = _compiled_source(selector="has(a)", ports=("http", 80, "90:99"))
    assert (side.ip_sets, side.named_port_sets) == ((uid,), (named,))
    assert side.ports == (PortRange(80, 80), PortRange(90, 99))
    side, _ = _compiled_source(selector="has(a)", not_ports=("http",))
    assert (side.ip_sets, side.not_named_port_sets) == ((uid,), (named,))


@pytest.mark.parametrize(
    ("protocol", "wanted"), [("TCP", "tcp"), (6, "tcp"), ("UDP", "udp"), (17, "udp"), (132, "sctp"), (None, "any")]
)
def test_a_named_port_is_of_the_rules_protocol(protocol, wanted):
    """Without a protocol in the rule the ports of all protocols count; without a selector those of all endpoints."""
    side, ip_sets = _compiled_source(protocol, ports=("http",))
    set_id = make_id("n", f"{parse('all()').uid},{wanted},http")
    assert side.named_port_sets == (set_id,)
    assert (ip_sets[set_id].protocol, ip_sets[set_id].named_port) == (wanted, "http")


def test_a_lone_negative_selector_becomes_a_set_not_to_be_in():
    """Only in a global policy, where nothing else restricts the peer."""
    side, _ = _compiled_source(not_selector="has(a)")
    assert (side.ip_sets, side.not_ip_sets) == ((), (parse("has(a)").uid,))


@pytest.mark.parametrize("namespace", ["", "ns2"])
def test_a_service_without_a_namespace_is_one_of_the_policys(namespace):
    """The reference looks it up in the namespace "" and finds nothing."""
    service = ServiceMatch(name="svc", namespace=namespace)
    rule = Rule(action="Allow", source=EntityRule(services=service), destination=EntityRule(services=service))
    policy, ip_sets = compile_policy(_policy(rule))
    name = f"{namespace or 'ns1'}/svc"
    without_ports, with_ports = make_id("svcnoport", name), make_id("svc", name)
    assert policy.ingress[0].source.ip_sets == (without_ports,)
    assert policy.ingress[0].destination.ip_port_sets == (with_ports,)
    assert {set_id: (spec.kind, spec.service) for set_id, spec in ip_sets.items()} == {
        without_ports: (IPSetKind.NET, name),
        with_ports: (IPSetKind.IP_PORT, name),
    }


@pytest.mark.parametrize(
    ("types", "ingress", "egress"),
    [((), True, True), (("Ingress",), True, False), (("Egress",), False, True), (("Ingress", "Egress"), True, True)],
)
def test_types_say_which_directions_a_policy_governs(types, ingress, egress):
    """A direction that is not governed is None and refers to no set; old data without types governs both."""
    rule = Rule(action="Allow", source=EntityRule(selector="has(a)"))
    policy, ip_sets = compile_policy(_policy(rule, types=types))
    assert (policy.ingress is not None, policy.egress is not None) == (ingress, egress)
    assert bool(ip_sets) is ingress


@pytest.mark.parametrize(
    ("protocol", "version"), [("ICMP", 4), ("ICMPv6", 6), (1, None), (58, None), ("TCP", None), (None, None)]
)
def test_a_protocol_implies_a_family_only_by_name(protocol, version):
    """The numbers 1 and 58 imply nothing."""
    policy, _ = compile_policy(_policy(Rule(action="Log", protocol=protocol)))
    assert policy.ingress[0].ip_version == version


def test_untracked_beats_pre_dnat():
    """A policy is in one class; data that says both is untracked."""
    both, _ = compile_policy(_global_policy(do_not_track=True, pre_dnat=True))
    assert (both.untracked, both.pre_dnat) == (True, False)


def test_an_unknown_action_is_refused():
    """Profiles have no schema, so any word may stand there."""
    profile = Profile(metadata=ObjectMeta(name="p"), spec=ProfileSpec(egress=(Rule(action="Maybe"),)))
    with pytest.raises(ValueError, match="'Maybe' is not an action"):
        compile_profile(profile)


def test_a_staged_deletion_is_ignored():
    """Any other staged policy is compiled and marked."""

    def staged(action):
        spec = StagedNetworkPolicySpec(staged_action=action)
        return StagedNetworkPolicy(metadata=ObjectMeta(name="p", namespace="ns1"), spec=spec)

    assert is_ignored(staged("Delete"))
    assert not is_ignored(staged("Set"))
    assert compile_policy(staged("Set")).compiled.staged
    assert not is_ignored(_policy())
