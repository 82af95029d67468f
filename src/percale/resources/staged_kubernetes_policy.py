# SPDX-License-Identifier: Apache-2.0
"""StagedKubernetesNetworkPolicy: a Kubernetes policy that is reported, not enforced (spec/resources.md section 5)."""

from __future__ import annotations

import msgspec

from percale.resources.fields import Int32, IntOrString
from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = [
    "IPBlock",
    "LabelSelector",
    "LabelSelectorRequirement",
    "NetworkPolicyEgressRule",
    "NetworkPolicyIngressRule",
    "NetworkPolicyPeer",
    "NetworkPolicyPort",
    "StagedKubernetesNetworkPolicy",
    "StagedKubernetesNetworkPolicySpec",
]


class LabelSelectorRequirement(Value, frozen=True, kw_only=True):
    """A label that must be ``In`` or ``NotIn`` the values, ``Exists`` or ``DoesNotExist``."""

    key: str = written(str)
    operator: str = written(str)
    values: tuple[str, ...] = ()


class LabelSelector(Value, frozen=True, kw_only=True):
    """Kubernetes' form of a selector; empty matches everything."""

    match_labels: dict[str, str] = msgspec.field(default_factory=dict)
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class IPBlock(Value, frozen=True, kw_only=True):
    """A CIDR without some parts of it."""

    cidr: str = written(str)
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")


class NetworkPolicyPort(Value, frozen=True, kw_only=True):
    """A port by number or name, or a range up to ``end_port``."""

    protocol: str | None = None
    port: IntOrString | None = None
    end_port: Int32 | None = None


class NetworkPolicyPeer(Value, frozen=True, kw_only=True):
    """Pods, namespaces or addresses at the other end."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class NetworkPolicyIngressRule(Value, frozen=True, kw_only=True):
    """Who may reach which ports of the pods."""

    ports: tuple[NetworkPolicyPort, ...] = ()
    from_: tuple[NetworkPolicyPeer, ...] = msgspec.field(default=(), name="from")


class NetworkPolicyEgressRule(Value, frozen=True, kw_only=True):
    """Which ports of whom the pods may reach."""

    ports: tuple[NetworkPolicyPort, ...] = ()
    to: tuple[NetworkPolicyPeer, ...] = ()


class StagedKubernetesNetworkPolicySpec(Value, frozen=True, kw_only=True):
    """What would become of the policy: ``Set`` it as written here, ``Delete`` it, ``Learn`` or ``Ignore``."""

    staged_action: str = ""
    pod_selector: LabelSelector = written(LabelSelector)
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    policy_types: tuple[str, ...] = ()


class StagedKubernetesNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A Kubernetes NetworkPolicy that is reported and not enforced."""

    spec: StagedKubernetesNetworkPolicySpec = written(StagedKubernetesNetworkPolicySpec)
