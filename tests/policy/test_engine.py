# SPDX-License-Identifier: Apache-2.0
"""One endpoint, one direction: rules, policies, tiers and profiles in their order."""

from __future__ import annotations

import pytest
from tests.policy.language import allow, allowed, denied, deny, log, pass_, tcp


@pytest.fixture
def pair(net):
    """The net with two endpoints, web and db."""
    net.endpoint("web", role="web")
    net.endpoint("db", role="db", ports=[("pg", "TCP", 5432)])
    return net


def test_deny_before_allow_wins(pair):
    """Within a policy the first matching rule decides."""
    pair.policy("p", "role == 'db'", ingress=[deny("role == 'web'"), allow()])
    assert pair.verdict("web → db tcp 5432") == denied("p", rule=0)


def test_a_rule_that_does_not_match_is_passed_over(pair):
    """A rule that does not match leaves the decision to the next."""
    pair.policy("p", "role == 'db'", ingress=[deny("role == 'api'"), allow()])
    assert pair.verdict("web → db tcp 5432") == allowed("p", rule=1)


def test_without_policy_the_profile_decides(pair):
    """An endpoint that no policy governs in a direction is judged by its profiles."""
    pair.policy("p", "role == 'db'", egress=[deny()])
    assert pair.verdict("web → db tcp 5432") == allowed("open", rule=0)


def test_the_end_of_a_tier_denies(pair):
    """A policy that governs a direction keeps what it does not allow from the profiles."""
    pair.policy("p", "role == 'db'", ingress=[allow(**tcp(80))])
    assert pair.verdict("web → db tcp 80") == allowed("p", rule=0)
    assert pair.verdict("web → db tcp 81") == denied(reason="end-of-tier", tier="default")


def test_a_policy_without_rules_denies(pair):
    """A policy that governs a direction and has no rules there matches nothing, so the tier's end decides."""
    pair.policy("p", "role == 'db'", types=["Ingress"])
    assert pair.verdict("web → db tcp 80") == denied(reason="end-of-tier", tier="default")


def test_a_tier_that_passes_leaves_it_to_the_next(pair):
    """At the end of a tier with default action Pass the next tier decides."""
    pair.tier("first", order=1, default_action="Pass")
    pair.policy("first.p", "role == 'db'", tier="first", ingress=[deny("role == 'api'")])
    assert pair.verdict("web → db tcp 80") == allowed("open", rule=0)
    pair.policy("p", "role == 'db'", ingress=[deny()])
    assert pair.verdict("web → db tcp 80") == denied("p", rule=0)


def test_pass_leaves_the_tier(pair):
    """A rule that passes skips the rest of its tier, its end included."""
    pair.tier("first", order=1)
    pair.policy("first.p", "role == 'db'", tier="first", ingress=[pass_(), deny()])
    assert pair.verdict("web → db tcp 80") == allowed("open", rule=0)


def test_pass_in_the_last_tier_leads_to_the_profiles(pair):
    """Behind the last tier come the profiles, also for policies of tier default."""
    pair.policy("p", "role == 'db'", ingress=[pass_()])
    assert pair.verdict("web → db tcp 80") == allowed("open", rule=0)


def test_log_goes_on(pair):
    """A rule that logs decides nothing, and stands in the path."""
    pair.policy("p", "role == 'db'", ingress=[log(), allow()])
    assert pair.verdict("web → db tcp 80") == allowed("p", rule=1)
    path = pair.explain("web → db tcp 80").to_json()["path"]
    assert [entry["action"] for entry in path] == ["allow", "log", "allow"]


@pytest.mark.parametrize(("orders", "winner"), [((1, 2), "a"), ((2, 1), "b"), ((1, None), "a"), ((None, -1), "b")])
def test_policies_go_by_order_and_missing_is_last(pair, orders, winner):
    """Of two policies in a tier the one with the smaller order comes first; one without order comes last."""
    for name, order in zip("ab", orders, strict=True):
        pair.policy(name, "role == 'db'", ingress=[allow()], order=order)
    assert pair.verdict("web → db tcp 80") == allowed(winner, rule=0)


def test_tiers_go_by_order(pair):
    """The tier with the smaller order is asked first."""
    for name, order in (("one", 2), ("two", 1)):
        pair.tier(name, order=order)
        pair.policy(f"{name}.p", "role == 'db'", tier=name, ingress=[allow()])
    assert pair.verdict("web → db tcp 80") == allowed("two.p", rule=0)


def test_egress_is_asked_before_ingress(pair):
    """A flow between workloads passes the source's egress, then the destination's ingress, up to a denial."""
    pair.policy("out", "role == 'web'", egress=[deny()])
    pair.policy("in", "role == 'db'", ingress=[deny()])
    assert pair.verdict("web → db tcp 80") == denied("out", rule=0)


def test_no_profile_denies(net):
    """An endpoint without policy and without profile is closed."""
    net.endpoint("lone", profiles=())
    assert net.verdict("external → lone tcp 80") == denied(reason="no-profile-match")


def test_profiles_go_in_the_endpoints_order(net):
    """The first profile with a matching rule decides; one that passes leaves it to the next."""
    net.profile("closed", ingress=[deny()])
    net.profile("shy", ingress=[pass_(), deny()])
    net.endpoint("a", profiles=["closed", "open"])
    net.endpoint("b", profiles=["open", "closed"])
    net.endpoint("c", profiles=["shy", "open"])
    assert net.verdict("external → a tcp 80") == denied("closed", rule=0)
    assert net.verdict("external → b tcp 80") == allowed("open", rule=0)
    assert net.verdict("external → c tcp 80") == allowed("open", rule=0)


def test_a_profile_that_does_not_exist_denies(net):
    """A listed profile that is absent denies everything, also what a later profile would allow."""
    net.endpoint("a", profiles=["ghost", "open"])
    assert net.verdict("external → a tcp 80") == denied("ghost", rule=0)
    assert "create the profile ghost" in net.explain("external → a tcp 80").remedies[0]


def test_named_ports_are_looked_up_on_their_owner(pair):
    """A port name means the number that the destination endpoint gives it, with its protocol."""
    pair.policy("p", "role == 'db'", ingress=[allow(protocol="TCP", dst={"ports": ["pg"]})])
    assert pair.verdict("web → db tcp 5432") == allowed("p", rule=0)
    assert pair.verdict("web → db tcp 5433") == denied(reason="end-of-tier", tier="default")
    assert pair.verdict("web → db udp 5432") == denied(reason="end-of-tier", tier="default")


def test_labels_of_a_profile_are_inherited(net):
    """A selector sees the labels that a profile gives to its endpoints, unless they have their own."""
    net.profile("team", ingress=[allow()], role="db")
    net.endpoint("a", profiles=["team"])
    net.endpoint("b", profiles=["team"], role="web")
    net.policy("p", "role == 'db'", ingress=[deny()])
    assert net.verdict("external → a tcp 80") == denied("p", rule=0)
    assert net.verdict("external → b tcp 80") == allowed("team", rule=0)


def test_a_namespaced_peer_is_of_the_same_namespace(net):
    """The selector of a NetworkPolicy's peer matches endpoints of the policy's namespace only."""
    net.endpoint("db", role="db")
    net.endpoint("near", role="web")
    net.endpoint("far", ns="other", role="web")
    net.policy("p", "role == 'db'", ingress=[allow("role == 'web'")])
    assert net.verdict("near → db tcp 80") == allowed("p", rule=0)
    assert net.verdict("far → db tcp 80") == denied(reason="end-of-tier", tier="default")
