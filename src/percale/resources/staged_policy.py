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

    staged_action: str = ""
    tier: str = ""
    order: Number | None = None
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    selector: str = ""
    types: tuple[str, ...] = ()
    service_account_selector: str = ""
    performance_hints: tuple[str, ...] = ()


class StagedGlobalNetworkPolicySpec(Canonical, frozen=True, kw_only=True):
    """What would become of the global policy: ``Set`` it as written here, ``Delete`` it, ``Learn`` or ``Ignore``."""

    staged_action: str = ""
    tier: str = ""
    order: Number | None = None
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    selector: str = ""
    types: tuple[str, ...] = ()
    do_not_track: bool = False
    pre_dnat: bool = False
    apply_on_forward: bool = False
    service_account_selector: str = ""
    namespace_selector: str = ""
    performance_hints: tuple[str, ...] = ()


class StagedNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A NetworkPolicy that is reported and not enforced."""

    spec: StagedNetworkPolicySpec = written(StagedNetworkPolicySpec)


class StagedGlobalNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A GlobalNetworkPolicy that is reported and not enforced."""

    spec: StagedGlobalNetworkPolicySpec = written(StagedGlobalNetworkPolicySpec)
