# SPDX-License-Identifier: Apache-2.0
"""The order of tiers and of the policies in them (spec/policy.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from percale.calc.compiled import CompiledPolicy, PolicyID
from percale.calc.host_state import TierPolicies
from percale.resources.tier import Tier

__all__ = ["EndpointPolicies", "TierFacts", "policies_by_tier", "tier_facts"]

_PASS, _DENY = "Pass", "Deny"
_ORDER_OF_NEW_TIERS = 1_000_000
_MISSING = float("inf")


class TierFacts(NamedTuple):
    """Where a tier stands and what happens at its end: ``Deny`` or ``Pass``."""

    order: float
    default_action: str


def tier_facts(tier: Tier) -> TierFacts:
    """Return a tier's order and default action, with what the API fills in where they are missing."""
    order = _ORDER_OF_NEW_TIERS if tier.spec.order is None else tier.spec.order
    return TierFacts(order, _PASS if tier.spec.default_action == _PASS else _DENY)


class EndpointPolicies(NamedTuple):
    """The policies that apply to one endpoint, by class; the last three are empty for workload endpoints."""

    normal: tuple[TierPolicies, ...] = ()
    untracked: tuple[TierPolicies, ...] = ()
    pre_dnat: tuple[TierPolicies, ...] = ()
    forward: tuple[TierPolicies, ...] = ()


def policies_by_tier(
    policies: Iterable[CompiledPolicy], tiers: Mapping[str, TierFacts], *, on_host_endpoint: bool
) -> EndpointPolicies:
    """Return the policies that match an endpoint in their order, in the classes of spec/policy.md section 3.

    A tier that policies name but that does not exist comes after all others, with an empty default action.
    """
    ordered = _ordered(policies, tiers)
    normal = _tiers((each for each in ordered if not (each.untracked or each.pre_dnat)), tiers)
    if not on_host_endpoint:
        return EndpointPolicies(normal)
    return EndpointPolicies(
        normal,
        untracked=_tiers((each for each in ordered if each.untracked), tiers, action=_PASS),
        pre_dnat=_tiers(
            (each for each in ordered if each.pre_dnat and not each.untracked), tiers, action=_PASS, egress=False
        ),
        forward=_tiers(
            (each for each in ordered if each.apply_on_forward and not (each.untracked or each.pre_dnat)), tiers
        ),
    )


def _ordered(policies: Iterable[CompiledPolicy], tiers: Mapping[str, TierFacts]) -> list[CompiledPolicy]:
    def place(policy: CompiledPolicy) -> tuple[bool, float, str, tuple[float, str]]:
        facts = tiers.get(policy.tier)
        return facts is None, facts.order if facts else _MISSING, policy.tier, policy.sort_key

    return sorted(policies, key=place)


def _tiers(
    ordered: Iterable[CompiledPolicy], tiers: Mapping[str, TierFacts], *, action: str | None = None, egress: bool = True
) -> tuple[TierPolicies, ...]:
    ids: dict[str, tuple[list[PolicyID], list[PolicyID]]] = {}
    for policy in ordered:
        into_ingress, into_egress = ids.setdefault(policy.tier, ([], []))
        if policy.ingress is not None:
            into_ingress.append(policy.id)
        if egress and policy.egress is not None:
            into_egress.append(policy.id)
    return tuple(
        TierPolicies(name, action or _default_action(tiers, name), tuple(ingress), tuple(egress_ids))
        for name, (ingress, egress_ids) in ids.items()
        if ingress or egress_ids
    )


def _default_action(tiers: Mapping[str, TierFacts], name: str) -> str:
    return tiers[name].default_action if name in tiers else ""
