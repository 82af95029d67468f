# SPDX-License-Identifier: Apache-2.0
"""From a policy or profile as its author wrote it to the compiled form and the IP sets that it refers to.

A pure function of one resource: the agent's calculation and a one-shot question compile alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from percale.calc.compiled import (
    Action,
    CompiledPolicy,
    CompiledProfile,
    CompiledRule,
    Icmp,
    IPSetID,
    IPSetKind,
    IPSetSpec,
    PolicyID,
    PortRange,
    RuleSide,
)
from percale.calc.contributors import protocol_name
from percale.calc.effective import effective_peer, global_policy_selector, namespaced_policy_selector
from percale.calc.networks import canonical_cidr
from percale.resources.kubernetes_policy import convert_kubernetes_policy
from percale.resources.network_policy import GlobalNetworkPolicy, NetworkPolicy
from percale.resources.profile import Profile
from percale.resources.rules import ANY_ENTITY, EntityRule, ICMPFields, Rule, ServiceMatch
from percale.resources.staged_kubernetes_policy import StagedKubernetesNetworkPolicy
from percale.resources.staged_policy import StagedGlobalNetworkPolicy, StagedNetworkPolicy, StagedNetworkPolicySpec
from percale.resources.tier import DEFAULT_TIER
from percale.selectors import Selector, make_id, parse

__all__ = [
    "Compilation",
    "PolicyResource",
    "absent_profile",
    "as_calico_policy",
    "compile_policy",
    "compile_profile",
    "is_ignored",
    "is_needed_everywhere",
    "policy_selector",
]

T = TypeVar("T")

PolicyResource: TypeAlias = NetworkPolicy | GlobalNetworkPolicy | StagedNetworkPolicy | StagedGlobalNetworkPolicy

_GLOBAL = (GlobalNetworkPolicy, StagedGlobalNetworkPolicy)
_STAGED = (StagedNetworkPolicy, StagedGlobalNetworkPolicy)

_ACTIONS = {"allow": Action.ALLOW, "deny": Action.DENY, "pass": Action.PASS, "log": Action.LOG}
_ANY_PROTOCOL = "any"

_IP_VERSIONS = {"icmp": 4, "icmpv6": 6}
"""The address family that a protocol implies when it is given by name (spec/policy.md section 4)."""

_NEEDED_EVERYWHERE = "AssumeNeededOnEveryNode"
_STAGED_DELETION = "Delete"
_ANY_SIDE = RuleSide()


class Compilation(NamedTuple, Generic[T]):
    """A compiled policy or profile, and all IP sets that its rules refer to."""

    compiled: T
    ip_sets: Mapping[IPSetID, IPSetSpec]


def policy_selector(policy: PolicyResource) -> Selector:
    """Return which endpoints a policy applies to: its effective selector. Raises SelectorError."""
    spec = policy.spec
    if isinstance(policy, _GLOBAL):
        return global_policy_selector(spec.selector, policy.spec.namespace_selector, spec.service_account_selector)
    return namespaced_policy_selector(spec.selector, policy.namespace, spec.service_account_selector)


def is_ignored(policy: PolicyResource) -> bool:
    """Report whether a staged policy stands for a deletion and counts as absent (spec/policy.md section 3)."""
    return isinstance(policy, _STAGED) and policy.spec.staged_action == _STAGED_DELETION


def is_needed_everywhere(policy: PolicyResource) -> bool:
    """Report whether a policy is active on every host, whatever it selects (spec/calculation.md R4)."""
    return _NEEDED_EVERYWHERE in policy.spec.performance_hints


def as_calico_policy(policy: PolicyResource | StagedKubernetesNetworkPolicy) -> PolicyResource:
    """Return a staged Kubernetes policy as the Calico policy that it stages, any other as it is."""
    if not isinstance(policy, StagedKubernetesNetworkPolicy):
        return policy
    spec, _ = convert_kubernetes_policy(policy.spec)
    members = {name: getattr(spec, name) for name in spec.__struct_fields__}
    staged = StagedNetworkPolicySpec(staged_action=policy.spec.staged_action, **members)
    return StagedNetworkPolicy(metadata=policy.metadata, spec=staged)


def compile_policy(
    policy: PolicyResource, policy_id: PolicyID | None = None, selector: Selector | None = None
) -> Compilation[CompiledPolicy]:
    """Return the compiled form of a policy and its IP sets; raises ValueError where validation was left out.

    ``policy_id`` is needed where the policy is known under another kind than its own, as those that the Kubernetes
    datastore converts are. ``selector`` is the effective one, for a caller who has it already.
    """
    spec = policy.spec
    rules = _RuleCompiler(policy.namespace)
    # Data written before ``types`` existed has none and governs both directions (spec/policy.md section 1).
    ingress = rules.compile(spec.ingress) if "Ingress" in spec.types or not spec.types else None
    egress = rules.compile(spec.egress) if "Egress" in spec.types or not spec.types else None
    host = policy.spec if isinstance(policy, _GLOBAL) else None
    compiled = CompiledPolicy(
        id=policy_id or PolicyID(*policy.key),
        tier=spec.tier or DEFAULT_TIER,
        order=spec.order,
        selector=selector or policy_selector(policy),
        ingress=ingress,
        egress=egress,
        staged=isinstance(policy, _STAGED),
        untracked=host is not None and host.do_not_track,
        pre_dnat=host is not None and host.pre_dnat and not host.do_not_track,
        apply_on_forward=host is not None and host.apply_on_forward,
        needed_everywhere=is_needed_everywhere(policy),
    )
    return Compilation(compiled, rules.ip_sets)


def compile_profile(profile: Profile) -> Compilation[CompiledProfile]:
    """Return the compiled form of a profile and its IP sets; raises ValueError where validation was left out."""
    rules = _RuleCompiler()
    spec = profile.spec
    ingress, egress = rules.compile(spec.ingress), rules.compile(spec.egress)
    return Compilation(CompiledProfile(profile.name, ingress, egress, spec.labels_to_apply), rules.ip_sets)


def absent_profile(name: str) -> CompiledProfile:
    """Return the stand-in for a profile that is listed but does not exist: it denies everything."""
    deny = (CompiledRule(Action.DENY),)
    return CompiledProfile(name, deny, deny, exists=False)


class _RuleCompiler:
    """Compiles the rules of one owner and collects the IP sets that they refer to."""

    def __init__(self, namespace: str = "") -> None:
        self.namespace = namespace
        self.ip_sets: dict[IPSetID, IPSetSpec] = {}

    def compile(self, rules: Iterable[Rule]) -> tuple[CompiledRule, ...]:
        return tuple(self._rule(index, rule) for index, rule in enumerate(rules))

    def _rule(self, index: int, rule: Rule) -> CompiledRule:
        protocol = _protocol(rule.protocol)
        ports_of = _port_protocol(protocol)
        return CompiledRule(
            action=_action(rule.action),
            index=index,
            ip_version=rule.ip_version or _IP_VERSIONS.get(str(protocol)),
            protocol=protocol,
            not_protocol=_protocol(rule.not_protocol),
            icmp=_icmp(rule.icmp),
            not_icmp=_icmp(rule.not_icmp),
            source=self._side(rule.source, ports_of, is_source=True),
            destination=self._side(rule.destination, ports_of, is_source=False),
            http=rule.http,
            annotations=rule.metadata.annotations if rule.metadata else {},
        )

    def _side(self, entity: EntityRule, ports_of: str, *, is_source: bool) -> RuleSide:
        if entity is ANY_ENTITY or entity == ANY_ENTITY:
            return _ANY_SIDE
        positive, negative = effective_peer(entity, self.namespace)
        ports, port_names = _split_ports(entity.ports)
        not_ports, not_port_names = _split_ports(entity.not_ports)
        # The members of a named-port set are filtered by the selector already (spec/calculation.md R8).
        selected = positive is not None and (not port_names or bool(ports))
        ip_sets = [self._selected(positive)] if positive is not None and selected else []
        ip_port_sets: list[IPSetID] = []
        if entity.services is not None:
            (ip_sets if is_source else ip_port_sets).append(self._service(entity.services, ports=not is_source))
        return RuleSide(
            nets=tuple(map(canonical_cidr, entity.nets)),
            not_nets=tuple(map(canonical_cidr, entity.not_nets)),
            ports=ports,
            not_ports=not_ports,
            ip_sets=tuple(ip_sets),
            not_ip_sets=(self._selected(negative),) if negative is not None else (),
            named_port_sets=tuple(self._named_port(positive, ports_of, name) for name in port_names),
            not_named_port_sets=tuple(self._named_port(positive, ports_of, name) for name in not_port_names),
            ip_port_sets=tuple(ip_port_sets),
        )

    def _selected(self, selector: Selector) -> IPSetID:
        return self._refer(IPSetSpec(selector.uid, IPSetKind.NET, selector))

    def _named_port(self, selector: Selector | None, protocol: str, name: str) -> IPSetID:
        selector = selector or parse("all()")
        set_id = make_id("n", f"{selector.uid},{protocol},{name}")
        return self._refer(IPSetSpec(set_id, IPSetKind.IP_PORT, selector, name, protocol))

    def _service(self, service: ServiceMatch, *, ports: bool) -> IPSetID:
        # Without a namespace the policy's own is meant; the reference looks in "" and so finds nothing.
        name = f"{service.namespace or self.namespace}/{service.name}"
        if ports:
            return self._refer(IPSetSpec(make_id("svc", name), IPSetKind.IP_PORT, service=name))
        return self._refer(IPSetSpec(make_id("svcnoport", name), IPSetKind.NET, service=name))

    def _refer(self, spec: IPSetSpec) -> IPSetID:
        self.ip_sets[spec.id] = spec
        return spec.id


def _action(word: str) -> Action:
    # Profiles have no schema: an action may be any word in them.
    try:
        return _ACTIONS[word.lower()]
    except KeyError:
        raise ValueError(f"{word!r} is not an action: expected Allow, Deny, Log or Pass") from None


def _protocol(protocol: int | str | None) -> int | str | None:
    return protocol.lower() if isinstance(protocol, str) else protocol


def _port_protocol(protocol: int | str | None) -> str:
    return _ANY_PROTOCOL if protocol is None else protocol_name(protocol)


def _icmp(fields: ICMPFields | None) -> Icmp | None:
    return None if fields is None else Icmp(fields.type, fields.code)


def _split_ports(ports: Iterable[int | str]) -> tuple[tuple[PortRange, ...], tuple[str, ...]]:
    """Return numeric ports and ranges, and port names, each in the user's order."""
    ranges: list[PortRange] = []
    names: list[str] = []
    for port in ports:
        first, colon, last = port.partition(":") if isinstance(port, str) else (port, "", port)
        if colon or isinstance(port, int):
            ranges.append(PortRange(int(first), int(last)))
        else:
            names.append(str(port))
    return tuple(ranges), tuple(names)
