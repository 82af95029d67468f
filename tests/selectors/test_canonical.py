# SPDX-License-Identifier: Apache-2.0
"""Canonical text, identity and normalisation (spec/selectors.md sections 4 to 6)."""

import base64
import hashlib

import pytest
from hypothesis import given
from tests.selectors.trees import SPELLED_TREES, TREES

from percale.selectors import Selector, SelectorError, make_id, normalise, parse


@given(TREES)
def test_canonical_text_is_a_fixed_point(node):
    """Without adjacent negations the canonical text parses to the tree it came from."""
    selector = Selector(node)
    again = parse(selector.canonical)
    if "!!" not in selector.canonical:
        assert again.node == node
        assert again == selector


@given(SPELLED_TREES)
def test_spellings_share_an_identity(spelled):
    """Texts of one tree are one selector: equal, with one hash and one identity."""
    node, text = spelled
    assert parse(text) == Selector(node)
    assert hash(parse(text)) == hash(Selector(node))
    assert parse(text).uid == Selector(node).uid


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a=='x'", 'a == "x"'),
        ("a == 'say \"x\"'", "a == 'say \"x\"'"),
        ("a  startswith'x'", 'a starts with "x"'),
        ("a notin {'y','x','y'}", 'a not in {"x", "y"}'),
        ("a in { }", "a in {}"),
        ("has( a )", "has(a)"),
        ("! (a=='b'&&has(c))", '!(a == "b" && has(c))'),
        ("((a == 'b'))", 'a == "b"'),
        ("has(a)||has(b)||has(c)", "(has(a) || has(b) || has(c))"),
        ("", "all()"),
    ],
)
def test_canonical_text(text, canonical):
    """One spelling for each shape of tree."""
    assert parse(text).canonical == canonical
    assert str(parse(text)) == canonical


def test_identity_comes_from_the_first_rendering():
    """!(!has(a)) renders as !!has(a), which is another selector with another identity."""
    selector = parse("!(!has(a))")
    assert selector.canonical == "!!has(a)"
    assert parse(selector.canonical) != selector
    assert parse(selector.canonical).uid != selector.uid


def test_identity_depends_on_the_order_of_operands():
    """Equal meaning in another order is another selector."""
    assert parse("has(a) && has(b)").uid != parse("has(b) && has(a)").uid


def test_identity_is_a_hash_of_prefix_and_content():
    """An identity is the prefix and the unpadded URL-safe base64 of SHA-224 over both."""
    for number in range(50):
        digest = hashlib.sha224(f"p:{number}".encode()).digest()
        assert make_id("p", str(number)) == "p:" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_normalise_strips_what_unicode_calls_white_space():
    """All white space around a selector goes, also what the parser itself refuses."""
    assert normalise("\n\u3000\xa0\x85 has( a )\u2028\v") == "has(a)"


def test_normalise_keeps_the_information_separators():
    """U+001C to U+001F are blank to Python but not to Unicode, so they stay and the text does not parse."""
    assert normalise(" has(a)\x1f ") == "has(a)\x1f"


def test_normalise_returns_what_does_not_parse():
    """A text that is no selector is only stripped."""
    assert normalise("\ta = 'b'\n") == "a = 'b'"


def test_prefix_goes_before_every_label_name():
    """Prefixing renames labels and leaves values and calls alone."""
    text = "(a == 'a' || b not in {'b'}) && !has(c) && d contains 'd' && all() && global()"
    assert parse(text).prefixed("pcns.").canonical == (
        '((pcns.a == "a" || pcns.b not in {"b"}) && !has(pcns.c) && pcns.d contains "d" && all() && global())'
    )


def test_prefixed_names_are_measured_when_they_are_parsed():
    """A name that a prefix makes longer than 512 bytes is refused when its text is parsed again."""
    assert parse(parse(f"has({'n' * 507})").prefixed("pcns.").canonical)
    with pytest.raises(SelectorError, match="513 bytes"):
        parse(parse(f"has({'n' * 508})").prefixed("pcns.").canonical)


def test_selectors_are_frozen():
    """No attribute of a selector can be set or deleted, also not one that was already asked for."""
    selector = parse("has(a)")
    assert selector.canonical == "has(a)"
    with pytest.raises(AttributeError, match="frozen"):
        selector.canonical = "has(b)"
    with pytest.raises(AttributeError, match="frozen"):
        del selector.node


def test_selectors_differ_from_their_text():
    """A selector equals only a selector."""
    assert parse("has(a)") != "has(a)"
