# SPDX-License-Identifier: Apache-2.0
"""Effective selectors (spec/selectors.md section 6), the textual traps included."""

import pytest

from percale.calc.effective import effective_peer, global_policy_selector, namespaced_policy_selector
from percale.resources import EntityRule, ServiceAccountMatch

HOME = 'projectcalico.org/namespace == "ns1"'


@pytest.mark.parametrize(
    ("selector", "accounts", "effective"),
    [
        ("", "", HOME),
        (" ", "", HOME),
        ("all()", "", f"(all() && {HOME})"),
        ("a == 'b' || has(c)", "", f'((a == "b" || has(c)) && {HOME})'),
        ("", "x == 'y'", f'({HOME} && pcsa.x == "y")'),
        ("has(a)", "has(x)", f"((has(a) && {HOME}) && has(pcsa.x))"),
    ],
)
def test_a_namespaced_policy_is_bound_to_its_namespace(selector, accounts, effective):
    """The namespace is a label that the selector is joined with."""
    assert namespaced_policy_selector(selector, "ns1", accounts).canonical == effective


@pytest.mark.parametrize(
    ("selector", "namespaces", "accounts", "effective"),
    [
        ("", "", "", "all()"),
        ("has(a)", "", "", "has(a)"),
        ("", "env == 'p'", "", 'pcns.env == "p"'),
        ("", "all()", "", "has(projectcalico.org/namespace)"),
        ("", "", "all()", "has(projectcalico.org/serviceaccount)"),
        ("has(a)", "env != 'p'", "", '(has(a) && pcns.env != "p")'),
        ("all()", "has(x)", "", "(has(projectcalico.org/namespace) && has(pcns.x))"),
        ("a == 'all()'", "has(x)", "", '(a == "has(projectcalico.org/namespace)" && has(pcns.x))'),
        ("a == 'all()'", "", "", 'a == "all()"'),
    ],
)
def test_a_global_policy_selects_namespaces_by_inherited_labels(selector, namespaces, accounts, effective):
    """``all()`` is replaced as text, wherever it stands."""
    assert global_policy_selector(selector, namespaces, accounts).canonical == effective


def _peer(namespace="", **fields):
    positive, negative = effective_peer(EntityRule(**fields), namespace)
    return positive and positive.canonical, negative and negative.canonical


@pytest.mark.parametrize(
    ("namespace", "fields", "positive", "negative"),
    [
        ("ns1", {}, None, None),
        ("ns1", {"nets": ("10.0.0.0/8",)}, None, None),
        ("ns1", {"selector": "has(a)"}, f"({HOME} && has(a))", None),
        ("", {"selector": "has(a)"}, "has(a)", None),
        ("ns1", {"not_selector": "has(a)"}, f"({HOME} && !has(a))", None),
        ("", {"not_selector": "has(a)"}, None, "has(a)"),
        ("", {"selector": "has(a)", "not_selector": "has(b)"}, "(has(a) && !has(b))", None),
        ("ns1", {"namespace_selector": "x == 'y'"}, 'pcns.x == "y"', None),
        ("ns1", {"namespace_selector": "all()"}, "has(projectcalico.org/namespace)", None),
        ("ns1", {"namespace_selector": "global()"}, "!has(projectcalico.org/namespace)", None),
        ("", {"namespace_selector": "has(x)", "selector": "has(a)"}, "(has(pcns.x) && has(a))", None),
        ("", {"namespace_selector": "has(x)", "not_selector": "has(a)"}, "(has(pcns.x) && !has(a))", None),
    ],
)
def test_a_peer_is_bound_to_a_namespace_only_if_it_selects(namespace, fields, positive, negative):
    """Nets alone match any address; any selector in a namespaced policy stays in the namespace."""
    assert _peer(namespace, **fields) == (positive, negative)


def test_service_accounts_are_matched_by_name_and_by_inherited_labels():
    """Names and selector must both match, and they add to the peer's own selector."""
    accounts = ServiceAccountMatch(names=("b", "a"), selector="x == 'y'")
    name_is = 'projectcalico.org/serviceaccount in {"a", "b"}'
    assert _peer(service_accounts=accounts) == (f'(pcsa.x == "y" && {name_is})', None)
    assert _peer(service_accounts=accounts, selector="has(c)") == (f'((pcsa.x == "y" && {name_is}) && has(c))', None)


def test_an_empty_choice_of_service_accounts_says_nothing():
    """Neither names nor selector is no restriction."""
    assert _peer("ns1", service_accounts=ServiceAccountMatch()) == (None, None)
