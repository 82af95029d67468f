# SPDX-License-Identifier: Apache-2.0
"""Postings: which slots have something, in a table by what they have.

A slot is a small number that stands for an endpoint or network set. Most values of labels occur once in a cluster, so a
lone slot is held as a plain number and becomes a bitmap when a second one joins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

from pyroaring import BitMap

__all__ = ["Posting", "add_slot", "add_slots", "as_bitmap", "discard_slot", "discard_slots"]

Posting: TypeAlias = int | BitMap

_K = TypeVar("_K")
_EMPTY = BitMap()


def as_bitmap(posting: Posting | None) -> BitMap:
    """Return the slots of a posting, to be read only."""
    if posting is None:
        return _EMPTY
    return BitMap((posting,)) if isinstance(posting, int) else posting


def add_slot(table: dict[_K, Posting], key: _K, slot: int) -> None:
    """Add one slot that may be there already."""
    posting = table.get(key)
    if posting is None:
        table[key] = slot
    elif isinstance(posting, int):
        table[key] = BitMap((posting, slot))
    else:
        posting.add(slot)


def discard_slot(table: dict[_K, Posting], key: _K, slot: int) -> None:
    """Remove one slot that is there."""
    posting = table[key]
    if isinstance(posting, int):
        del table[key]
    else:
        posting.remove(slot)
        if not posting:
            del table[key]


def add_slots(table: dict[_K, Posting], key: _K, slots: Sequence[int]) -> None:
    """Add many slots at once."""
    posting = table.get(key)
    if posting is not None:
        table[key] = as_bitmap(posting) | BitMap(slots)
    else:
        table[key] = slots[0] if len(slots) == 1 else BitMap(slots)


def discard_slots(table: dict[_K, Posting], key: _K, slots: Sequence[int]) -> None:
    """Remove many slots that are there at once."""
    left = as_bitmap(table[key]) - BitMap(slots)
    if left:
        table[key] = left
    else:
        del table[key]
