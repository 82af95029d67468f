# SPDX-License-Identifier: Apache-2.0
"""What every label set that matches a selector must satisfy, label by label (spec/selectors.md section 8).

Restrictions may be weaker than the selector, never stronger; an index may therefore skip what breaks one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

from percale.selectors.nodes import And, Comparison, Equals, Has, In, Membership, Node, Not, NotEquals, Or


class Restriction(NamedTuple):
    """What a selector demands of one label: that it is there, that it is not, or one of ``values`` (None: any)."""

    present: bool = False
    absent: bool = False
    values: tuple[str, ...] | None = None

    @property
    def impossible(self) -> bool:
        """Whether no label set can satisfy this, so that the selector matches nothing."""
        return (self.present and self.absent) or self.values == ()


def restrictions(node: Node) -> Mapping[str, Restriction]:
    """Return the restriction of each label that the tree restricts."""
    match node:
        case Equals():
            return {node.key: Restriction(present=True, values=(node.value,))}
        case In():
            # An empty set matches nothing, yet the reference records only presence.
            return {node.key: Restriction(present=True, values=node.values or None)}
        case Not(Has(key)):
            return {key: Restriction(absent=True)}
        case NotEquals() | Membership() | Not():
            return {}
        case Comparison() | Has():
            return {node.key: Restriction(present=True)}
        case And():
            return _of_all(list(map(restrictions, node.operands)))
        case Or():
            return _of_any(list(map(restrictions, node.operands)))
        case _:
            return {}


def _of_all(operands: list[Mapping[str, Restriction]]) -> Mapping[str, Restriction]:
    merged: dict[str, Restriction] = {}
    for operand in operands:
        for key, restriction in operand.items():
            known = merged.get(key)
            merged[key] = restriction if known is None else _both(known, restriction)
    return merged


def _both(one: Restriction, other: Restriction) -> Restriction:
    return Restriction(
        one.present or other.present, one.absent or other.absent, _intersection(one.values, other.values)
    )


def _intersection(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    allowed = frozenset(other)
    return tuple(value for value in one if value in allowed)


def _of_any(operands: list[Mapping[str, Restriction]]) -> Mapping[str, Restriction]:
    common = reduce(lambda keys, operand: keys & operand.keys(), operands[1:], set(operands[0]))
    # In the first operand's order, so that the result does not depend on hashes.
    each = {key: _either([operand[key] for operand in operands]) for key in operands[0] if key in common}
    return {key: restriction for key, restriction in each.items() if restriction.present or restriction.absent}


def _either(alternatives: list[Restriction]) -> Restriction:
    present = all(restriction.present for restriction in alternatives)
    absent = all(restriction.absent for restriction in alternatives)
    return Restriction(present, absent, _union([restriction.values for restriction in alternatives]))


def _union(lists: list[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    united: dict[str, None] = {}
    for values in lists:
        if values is None:
            return None
        united.update(dict.fromkeys(values))
    return tuple(united)
