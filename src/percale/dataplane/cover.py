# SPDX-License-Identifier: Apache-2.0
"""The cover of a set of prefixes: those that no broader one contains.

The kernel's interval sets refuse overlaps, so the cover is what they hold (spec/dataplane.md section 5.1).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from percale.dataplane.prefix import Prefix

__all__ = ["Cover", "CoverChange", "cover_of"]

_BEYOND = 129  # sorts after every prefix length


class CoverChange(NamedTuple):
    """What one change did to the cover."""

    shown: tuple[Prefix, ...] = ()
    hidden: tuple[Prefix, ...] = ()


class Cover:
    """The prefixes of one IP version, and which of them are not inside another.

    Adding or removing one costs a look-up per prefix length in use, plus what becomes hidden or shown.
    """

    def __init__(self, prefixes: Iterable[Prefix] = ()) -> None:
        self._members = sorted(set(prefixes))
        self._present = set(self._members)
        self._lengths = Counter(member.length for member in self._members)

    def __iter__(self) -> Iterator[Prefix]:
        """The cover, in order of addresses."""
        last: Prefix | None = None
        for member in self._members:
            if last is None or member.start > last.stop:
                yield member
                last = member

    def __len__(self) -> int:
        """How many prefixes there are, covered ones included."""
        return len(self._members)

    @property
    def holds_hosts_only(self) -> bool:
        """Whether every prefix is a single address."""
        return all(member.is_host for member in self._members[:1]) and len(self._lengths) <= 1

    def members(self) -> Iterator[Prefix]:
        """All prefixes, covered ones included, in order of addresses."""
        return iter(self._members)

    def add(self, prefix: Prefix) -> CoverChange:
        """Add a prefix; one that is present already changes nothing."""
        if prefix in self._present:
            return CoverChange()
        visible = not self._is_covered(prefix)
        hidden = tuple(self._direct_descendants(prefix)) if visible else ()
        insort(self._members, prefix)
        self._present.add(prefix)
        self._lengths[prefix.length] += 1
        return CoverChange((prefix,), hidden) if visible else CoverChange()

    def remove(self, prefix: Prefix) -> CoverChange:
        """Remove a prefix; one that is absent changes nothing."""
        if prefix not in self._present:
            return CoverChange()
        del self._members[bisect_left(self._members, prefix)]
        self._present.discard(prefix)
        self._lengths[prefix.length] -= 1
        if not self._lengths[prefix.length]:
            del self._lengths[prefix.length]
        if self._is_covered(prefix):
            return CoverChange()
        return CoverChange(tuple(self._direct_descendants(prefix)), (prefix,))

    def _is_covered(self, prefix: Prefix) -> bool:
        return any(length < prefix.length and prefix.widened(length) in self._present for length in self._lengths)

    def _direct_descendants(self, prefix: Prefix) -> Iterator[Prefix]:
        """The outermost members inside ``prefix``, itself excluded."""
        low = bisect_right(self._members, prefix)
        high = bisect_right(self._members, Prefix(prefix.version, prefix.stop, _BEYOND))
        last: Prefix | None = None
        for member in self._members[low:high]:
            if last is None or member.start > last.stop:
                yield member
                last = member


def cover_of(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """The cover of some prefixes in order of addresses, those of length 0 replaced by their halves."""
    return list(Cover(half for prefix in prefixes for half in prefix.halves()))
