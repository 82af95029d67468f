# SPDX-License-Identifier: Apache-2.0
"""A parsed selector: its canonical text, its identity, and whether labels match it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache

from percale.selectors import nodes
from percale.selectors.canonical import make_id, render
from percale.selectors.errors import SelectorError
from percale.selectors.evaluation import Predicate, compile_predicate
from percale.selectors.grammar import parse_tree
from percale.selectors.restrictions import Restriction, restrictions

_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""The characters that Unicode calls white space; ``str.strip()`` would take the separators U+001C to U+001F as well."""

_REMEMBERED = 4096
"""How many texts ``parse`` remembers; a cluster's policies repeat few distinct ones."""


class Selector:
    """A boolean expression over labels; frozen, and equal to another when both have the same canonical text."""

    node: nodes.Node

    def __init__(self, node: nodes.Node) -> None:
        self.__dict__["node"] = node

    @cached_property
    def canonical(self) -> str:
        """The canonical text: one spelling for each shape of tree (spec/selectors.md section 4)."""
        return render(self.node)

    @cached_property
    def uid(self) -> str:
        """The identity that Calico gives to a selector: ``s:`` and 38 characters made from the canonical text."""
        return make_id("s", self.canonical)

    @cached_property
    def matches(self) -> Predicate:
        """Report whether a mapping of effective labels matches: ``selector.matches({"app": "web"})``."""
        return compile_predicate(self.node)

    def restrictions(self) -> Mapping[str, Restriction]:
        """Return what every matching label set must satisfy, by label name (spec/selectors.md section 8)."""
        return restrictions(self.node)

    def prefixed(self, prefix: str) -> Selector:
        """Return the same selector with ``prefix`` before every label name.

        Names are not checked again: ``parse(selector.prefixed(p).canonical)`` raises SelectorError where one has
        grown beyond 512 bytes.
        """
        return Selector(nodes.prefixed(self.node, prefix))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Selector is frozen: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Selector is frozen: {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return self.canonical == other.canonical if isinstance(other, Selector) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.canonical)

    def __reduce__(self) -> tuple[type[Selector], tuple[nodes.Node]]:
        return type(self), (self.node,)

    def __str__(self) -> str:
        return self.canonical

    def __repr__(self) -> str:
        return f"Selector({self.canonical!r})"


@lru_cache(maxsize=_REMEMBERED)
def parse(text: str) -> Selector:
    """Return the selector that a text spells; blank text means ``all()``.

    Raises SelectorError, with the place and the reason.
    """
    return Selector(parse_tree(text))


def normalise(text: str) -> str:
    """Return the canonical form of a text stripped of white space, or just the stripped text if it does not parse."""
    stripped = text.strip(_WHITE_SPACE)
    try:
        return parse(stripped).canonical
    except SelectorError:
        return stripped
