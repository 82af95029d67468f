# SPDX-License-Identifier: Apache-2.0
"""The order of tiers and policies, and the four classes (spec/policy.md section 3)."""

import pytest

from percale.calc.compiled import CompiledPolicy, PolicyID
from percale.calc.tiers import TierFacts, policies_by_tier, tier_facts
from percale.resources import ObjectMeta, Tier, TierSpec
from percale.selectors import parse

DEFAULT = {"default": TierFacts(1_000_000, "Deny")}


def _policy(name, tier="default", order=None, *, kind="GlobalNetworkPolicy", namespace="", types="ie", **flags):
    return CompiledPolicy(
        id=PolicyID(kind, namespace, name),
        tier=tier,
        order=order,
        selector=parse("all()"),
        ingress=() if "i" in types else None,
        egress=() if "e" in types else None,
        **flags,
    )


def _names(policies, tiers=DEFAULT):
    found = policies_by_tier(policies, tiers, on_host_endpoint=False)
    return [(tier.name, [each.name for each in tier.ingress]) for tier in found.normal]


def test_order_comes_before_name_and_a_missing_order_last():
    """Orders are numbers, negative ones too."""
    policies = [_policy("a"), _policy("b", order=2.5), _policy("c", order=-1), _policy("d", order=2)]
    assert _names(policies) == [("default", ["c", "d", "b", "a"])]


def test_ties_are_compared_with_the_slash_behind_the_name():
    """Dash and dot sort before the slash, digits and letters after it; the kind counts last."""
    names = ["a0", "a", "a.b", "ab", "a-b"]
    assert _names(map(_policy, names)) == [("default", ["a-b", "a.b", "a", "a0", "ab"])]
    namespaced = _policy("x", kind="NetworkPolicy", namespace="ns1")
    found = policies_by_tier([namespaced, _policy("x")], DEFAULT, on_host_endpoint=False)
    assert [each.kind for each in found.normal[0].ingress] == ["GlobalNetworkPolicy", "NetworkPolicy"]


def test_a_tier_that_does_not_exist_comes_last():
    """Tiers by order, then name; unknown ones by name, without a default action."""
    tiers = {"z": TierFacts(1, "Pass"), "b": TierFacts(2, "Deny"), "a": TierFacts(2, "Deny")}
    policies = [_policy("p", tier) for tier in ("unknown", "ghost", "a", "b", "z")]
    assert [name for name, _ in _names(policies, tiers)] == ["z", "a", "b", "ghost", "unknown"]
    found = policies_by_tier(policies, tiers, on_host_endpoint=False).normal
    assert [tier.default_action for tier in found] == ["Pass", "Deny", "Deny", "", ""]


def test_a_policy_is_listed_in_the_directions_it_governs():
    """A tier in which nothing governs any direction is left out."""
    found = policies_by_tier(
        [_policy("in", types="i"), _policy("none", "t", types="")], DEFAULT, on_host_endpoint=False
    )
    assert [(tier.name, len(tier.ingress), len(tier.egress)) for tier in found.normal] == [("default", 1, 0)]


def test_each_policy_is_in_one_class():
    """Host endpoints have four classes; forward repeats those of normal that apply on forward."""
    policies = [
        _policy("normal"),
        _policy("forward", apply_on_forward=True),
        _policy("untracked", untracked=True, apply_on_forward=True),
        _policy("prednat", pre_dnat=True, apply_on_forward=True),
    ]
    found = policies_by_tier(policies, DEFAULT, on_host_endpoint=True)
    classes = {
        name: [(tier.default_action, [e.name for e in tier.ingress], [e.name for e in tier.egress]) for tier in tiers]
        for name, tiers in found._asdict().items()
    }
    assert classes == {
        "normal": [("Deny", ["forward", "normal"], ["forward", "normal"])],
        "untracked": [("Pass", ["untracked"], ["untracked"])],
        "pre_dnat": [("Pass", ["prednat"], [])],
        "forward": [("Deny", ["forward"], ["forward"])],
    }
    assert policies_by_tier(policies, DEFAULT, on_host_endpoint=False) == (found.normal, (), (), ())


@pytest.mark.parametrize(("action", "read"), [("Pass", "Pass"), ("Deny", "Deny"), (None, "Deny"), ("Allow", "Deny")])
def test_any_default_action_but_pass_counts_as_deny(action, read):
    """A missing order is that of new tiers."""
    tier = Tier(metadata=ObjectMeta(name="t"), spec=TierSpec(default_action=action))
    assert tier_facts(tier) == TierFacts(1_000_000, read)
