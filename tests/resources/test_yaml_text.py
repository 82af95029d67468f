# SPDX-License-Identifier: Apache-2.0
"""YAML as calicoctl prints it."""

import io
import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from yaml._yaml import CEmitter

from percale.resources.yaml_scalars import number_text
from percale.resources.yaml_text import yaml_list, yaml_text

# No line breaks but \n: libyaml and Calico's port of it fold the rare ones differently.
TEXTS = st.text(
    st.one_of(
        st.sampled_from(" ab'\"#:-?,{}[]&*!|>%@`\\\n\t~é☃😀\x00\x7f\xa0"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028\u2029\ufeff"),
    ),
    max_size=30,
)
PROSE = st.lists(
    st.sampled_from(["a", "word", "'quoted'", '"', "x: y", "", "longer-word-of-some-size", "#"]),
    min_size=15,
    max_size=60,
).map(" ".join)


def _witness(text, style):
    """What libyaml's own emitter makes of a mapping of one text."""
    out = io.StringIO()
    emitter = CEmitter(out, allow_unicode=True)
    for event in (
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        yaml.MappingStartEvent(None, None, True, flow_style=False),
        yaml.ScalarEvent(None, None, (True, True), "key"),
        yaml.ScalarEvent(None, None, (True, True), text, style=style),
        yaml.MappingEndEvent(),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    ):
        emitter.emit(event)
    # Behind a text that ends with empty lines libyaml marks the end of the document; Go's encoder leaves the mark out.
    return re.sub(r"^\.\.\.\n\Z", "", out.getvalue(), flags=re.MULTILINE)


@given(st.one_of(TEXTS, PROSE))
@example("\n")
@example("a\n\n")
@example("...\n")
def test_scalars_stand_as_libyaml_writes_them(text):
    """A text takes the style, the escapes and the line breaks of the emitter that Calico's is a port of."""
    printed = yaml_text({"key": text})
    style = {"|": "|", '"': '"', "'": "'"}.get(printed.removeprefix("key: ")[:1])
    assert _witness(text, style) == printed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("true", '"true"'),
        ("no", '"no"'),
        ("010", '"010"'),
        ("1.5", '"1.5"'),
        ("1e400", "1e400"),
        ("2026-01-02T03:04:05Z", '"2026-01-02T03:04:05Z"'),
        ("12:30:45", '"12:30:45"'),
        ("12:60:45", "12:60:45"),
        ("ee:ee:ee:00:00:01", "ee:ee:ee:00:00:01"),
        ("a: b", "'a: b'"),
        ("a:b", "a:b"),
        ("a #b", "'a #b'"),
        ("a#b", "a#b"),
        ("- a", "'- a'"),
        ("-a", "-a"),
        ("it's", "it's"),
        ("tab\there", '"tab\\there"'),
        ("a\nb", "|-\n  a\n  b"),
        ("a\nb\n", "|\n  a\n  b"),
        (" a\n", "|2\n   a"),
        ("😀", '"\\U0001F600"'),
        (None, "null"),
        (True, "true"),
        ({}, "{}"),
        ([], "[]"),
    ],
)
def test_a_value_has_one_text(value, text):
    """A text is quoted when it would read as something else, and in the style that Calico chooses."""
    assert yaml_text({"key": value}) == f"key: {text}\n"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (100, "100"),
        (1.5, "1.5"),
        (123456.5, "123456.5"),
        (1234567.5, "1.2345675e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (2**64 - 1, "18446744073709551615"),
        (10**20, "1e+20"),
    ],
)
def test_numbers_have_gos_text(number, text):
    """Whole numbers of 64 bits are written out; others have an exponent below -4 and from 6 on."""
    assert text == number_text(number)


def test_keys_are_sorted_as_calico_sorts_them():
    """Signs come before letters, and runs of digits are ordered by their value."""
    keys = ["b", "a10", "a2", "a", "A", "_x", "1", "a.b", "a-b"]
    assert list(yaml.safe_load(yaml_text(dict.fromkeys(keys, "v")))) == [
        "_x",
        "1",
        "A",
        "a",
        "a-b",
        "a.b",
        "a2",
        "a10",
        "b",
    ]


def test_a_long_key_is_written_as_a_complex_one():
    """A key of more than 128 bytes stands behind a question mark."""
    assert yaml_text({"k" * 128: "v"}) == f"{'k' * 128}: v\n"
    assert yaml_text({"k" * 129: "v"}) == f"? {'k' * 129}\n: v\n"


def test_lists_stand_at_the_indentation_of_their_key():
    """A list is not indented under its key; mappings in it follow their dash."""
    assert yaml_text({"a": [{"b": "c", "d": ["e"]}, []]}) == "a:\n- b: c\n  d:\n  - e\n- []\n"


def test_an_empty_list_of_resources_is_a_document():
    """A typed list without items says so."""
    assert "".join(yaml_list("Tier", [])) == (
        "apiVersion: projectcalico.org/v3\nitems: []\nkind: TierList\nmetadata: {}\n"
    )
