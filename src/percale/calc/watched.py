# SPDX-License-Identifier: Apache-2.0
"""Watched selectors, filed under the tests of labels that decide about them.

A *test* is the smallest question about a label: (key, value), (key, None) for its presence, or (key, text comparison).
The *anchors* of a selector are tests of which at least one holds wherever the selector matches; its *dependencies* are
all tests whose answer can change whether it matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from pyroaring import BitMap

from percale.calc.columns import holds
from percale.calc.labels import Labels
from percale.selectors import Selector
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

__all__ = ["Files", "LabelChange", "Test", "Watched", "anchors", "dependencies"]

Test: TypeAlias = tuple[str, str | Comparison | None]

LabelChange: TypeAlias = tuple[str, str | None, str | None]
"""Key, old value, new value; None for a label that is not there."""


class Watched:
    """A selector whose matching slots are kept up to date; ``interest`` counts who asked for that."""

    __slots__ = ("anchors", "dependencies", "interest", "selector", "slots", "uid")

    def __init__(self, selector: Selector, slots: BitMap, anchors: tuple[Test, ...] | None) -> None:
        self.selector = selector
        self.uid = selector.uid
        self.slots = slots
        self.anchors = anchors
        self.dependencies = dependencies(selector.node)
        self.interest = 0


def dependencies(node: Node) -> tuple[Test, ...]:
    """Return all tests in a selector, each once."""
    return tuple(dict.fromkeys(_tests(node)))


def _tests(node: Node) -> Iterator[Test]:
    match node:
        case Equals() | NotEquals():
            yield node.key, node.value
        case In() | NotIn():
            yield from ((node.key, value) for value in node.values)
        case Has():
            yield node.key, None
        case Contains() | StartsWith() | EndsWith():
            yield node.key, node
        case Not():
            yield from _tests(node.operand)
        case And() | Or():
            for operand in node.operands:
                yield from _tests(operand)


def anchors(node: Node, cost: Callable[[Test], int]) -> tuple[Test, ...] | None:
    """Return tests of which one holds wherever the selector matches, the cheapest set of them by ``cost``.

    Empty for a selector that can match nothing, None where there is no such set, as for ``all()`` and ``!has(a)``.
    """
    return _anchors(node, cost, negated=False)


def _anchors(node: Node, cost: Callable[[Test], int], *, negated: bool) -> tuple[Test, ...] | None:
    match node:
        case Not():
            return _anchors(node.operand, cost, negated=not negated)
        case And() | Or():
            parts = [_anchors(operand, cost, negated=negated) for operand in node.operands]
            # De Morgan: a negated && is an || of negated operands.
            if isinstance(node, And) is not negated:
                usable = [part for part in parts if part is not None]
                return min(usable, key=lambda part: sum(map(cost, part)), default=None)
            if None in parts:
                return None
            return tuple(dict.fromkeys(test for part in parts if part for test in part))
        case All() | Global():
            return () if negated else None
        case NotEquals() | NotIn():
            return tuple(_tests(node)) if negated else None
        case _:
            return None if negated else tuple(_tests(node))


class Files:
    """Selectors filed under tests, found again by the labels that pass them."""

    def __init__(self) -> None:
        self._filed: dict[str, dict[str | Comparison | None, Watched | set[Watched]]] = {}
        self._texts: dict[str, list[Comparison]] = {}

    def add(self, test: Test, watched: Watched) -> None:
        """File a selector under a test."""
        key, token = test
        of_key = self._filed.setdefault(key, {})
        filed = of_key.get(token)
        if filed is None:
            of_key[token] = watched
            if isinstance(token, Comparison):
                self._texts.setdefault(key, []).append(token)
        elif isinstance(filed, Watched):
            of_key[token] = {filed, watched}
        else:
            filed.add(watched)

    def discard(self, test: Test, watched: Watched) -> None:
        """Take out a selector that was filed under a test."""
        key, token = test
        of_key = self._filed[key]
        filed = of_key[token]
        if isinstance(filed, set) and len(filed) > 1:
            filed.discard(watched)
            return
        del of_key[token]
        if isinstance(token, Comparison):
            self._texts[key].remove(token)

    def count(self, test: Test) -> int:
        """Return how many selectors are filed under a test."""
        filed = self._filed.get(test[0], {}).get(test[1])
        return 0 if filed is None else 1 if isinstance(filed, Watched) else len(filed)

    def concerns(self, key: str) -> bool:
        """Report whether any selector is filed under a test of this label."""
        return bool(self._filed.get(key))

    def passed(self, labels: Labels) -> set[Watched]:
        """Return the selectors filed under any test that these labels pass."""
        found: set[Watched] = set()
        filed, texts = self._filed, self._texts
        for key, value in labels.items():
            of_key = filed.get(key)
            if of_key:
                _take(of_key.get(value), found)
                _take(of_key.get(None), found)
                if key in texts:
                    for test in texts[key]:
                        if holds(test, value):
                            _take(of_key[test], found)
        return found

    def flipped(self, changes: Iterable[LabelChange]) -> set[Watched]:
        """Return the selectors filed under any test whose answer these changes turn round."""
        found: set[Watched] = set()
        for key, old, new in changes:
            of_key = self._filed.get(key)
            if not of_key:
                continue
            if old is not None:
                _take(of_key.get(old), found)
            if new is not None:
                _take(of_key.get(new), found)
            if old is None or new is None:
                _take(of_key.get(None), found)
            for test in self._texts.get(key, ()):
                if (old is not None and holds(test, old)) is not (new is not None and holds(test, new)):
                    _take(of_key[test], found)
        return found


def _take(filed: Watched | set[Watched] | None, into: set[Watched]) -> None:
    if isinstance(filed, set):
        into |= filed
    elif filed is not None:
        into.add(filed)
