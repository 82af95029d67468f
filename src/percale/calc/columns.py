# SPDX-License-Identifier: Apache-2.0
"""Columns: effective labels of all slots turned on their side, so that a selector is evaluated for all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import chain
from operator import and_, or_, sub

from pyroaring import BitMap

from percale.calc.postings import Posting, add_slot, add_slots, as_bitmap, discard_slot, discard_slots
from percale.selectors.nodes import (
    All,
    And,
    Comparison,
    Contains,
    EndsWith,
    Equals,
    Global,
    Has,
    In,
    Node,
    Not,
    NotEquals,
    NotIn,
    Or,
    StartsWith,
)

__all__ = ["LabelColumns", "holds"]


def holds(test: Comparison, value: str) -> bool:
    """Report whether a present label with this value passes a ``contains``, ``starts with`` or ``ends with``."""
    match test:
        case Contains():
            return test.value in value
        case StartsWith():
            return value.startswith(test.value)
        case _:
            return value.endswith(test.value)


class LabelColumns:
    """For each label, which slots have it with which value; and all slots there are."""

    def __init__(self) -> None:
        self.everyone = BitMap()
        self._values: dict[str, dict[str, Posting]] = {}
        self._having: dict[str, Posting] = {}

    def add(self, slot: int, key: str, value: str, *, is_new_key: bool) -> None:
        """Enter one label of one slot; ``is_new_key`` unless the slot had another value."""
        column = self._values.get(key)
        if column is None:
            column = self._values[key] = {}
        add_slot(column, value, slot)
        if is_new_key:
            add_slot(self._having, key, slot)

    def discard(self, slot: int, key: str, value: str, *, is_last_of_key: bool) -> None:
        """Strike out one label of one slot; ``is_last_of_key`` unless it gets another value."""
        discard_slot(self._values[key], value, slot)
        if is_last_of_key:
            discard_slot(self._having, key, slot)

    def add_many(self, key: str, slots_by_value: Mapping[str, list[int]]) -> None:
        """Enter values of one label, each for many slots that do not have the label yet."""
        column = self._values.setdefault(key, {})
        for value, slots in slots_by_value.items():
            add_slots(column, value, slots)
        add_slots(self._having, key, list(chain.from_iterable(slots_by_value.values())))

    def discard_many(self, key: str, slots_by_value: Mapping[str, list[int]]) -> None:
        """Strike out values of one label, each for many slots; those that get another value are entered afterwards."""
        column = self._values[key]
        for value, slots in slots_by_value.items():
            discard_slots(column, value, slots)
        discard_slots(self._having, key, list(chain.from_iterable(slots_by_value.values())))

    def count(self, key: str, value: str | None = None) -> int:
        """Return how many slots have a label, with this value unless None."""
        posting = self._having.get(key) if value is None else self._values.get(key, {}).get(value)
        return 0 if posting is None else 1 if isinstance(posting, int) else len(posting)

    def select(self, node: Node) -> BitMap:
        """Return the slots whose labels match."""
        slots, negated = self._evaluate(node)
        return self.everyone - slots if negated else BitMap(slots)

    def _evaluate(self, node: Node) -> tuple[BitMap, bool]:
        """Return slots, to be read only, and whether all *other* slots are meant: no complement until the very end."""
        match node:
            case Equals():
                return self._with_values(node.key, (node.value,)), False
            case NotEquals():
                return self._with_values(node.key, (node.value,)), True
            case In():
                return self._with_values(node.key, node.values), False
            case NotIn():
                return self._with_values(node.key, node.values), True
            case Has():
                return as_bitmap(self._having.get(node.key)), False
            case Contains() | StartsWith() | EndsWith():
                column = self._values.get(node.key, {})
                return self._with_values(node.key, [value for value in column if holds(node, value)]), False
            case All() | Global():
                return _NOBODY, True
            case Not():
                slots, negated = self._evaluate(node.operand)
                return slots, not negated
            case And():
                return _intersection(map(self._evaluate, node.operands))
            case Or():
                slots, negated = _intersection((each, not out) for each, out in map(self._evaluate, node.operands))
                return slots, not negated

    def _with_values(self, key: str, values: Sequence[str]) -> BitMap:
        column = self._values.get(key, {})
        found = [as_bitmap(column[value]) for value in values if value in column]
        return found[0] if len(found) == 1 else BitMap.union(*found) if found else _NOBODY


_NOBODY = BitMap()


def _intersection(operands: Iterable[tuple[BitMap, bool]]) -> tuple[BitMap, bool]:
    """Intersect slots and complements of slots, the smallest first; stops at the first operand without any slot."""
    inside: list[BitMap] = []
    outside: list[BitMap] = []
    for slots, negated in operands:
        if not (slots or negated):
            return _NOBODY, False
        (outside if negated else inside).append(slots)
    if not inside:
        return reduce(or_, outside), True
    inside.sort(key=len)
    return reduce(sub, outside, reduce(and_, inside)), False
