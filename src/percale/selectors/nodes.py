# SPDX-License-Identifier: Apache-2.0
"""The tree of a parsed selector (spec/selectors.md section 2).

The classes are written out by hand: dataclasses compile each class when it is imported, which a command that only
prints its version must not pay for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeAlias


class _Value:
    """A frozen record: equal by class and fields, hashable, and usable in ``match`` patterns."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def _fill(self, *values: object) -> None:
        for name, value in zip(self.__match_args__, values, strict=True):
            object.__setattr__(self, name, value)

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Value) or type(self) is not type(other):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._fields()))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._fields()


class All(_Value):
    """``all()``: every label set matches."""

    __slots__ = ()


class Global(_Value):
    """``global()``: by itself the same as ``all()``; rule peers give it a meaning (spec/selectors.md section 6.2)."""

    __slots__ = ()


class Has(_Value):
    """``has(key)``: the label exists, whatever its value."""

    __slots__ = __match_args__ = ("key",)
    key: str

    def __init__(self, key: str) -> None:
        self._fill(key)


class Comparison(_Value):
    """A label against one value; the subclass says how, ``operator`` is its spelling."""

    __slots__ = __match_args__ = ("key", "value")
    operator: ClassVar[str]
    key: str
    value: str

    def __init__(self, key: str, value: str) -> None:
        self._fill(key, value)


class Equals(Comparison):
    """``key == "value"``: the label exists with exactly this value."""

    __slots__ = ()
    operator = "=="


class NotEquals(Comparison):
    """``key != "value"``: the label has another value, or is missing."""

    __slots__ = ()
    operator = "!="


class Contains(Comparison):
    """``key contains "value"``: the label exists and its value contains this text."""

    __slots__ = ()
    operator = "contains"


class StartsWith(Comparison):
    """``key starts with "value"``: the label exists and its value begins with this text."""

    __slots__ = ()
    operator = "starts with"


class EndsWith(Comparison):
    """``key ends with "value"``: the label exists and its value ends with this text."""

    __slots__ = ()
    operator = "ends with"


class Membership(_Value):
    """A label against a set; ``values`` are sorted by their UTF-8 bytes, without duplicates, perhaps none."""

    __slots__ = __match_args__ = ("key", "values")
    operator: ClassVar[str]
    key: str
    values: tuple[str, ...]

    def __init__(self, key: str, values: Iterable[str]) -> None:
        # The order of code points is the order of UTF-8 bytes.
        self._fill(key, tuple(sorted(set(values))))


class In(Membership):
    """``key in {…}``: the label exists and its value is one of these."""

    __slots__ = ()
    operator = "in"


class NotIn(Membership):
    """``key not in {…}``: the label has a value that is none of these, or is missing."""

    __slots__ = ()
    operator = "not in"


class Not(_Value):
    """``!operand``: matches what the operand does not."""

    __slots__ = __match_args__ = ("operand",)
    operand: Node

    def __init__(self, operand: Node) -> None:
        self._fill(operand)


class Junction(_Value):
    """Two or more operands joined by one operator, in the order and with the nesting that the user wrote."""

    __slots__ = __match_args__ = ("operands",)
    operator: ClassVar[str]
    operands: tuple[Node, ...]

    def __init__(self, operands: Iterable[Node]) -> None:
        self._fill(tuple(operands))


class And(Junction):
    """``(a && b)``: every operand matches."""

    __slots__ = ()
    operator = "&&"


class Or(Junction):
    """``(a || b)``: at least one operand matches."""

    __slots__ = ()
    operator = "||"


Leaf: TypeAlias = All | Global | Has | Equals | NotEquals | Contains | StartsWith | EndsWith | In | NotIn
Node: TypeAlias = Leaf | Not | And | Or


def children(node: Node) -> tuple[Node, ...]:
    """Return the operands of a node, none for a leaf."""
    if isinstance(node, Junction):
        return node.operands
    return (node.operand,) if isinstance(node, Not) else ()


def height(node: Node) -> int:
    """Return how many nodes the longest way from the root to a leaf passes; a leaf alone is 1."""
    levels = 0
    level: tuple[Node, ...] = (node,)
    while level:
        levels += 1
        level = tuple(child for parent in level for child in children(parent))
    return levels


def prefixed(node: Node, prefix: str) -> Node:
    """Return the same tree with ``prefix`` before every label name (spec/selectors.md section 6)."""
    match node:
        case Junction():
            return type(node)([prefixed(operand, prefix) for operand in node.operands])
        case Not():
            return Not(prefixed(node.operand, prefix))
        case Comparison():
            return type(node)(prefix + node.key, node.value)
        case Membership():
            return type(node)(prefix + node.key, node.values)
        case Has():
            return Has(prefix + node.key)
        case _:
            return node
