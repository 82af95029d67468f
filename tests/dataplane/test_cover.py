# SPDX-License-Identifier: Apache-2.0
"""The cover of prefixes, against a naive one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.dataplane.cover import Cover, cover_of
from percale.dataplane.prefix import Prefix, port_member

# Addresses of a few bits, so that prefixes often hold each other.
_prefixes = st.builds(
    lambda bits, length: Prefix(4, bits << 28, 32).widened(length), st.integers(0, 15), st.integers(0, 4)
) | st.builds(lambda bits, length: Prefix(6, bits << 124, 128).widened(length), st.integers(0, 15), st.integers(1, 4))


def naive(members):
    def covered(one):
        return any(
            other != one and other.version == one.version and other.length < one.length
            and one.widened(other.length) == other
            for other in members
        )  # fmt: skip

    return {one for one in members if not covered(one)}


@given(st.lists(st.tuples(st.booleans(), _prefixes), max_size=30))
def test_cover_follows_every_change(steps):
    """After each change the shown prefixes are those that no other holds, and the change tells exactly how."""
    for version in (4, 6):
        cover, members, shown = Cover(), set(), set()
        for add, prefix in steps:
            if prefix.version != version:
                continue
            change = (cover.add if add else cover.remove)(prefix)
            (members.add if add else members.discard)(prefix)
            assert shown.isdisjoint(change.shown)
            assert shown.issuperset(change.hidden)
            shown = (shown - set(change.hidden)) | set(change.shown)
            assert shown == naive(members)
            assert set(cover) == shown
            assert set(cover.members()) == members


def test_everything_becomes_two_halves():
    """A prefix of length 0 is replaced by its halves, which an interval set can hold (spec/calculation.md R10)."""
    assert [str(one) for one in cover_of([Prefix.parse("0.0.0.0/0"), Prefix.parse("10.0.0.0/8")])] == [
        "0.0.0.0/1",
        "128.0.0.0/1",
    ]
    assert [str(one) for one in Prefix.parse("::/0").halves()] == ["::/1", "8000::/1"]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10.1.2.3", "0a010203", "0a010203"),
        ("10.1.2.3/8", "0a000000", "0affffff"),
        ("10.1.2.3/31", "0a010202", "0a010203"),
        ("fd00::/127", "fd" + "00" * 15, "fd" + "00" * 14 + "01"),
    ],
)
def test_prefix_bytes(text, first, last):
    """A prefix runs from its first address to its last, host bits cleared."""
    prefix = Prefix.parse(text)
    assert (prefix.first.hex(), prefix.last.hex()) == (first, last)


@pytest.mark.parametrize("text", ["10.0.0.300/8", "10.0.0.0/33", "fd00::/129", "10.0.0.0/-1", "nonsense", ""])
def test_what_is_no_prefix_is_refused(text):
    """What is no CIDR raises ValueError."""
    with pytest.raises(ValueError):
        Prefix.parse(text)


def test_port_members():
    """A member with a port is a key of address, protocol and port, each padded to four bytes."""
    assert port_member("10.0.0.1,tcp:80") == (4, bytes.fromhex("0a000001 06000000 00500000"))
    assert port_member("fd00::1,sctp:65535") == (6, bytes.fromhex("fd" + "00" * 14 + "01 84000000 ffff0000"))
