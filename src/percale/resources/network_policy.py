# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy and GlobalNetworkPolicy (spec/resources.md section 5)."""

from __future__ import annotations

from percale.resources.fields import Number
from percale.resources.resource import Resource
from percale.resources.rules import Rule
from percale.resources.value import Canonical, written

__all__ = ["GlobalNetworkPolicy", "GlobalNetworkPolicySpec", "NetworkPolicy", "NetworkPolicySpec"]


class NetworkPolicySpec(Canonical, frozen=True, kw_only=True):
    """Ordered rules for the endpoints of one namespace that the selector matches; no order means last."""

    tier: str = ""  #: The tier in which the policy stands; default unless given.
    #: Policies of a tier with a lower order come first, those without one last; names break ties.
    order: Number | None = None
    ingress: tuple[Rule, ...] = ()  #: Rules for flows to the endpoints; the first that matches decides.
    egress: tuple[Rule, ...] = ()  #: Rules for flows from the endpoints; the first that matches decides.
    selector: str = ""  #: The endpoints of the policy's namespace to which it applies; all() unless given.
    #: The directions that the policy governs: Ingress, Egress or both; unless given, what the rules imply.
    types: tuple[str, ...] = ()
    service_account_selector: str = ""  #: Only endpoints of pods whose service account matches; any unless given.
    #: Hints to the dataplane: AssumeNeededOnEveryNode prepares the policy where no endpoint needs it yet.
    performance_hints: tuple[str, ...] = ()


class GlobalNetworkPolicySpec(Canonical, frozen=True, kw_only=True):
    """Ordered rules for endpoints of all namespaces and for host endpoints; no order means last."""

    tier: str = ""  #: The tier in which the policy stands; default unless given.
    #: Policies of a tier with a lower order come first, those without one last; names break ties.
    order: Number | None = None
    ingress: tuple[Rule, ...] = ()  #: Rules for flows to the endpoints; the first that matches decides.
    egress: tuple[Rule, ...] = ()  #: Rules for flows from the endpoints; the first that matches decides.
    selector: str = ""  #: The workload and host endpoints to which the policy applies; all() unless given.
    #: The directions that the policy governs: Ingress, Egress or both; unless given, what the rules imply.
    types: tuple[str, ...] = ()
    #: Apply to host endpoints before connection tracking, so both directions need rules; needs applyOnForward.
    do_not_track: bool = False
    #: Apply to host endpoints before destinations are translated; ingress only, needs applyOnForward.
    pre_dnat: bool = False
    #: Apply at host endpoints also to traffic that the host forwards, not only to its own.
    apply_on_forward: bool = False
    service_account_selector: str = ""  #: Only endpoints of pods whose service account matches; any unless given.
    #: Only workload endpoints in namespaces that match; unless given, any, and host endpoints.
    namespace_selector: str = ""
    #: Hints to the dataplane: AssumeNeededOnEveryNode prepares the policy where no endpoint needs it yet.
    performance_hints: tuple[str, ...] = ()


class NetworkPolicy(Resource, frozen=True, kw_only=True):
    """A policy for the endpoints of its own namespace."""

    spec: NetworkPolicySpec = written(NetworkPolicySpec)


class GlobalNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A policy for workload endpoints of any namespace and for host endpoints."""

    spec: GlobalNetworkPolicySpec = written(GlobalNetworkPolicySpec)
