# SPDX-License-Identifier: Apache-2.0
"""What matching labels must satisfy (spec/selectors.md section 8)."""

import pytest
from hypothesis import given
from tests.selectors.trees import LABELS, TREES, meaning

from percale.selectors import Restriction, Selector, parse

PRESENT, ABSENT = Restriction(present=True), Restriction(absent=True)


def one_of(*values):
    return Restriction(present=True, values=values)


@given(TREES, LABELS)
def test_restrictions_are_sound(node, labels):
    """Labels that match satisfy every restriction."""
    if meaning(node, labels):
        for key, restriction in Selector(node).restrictions().items():
            assert not restriction.impossible
            assert key in labels or not restriction.present
            assert key not in labels or not restriction.absent
            assert restriction.values is None or labels[key] in restriction.values


@pytest.mark.parametrize(
    ("text", "restrictions"),
    [
        ("k == 'x'", {"k": one_of("x")}),
        ("k in {'y', 'x'}", {"k": one_of("x", "y")}),
        ("k in {}", {"k": PRESENT}),
        ("has(k)", {"k": PRESENT}),
        ("k contains ''", {"k": PRESENT}),
        ("!has(k)", {"k": ABSENT}),
        ("!(!has(k))", {}),
        ("!k == 'x'", {}),
        ("k != 'x'", {}),
        ("k not in {'x'}", {}),
        ("all()", {}),
        ("k in {'x', 'y'} && k in {'y', 'z'} && has(l)", {"k": one_of("y"), "l": PRESENT}),
        ("k == 'x' && k == 'y'", {"k": one_of()}),
        ("k == 'x' && !has(k)", {"k": Restriction(present=True, absent=True, values=("x",))}),
        ("k == 'y' || k == 'x' || k == 'y'", {"k": one_of("y", "x")}),
        ("k == 'x' || has(k)", {"k": PRESENT}),
        ("k == 'x' || !has(k)", {}),
        ("!has(k) || !has(k)", {"k": ABSENT}),
        ("k == 'x' && has(l) || k == 'y' && has(m)", {"k": one_of("x", "y")}),
        ("k == 'x' || all()", {}),
    ],
)
def test_restrictions(text, restrictions):
    """Each operator's restriction, and how && and || combine them."""
    assert parse(text).restrictions() == restrictions


@pytest.mark.parametrize("text", ["k == 'x' && k == 'y'", "has(k) && !has(k)"])
def test_contradictions_are_found(text):
    """A selector that asks the impossible of one label matches nothing."""
    assert parse(text).restrictions()["k"].impossible


@pytest.mark.parametrize("text", ["k == 'x'", "has(k)", "!has(k)"])
def test_plain_demands_are_possible(text):
    """A value, presence or absence alone can be satisfied."""
    assert not parse(text).restrictions()["k"].impossible
