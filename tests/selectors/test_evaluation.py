# SPDX-License-Identifier: Apache-2.0
"""Whether labels match (spec/selectors.md section 3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.selectors.trees import LABELS, LEAVES, TREES, meaning

from percale.selectors import And, Equals, Has, Not, Or, Selector, parse


@given(TREES, LABELS)
def test_compiled_selector_means_what_its_tree_means(node, labels):
    """The compiled function agrees with a plain walk over the tree, and answers with a bool."""
    assert Selector(node).matches(labels) is meaning(node, labels)


@given(TREES, LABELS)
def test_canonical_text_keeps_the_meaning(node, labels):
    """What the canonical text parses to matches the same labels, fixed point or not."""
    assert parse(Selector(node).canonical).matches(labels) is meaning(node, labels)


@given(st.lists(LEAVES, min_size=49, max_size=120), st.sampled_from([And, Or]), LABELS)
def test_wide_selectors_mean_what_they_say(operands, kind, labels):
    """Also selectors of many operands, which are compiled in pieces."""
    for node in (kind(operands), Not(kind([Has("a"), kind(operands)]))):
        assert Selector(node).matches(labels) is meaning(node, labels)


@given(st.lists(st.tuples(LEAVES, st.sampled_from(["and", "or", "not"])), min_size=40, max_size=120), LABELS)
def test_deep_selectors_mean_what_they_say(steps, labels):
    """Also selectors of many levels, which are compiled in pieces."""
    node = Has("a")
    for leaf, step in steps:
        node = Not(node) if step == "not" else (And if step == "and" else Or)([node, leaf])
    assert Selector(node).matches(labels) is meaning(node, labels)


@pytest.mark.parametrize(("outer", "inner"), [(1, 2000), (2000, 1), (40, 40)])
def test_compiled_pieces_stay_small(outer, inner):
    """However large a selector, no piece of it is compiled with more than some hundred constants."""
    terms = [Or([Equals(f"k{i}-{j}", "") for j in range(inner)] + [Has("b")]) for i in range(outer)]
    matches = Selector(And([*terms, Has("a")])).matches
    assert matches({"a": "", "b": ""}) is True
    assert matches({"b": ""}) is False
    assert len(matches.__code__.co_freevars) < 300


@pytest.mark.parametrize(
    ("text", "when_missing"),
    [
        ("k == 'x'", False),
        ("k != 'x'", True),
        ("k in {'x'}", False),
        ("k in {}", False),
        ("k not in {'x'}", True),
        ("k not in {}", True),
        ("k contains ''", False),
        ("k starts with ''", False),
        ("k ends with ''", False),
        ("has(k)", False),
        ("all()", True),
        ("global()", True),
        ("!k == 'x'", True),
        ("!k != 'x'", False),
    ],
)
def test_missing_label(text, when_missing):
    """What each comparison says about a label that is not there."""
    assert parse(text).matches({"other": "x"}) is when_missing


@pytest.mark.parametrize("text", ["k contains ''", "k starts with ''", "k ends with ''", "has(k)", "k == ''"])
def test_empty_value_is_a_value(text):
    """A label with an empty value is there."""
    assert parse(text).matches({"k": ""}) is True


def test_case_matters():
    """Names and values are compared byte by byte."""
    assert parse("k == 'x'").matches({"k": "X"}) is False
    assert parse("k == 'x'").matches({"K": "x"}) is False


def test_selectors_of_one_shape_share_their_code():
    """Selectors that differ only in names and values run the same code object."""
    one, other = parse("a == 'b' && c in {'d'}").matches, parse("x == 'y' && z in {'v', 'w'}").matches
    assert one.__code__ is other.__code__
    assert one.__code__ is not parse("a == 'b' || c in {'d'}").matches.__code__


def test_user_text_never_becomes_code():
    """Names and values are constants of the compiled function, not part of its text."""
    value = "') or __import__('os').abort() or ('"
    predicate = Selector(Equals("labels", value)).matches
    assert predicate({"labels": value}) is True
    assert value not in predicate.__code__.co_consts


def test_parsed_selectors_are_remembered():
    """Parsing one text twice gives one object, so that its compiled function is shared."""
    assert parse("remembered == 'x'") is parse("remembered == 'x'")
