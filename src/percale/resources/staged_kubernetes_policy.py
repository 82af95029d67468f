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

    key: str = written(str)  #: The name of the label.
    operator: str = written(str)  #: How label and values relate: In, NotIn, Exists or DoesNotExist.
    values: tuple[str, ...] = ()  #: The values for In and NotIn; none for the others.


class LabelSelector(Value, frozen=True, kw_only=True):
    """Kubernetes' form of a selector; empty matches everything."""

    match_labels: dict[str, str] = msgspec.field(default_factory=dict)  #: Labels that must be there with these values.
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()  #: Further requirements, all of which must hold.


class IPBlock(Value, frozen=True, kw_only=True):
    """A CIDR without some parts of it."""

    cidr: str = written(str)  #: The network at the other end.
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")  #: Parts of the network that are not meant.


class NetworkPolicyPort(Value, frozen=True, kw_only=True):
    """A port by number or name, or a range up to ``end_port``."""

    protocol: str | None = None  #: The protocol: TCP, UDP or SCTP; TCP unless given.
    port: IntOrString | None = None  #: The port by number or by name; all ports unless given.
    end_port: Int32 | None = None  #: The last port of a range that begins with port, which must be a number.


class NetworkPolicyPeer(Value, frozen=True, kw_only=True):
    """Pods, namespaces or addresses at the other end."""

    #: The pods, by their labels; of the policy's namespace, unless namespaceSelector says another.
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None  #: The namespaces whose pods are meant, by their labels.
    ip_block: IPBlock | None = None  #: Addresses instead of pods.


class NetworkPolicyIngressRule(Value, frozen=True, kw_only=True):
    """Who may reach which ports of the pods."""

    ports: tuple[NetworkPolicyPort, ...] = ()  #: The ports of the pods that may be reached; all unless given.
    #: Who may reach them; anybody unless given.
    from_: tuple[NetworkPolicyPeer, ...] = msgspec.field(default=(), name="from")


class NetworkPolicyEgressRule(Value, frozen=True, kw_only=True):
    """Which ports of whom the pods may reach."""

    ports: tuple[NetworkPolicyPort, ...] = ()  #: The ports that the pods may reach; all unless given.
    to: tuple[NetworkPolicyPeer, ...] = ()  #: Whom the pods may reach; anybody unless given.


class StagedKubernetesNetworkPolicySpec(Value, frozen=True, kw_only=True):
    """What would become of the policy: ``Set`` it as written here, ``Delete`` it, ``Learn`` or ``Ignore``."""

    #: What would become of the policy of this name: Set it as written here (the default), Delete it, Learn or Ignore.
    staged_action: str = ""
    #: The pods of the namespace to which the policy applies, by their labels; all unless given.
    pod_selector: LabelSelector = written(LabelSelector)
    #: Who may reach the pods; with Ingress in policyTypes, nobody else may.
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    #: Whom the pods may reach; with Egress in policyTypes, they reach nobody else.
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    policy_types: tuple[str, ...] = ()  #: The directions that the policy governs: Ingress, Egress or both.


class StagedKubernetesNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A Kubernetes NetworkPolicy that is reported and not enforced."""

    spec: StagedKubernetesNetworkPolicySpec = written(StagedKubernetesNetworkPolicySpec)
