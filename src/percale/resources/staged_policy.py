# SPDX-License-Identifier: Apache-2.0
"""StagedNetworkPolicy and StagedGlobalNetworkPolicy: reported, not enforced (spec/resources.md section 5)."""

from __future__ import annotations

from percale.resources.fields import Number
from percale.resources.resource import Resource
from percale.resources.rules import Rule
from percale.resources.value import Canonical, written

__all__ = [
    "StagedGlobalNetworkPolicy",
    "StagedGlobalNetworkPolicySpec",
    "StagedNetworkPolicy",
    "StagedNetworkPolicySpec",
]


class StagedNetworkPolicySpec(Canonical, frozen=True, kw_only=True):
    """What would become of the policy: ``Set`` it as written here, ``Delete`` it, ``Learn`` or ``Ignore``."""

    #: What would become of the policy of this name: Set it as written here (the default), Delete it, Learn or Ignore.
    staged_action: str = ""
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


class StagedGlobalNetworkPolicySpec(Canonical, frozen=True, kw_only=True):
    """What would become of the global policy: ``Set`` it as written here, ``Delete`` it, ``Learn`` or ``Ignore``."""

    #: What would become of the policy of this name: Set it as written here (the default), Delete it, Learn or Ignore.
    staged_action: str = ""
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


class StagedNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A NetworkPolicy that is reported and not enforced."""

    spec: StagedNetworkPolicySpec = written(StagedNetworkPolicySpec)


class StagedGlobalNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A GlobalNetworkPolicy that is reported and not enforced."""

    spec: StagedGlobalNetworkPolicySpec = written(StagedGlobalNetworkPolicySpec)
