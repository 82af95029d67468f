# SPDX-License-Identifier: Apache-2.0
"""Attributes: what is packed is what is parsed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.netlink import attributes

KINDS = st.integers(0, 0x3FFF)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40))))
def test_packed_attributes_parse_to_the_same(items):
    """Types, payloads and their order survive; padding does not show."""
    packed = b"".join(attributes.attribute(kind, payload) for kind, payload in items)
    assert len(packed) % 4 == 0
    assert items == attributes.pairs(packed)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=9)), min_size=1))
def test_nested_attributes_parse_level_by_level(items):
    """A nested attribute's payload is the list that was put in, and its type is told without the nesting flag."""
    inner = [attributes.attribute(kind, payload) for kind, payload in items]
    ((kind, payload),) = attributes.pairs(attributes.nested(7, *inner))
    assert kind == 7
    assert items == attributes.pairs(payload)


@given(st.binary(max_size=60))
def test_any_bytes_parse_without_error(noise):
    """A torn or absurd attribute ends the list; it never raises nor loops."""
    assert isinstance(attributes.pairs(noise), list)


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20))
def test_text_survives(text):
    """A string attribute gives back its text without the closing zero."""
    ((_, payload),) = attributes.pairs(attributes.string(3, text))
    assert text == attributes.text_of(payload)


@pytest.mark.parametrize(
    ("pack", "value", "payload"),
    [
        (attributes.u8, 255, b"\xff"),
        (attributes.u16, 258, struct.pack("=H", 258)),
        (attributes.u32, 258, struct.pack("=I", 258)),
        (attributes.be16, 258, b"\1\2"),
        (attributes.be32, 258, b"\0\0\1\2"),
        (attributes.be32, -3, b"\xff\xff\xff\xfd"),
        (attributes.be64, 258, b"\0\0\0\0\0\0\1\2"),
    ],
)
def test_numbers_have_their_width_and_order(pack, value, payload):
    """Each kind of number has its width, and its length field leaves the padding out."""
    packed = pack(9, value)
    assert {9: payload} == attributes.parse(packed)
    assert len(packed) % 4 == 0
    assert struct.unpack_from("=H", packed)[0] == 4 + len(payload)


def test_the_longest_payload():
    """65531 bytes fit the 16-bit length of an attribute, 65532 do not."""
    assert len(attributes.attribute(1, bytes(65531))) == 65536
    with pytest.raises(struct.error):
        attributes.attribute(1, bytes(65532))


def test_the_last_of_equal_types_counts():
    """``parse`` keeps the last payload of a type."""
    packed = attributes.attribute(1, b"a") + attributes.attribute(1, b"b")
    assert attributes.parse(packed) == {1: b"b"}
