# SPDX-License-Identifier: Apache-2.0
"""Kubernetes NetworkPolicy as a Calico policy (spec/storage-kubernetes.md section 6): of stored and of staged ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from percale.resources.addresses import parse_network
from percale.resources.fields import Port, port, port_range
from percale.resources.network_policy import NetworkPolicySpec
from percale.resources.rules import EntityRule, Rule
from percale.resources.staged_kubernetes_policy import (
    IPBlock,
    LabelSelector,
    LabelSelectorRequirement,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    StagedKubernetesNetworkPolicySpec,
)
from percale.resources.tier import DEFAULT_TIER

__all__ = ["ConvertedPolicy", "convert_kubernetes_policy"]

_ORDER = 1000
_PODS = "projectcalico.org/orchestrator == 'k8s'"
_PROTOCOLS = {name.lower(): name for name in ("TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "UDPLite")}
_DEFAULT_PROTOCOL = "TCP"


class ConvertedPolicy(NamedTuple):
    """The Calico form of a Kubernetes policy, and what keeps each rule that was left out from being converted."""

    spec: NetworkPolicySpec
    bad_rules: tuple[str, ...]


def convert_kubernetes_policy(policy: StagedKubernetesNetworkPolicySpec) -> ConvertedPolicy:
    """Return what a Kubernetes NetworkPolicy of these members means; a rule that has no meaning is left out.

    A network that is none makes its rule meaningless. (In Calico the rule then allows everybody.)
    """
    bad_rules: list[str] = []
    spec = NetworkPolicySpec(
        tier=DEFAULT_TIER,
        order=_ORDER,
        selector=_pod_selector(policy.pod_selector),
        types=tuple(each for each in ("Ingress", "Egress") if each in policy.policy_types) or ("Ingress",),
        ingress=tuple(_rules(policy.ingress, bad_rules)),
        egress=tuple(_rules(policy.egress, bad_rules)),
    )
    return ConvertedPolicy(spec, tuple(bad_rules))


_KubernetesRule = NetworkPolicyIngressRule | NetworkPolicyEgressRule


def _rules(rules: Iterable[_KubernetesRule], bad_rules: list[str]) -> Iterator[Rule]:
    for rule in rules:
        try:
            yield from list(_rule(rule))
        except ValueError as problem:
            bad_rules.append(str(problem))


def _rule(rule: _KubernetesRule) -> Iterator[Rule]:
    """One rule for each protocol and peer: neither side of a Calico rule can hold alternatives of either."""
    is_ingress = isinstance(rule, NetworkPolicyIngressRule)
    peers = [_peer(peer) for peer in (rule.from_ if isinstance(rule, NetworkPolicyIngressRule) else rule.to)]
    for protocol, ports in _ports_by_protocol(rule.ports):
        for peer in peers or [EntityRule()]:
            if is_ingress:
                yield Rule(action="Allow", protocol=protocol, source=peer, destination=EntityRule(ports=ports))
            else:
                yield Rule(action="Allow", protocol=protocol, destination=peer.replace(ports=ports))


def _ports_by_protocol(ports: Iterable[NetworkPolicyPort]) -> list[tuple[str | None, tuple[Port, ...]]]:
    of_protocol: dict[str, list[NetworkPolicyPort]] = {}
    for each in ports:
        name = each.protocol or _DEFAULT_PROTOCOL
        of_protocol.setdefault(_PROTOCOLS.get(name.lower(), name), []).append(each)
    if not of_protocol:
        return [(None, ())]
    return [(protocol, _ports(each)) for protocol, each in sorted(of_protocol.items())]


def _ports(ports: list[NetworkPolicyPort]) -> tuple[Port, ...]:
    """Names in their order, then numbers, merged; none where an entry stands for the whole protocol."""
    converted = [_port(each) for each in ports]
    if None in converted:
        return ()
    names = [each for each in converted if each is not None and port_range(each) is None]
    return (*names, *_merged(span for each in converted if each is not None and (span := port_range(each))))


def _port(entry: NetworkPolicyPort) -> Port | None:
    if entry.port is None:
        return None
    first = port(entry.port)
    if entry.end_port is None:
        return first
    if not isinstance(first, int):
        raise ValueError(f"port {entry.port!r} with an endPort is not a number")
    return port(f"{first}:{entry.end_port}")


def _merged(spans: Iterable[tuple[int, int]]) -> Iterator[Port]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return (port(f"{first}:{last}") for first, last in merged)


def _peer(peer: NetworkPolicyPeer) -> EntityRule:
    if peer.ip_block is not None:
        return _block(peer.ip_block)
    pods, namespaces = peer.pod_selector, peer.namespace_selector
    return EntityRule(
        selector=_PODS if pods is None else _pod_selector(pods),
        namespace_selector="" if namespaces is None else " && ".join(_terms(namespaces)) or "all()",
    )


def _block(block: IPBlock) -> EntityRule:
    return EntityRule(nets=(_cidr(block.cidr),), not_nets=tuple(map(_cidr, block.except_)))


def _cidr(text: str) -> str:
    network = parse_network(text)
    if network is None:
        raise ValueError(f"{text!r} is not a CIDR")
    return str(network.masked)


def _pod_selector(selector: LabelSelector) -> str:
    return " && ".join((_PODS, *_terms(selector)))


def _terms(selector: LabelSelector) -> Iterator[str]:
    for key, value in sorted(selector.match_labels.items()):
        yield f"{key} == '{value}'"
    for requirement in selector.match_expressions:
        yield from _term(requirement)


def _term(requirement: LabelSelectorRequirement) -> Iterator[str]:
    key, values = requirement.key, "', '".join(requirement.values)
    match requirement.operator:
        case "In":
            yield f"{key} in {{ '{values}' }}"
        case "NotIn":
            yield f"{key} not in {{ '{values}' }}"
        case "Exists":
            yield f"has({key})"
        case "DoesNotExist":
            yield f"! has({key})"
