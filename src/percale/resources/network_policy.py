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
    order: Number | None = None  #: Policies with a lower order come first; without one they come last.
    ingress: tuple[Rule, ...] = ()  #: Rules for flows to the endpoints; the first that matches decides.
    egress: tuple[Rule, ...] = ()  #: Rules for flows from the endpoints; the first that matches decides.
    selector: str = ""  #: The endpoints to which the policy applies; all() unless given.
    types: tuple[str, ...] = ()  #: Ingress, Egress or both; unless given, what the rules imply.
    service_account_selector: str = ""  #: Only pods whose service account matches.
    performance_hints: tuple[str, ...] = ()  #: Hints to the dataplane.


class GlobalNetworkPolicySpec(Canonical, frozen=True, kw_only=True):
    """Ordered rules for endpoints of all namespaces and for host endpoints; no order means last."""

    tier: str = ""  #: The tier in which the policy stands; default unless given.
    order: Number | None = None  #: Policies with a lower order come first; without one they come last.
    ingress: tuple[Rule, ...] = ()  #: Rules for flows to the endpoints; the first that matches decides.
    egress: tuple[Rule, ...] = ()  #: Rules for flows from the endpoints; the first that matches decides.
    selector: str = ""  #: The endpoints to which the policy applies; all() unless given.
    types: tuple[str, ...] = ()  #: Ingress, Egress or both; unless given, what the rules imply.
    do_not_track: bool = False  #: Apply before connection tracking.
    pre_dnat: bool = False  #: Apply before destinations are translated.
    apply_on_forward: bool = False  #: Apply to what the host forwards, too.
    service_account_selector: str = ""  #: Only pods whose service account matches.
    namespace_selector: str = ""  #: Only endpoints in namespaces that match.
    performance_hints: tuple[str, ...] = ()  #: Hints to the dataplane.


class NetworkPolicy(Resource, frozen=True, kw_only=True):
    """A policy for the endpoints of its own namespace."""

    spec: NetworkPolicySpec = written(NetworkPolicySpec)


class GlobalNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A policy for workload endpoints of any namespace and for host endpoints."""

    spec: GlobalNetworkPolicySpec = written(GlobalNetworkPolicySpec)
