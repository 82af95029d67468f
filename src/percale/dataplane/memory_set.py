# SPDX-License-Identifier: Apache-2.0
"""A set or map in memory, with the kernel's manners: what overlaps is refused, what is absent cannot be deleted."""

from __future__ import annotations

import errno
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from percale.netlink.nftables.datatypes import padded
from percale.netlink.nftables.objects import Element, Set
from percale.netlink.socket import NetlinkError

__all__ = ["MemorySet"]


class MemorySet:
    """The elements of one set; raises NetlinkError as the kernel would."""

    def __init__(self, item: Set) -> None:
        self.item = item
        self._by_key: dict[bytes, Element] = {}
        self._starts: list[bytes] = []

    def __iter__(self) -> Iterator[Element]:
        """The elements, in order of keys."""
        return iter(sorted(self._by_key.values(), key=lambda element: element.key))

    def __len__(self) -> int:
        return len(self._by_key)

    def copy(self) -> MemorySet:
        """A set of its own with the same elements."""
        other = MemorySet(self.item)
        other._by_key, other._starts = dict(self._by_key), list(self._starts)
        return other

    def add(self, element: Element) -> bool:
        """Add an element and report whether it is new; EINVAL for a wrong length, EEXIST if it clashes."""
        length = self.item.key_length
        if len(element.key) != length or len(element.key_end or element.key) != length:
            raise NetlinkError(errno.EINVAL, f"a key of {self.item.name} has {length} bytes")
        if element.key_end is not None and (not self.item.interval or element.key_end < element.key):
            raise NetlinkError(errno.EINVAL, f"{self.item.name} takes no such interval")
        present = self._by_key.get(element.key)
        if present == element:
            return False
        if present is not None or self._overlaps(element):
            raise NetlinkError(errno.EEXIST, f"an element of {self.item.name} is in the way")
        self._by_key[element.key] = element
        if self._is_ordered:
            self._starts.insert(bisect_left(self._starts, element.key), element.key)
        return True

    def remove(self, element: Element) -> Element:
        """Delete the element of this key (and end) and return it; ENOENT if there is none."""
        present = self._by_key.get(element.key)
        if present is None or present.key_end != element.key_end:
            raise NetlinkError(errno.ENOENT, f"{self.item.name} has no such element")
        del self._by_key[element.key]
        if self._is_ordered:
            del self._starts[bisect_left(self._starts, element.key)]
        return present

    def find(self, key: bytes) -> Element | None:
        """The element that holds the key, or None."""
        if not self.item.interval:
            return self._by_key.get(key)
        if self._is_ordered:
            position = bisect_right(self._starts, key) - 1
            candidates = [self._by_key[self._starts[position]]] if position >= 0 else []
        else:
            candidates = list(self._by_key.values())
        return next((element for element in candidates if self._holds(element, key)), None)

    @property
    def _is_ordered(self) -> bool:
        """Whether intervals are of one component, so that order finds them; those of several have no order."""
        return self.item.interval and len(self.item.key) == 1

    def _overlaps(self, element: Element) -> bool:
        if not self.item.interval:
            return False
        low, high = element.key, element.key_end or element.key
        if self._is_ordered:
            position = bisect_right(self._starts, high) - 1
            return position >= 0 and self._end(self._by_key[self._starts[position]]) >= low
        return any(self._holds(other, low) or self._holds(other, high) for other in self._by_key.values())

    def _holds(self, element: Element, key: bytes) -> bool:
        low, high = element.key, self._end(element)
        offset = 0
        for component in self.item.key:
            part = slice(offset, offset + component.size)
            if not low[part] <= key[part] <= high[part]:
                return False
            offset += padded(component.size)
        return True

    @staticmethod
    def _end(element: Element) -> bytes:
        return element.key if element.key_end is None else element.key_end
