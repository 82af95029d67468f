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

    tier: str = ""
    order: Number | None = None
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    selector: str = ""
    types: tuple[str, ...] = ()
    service_account_selector: str = ""
    performance_hints: tuple[str, ...] = ()


class GlobalNetworkPolicySpec(Canonical, frozen=True, kw_only=True):
    """Ordered rules for endpoints of all namespaces and for host endpoints; no order means last."""

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


class NetworkPolicy(Resource, frozen=True, kw_only=True):
    """A policy for the endpoints of its own namespace."""

    spec: NetworkPolicySpec = written(NetworkPolicySpec)


class GlobalNetworkPolicy(Resource, frozen=True, kw_only=True):
    """A policy for workload endpoints of any namespace and for host endpoints."""

    spec: GlobalNetworkPolicySpec = written(GlobalNetworkPolicySpec)
