# SPDX-License-Identifier: Apache-2.0
"""From text to tree (spec/selectors.md section 2), without recursion: brackets may nest as deep as memory allows."""

from __future__ import annotations

from collections.abc import Callable
from re import Match

from percale.selectors.diagnosis import joint_error, operand_error
from percale.selectors.errors import SelectorError
from percale.selectors.nodes import (
    All,
    And,
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
    height,
)
from percale.selectors.tokens import joint_pattern, operand_pattern, string_values

__all__ = ["MAX_HEIGHT", "parse_tree"]

MAX_HEIGHT = 200
"""Tallest tree that is accepted, in nodes from root to leaf; redundant brackets leave no node and do not count.

Calico has no such limit of its own. Ours lets everybody who walks a tree do so by plain recursion.
"""

# The first character tells the operators apart, however many blanks stand inside "starts with".
_COMPARISONS: dict[str, Callable[[str, str], Node]] = {
    "=": Equals,
    "!": NotEquals,
    "c": Contains,
    "s": StartsWith,
    "e": EndsWith,
}
_MEMBERSHIPS: dict[str, Callable[[str, list[str]], Node]] = {"i": In, "n": NotIn}

# By the last named group of tokens.operand_pattern that took part in the match.
_LEAVES: dict[str | None, Callable[[Match[str]], Node]] = {
    "has": lambda match: Has(match["has"]),
    "constant": lambda match: All() if match["constant"] == "all" else Global(),
    "value": lambda match: _COMPARISONS[match["comparison"][0]](match["name"], match["value"][1:-1]),
    "values": lambda match: _MEMBERSHIPS[match["membership"][0]](match["name"], string_values(match["values"])),
}


class _Bracket:
    """What has been read since one ``(``, or since the beginning of the text."""

    __slots__ = ("alternatives", "negated", "offset", "outer", "terms")

    def __init__(self, outer: _Bracket | None, offset: int, negated: bool) -> None:
        self.outer, self.offset, self.negated = outer, offset, negated
        self.alternatives: list[Node] = []
        self.terms: list[Node] = []

    def add(self, operand: Node, negated: bool) -> None:
        """Take the next operand of the running conjunction."""
        self.terms.append(Not(operand) if negated else operand)

    def end_conjunction(self) -> None:
        """Take note of ``||``: what follows belongs to another alternative."""
        self.alternatives.append(self.terms[0] if len(self.terms) == 1 else And(self.terms))
        self.terms = []

    def content(self) -> Node:
        """Return the tree of what stands between the brackets."""
        self.end_conjunction()
        return self.alternatives[0] if len(self.alternatives) == 1 else Or(self.alternatives)


def parse_tree(text: str) -> Node:
    """Return the tree of a selector; blank text means ``all()``.

    Raises SelectorError, with the place and the reason.
    """
    _refuse_surrogates(text)
    if not text.strip(" \t"):
        return All()
    tree = _read(text)
    # A bracket adds at most three nodes to a way from root to leaf: Not, Or, And.
    if text.count("(") >= MAX_HEIGHT // 3 - 1 and (levels := height(tree)) > MAX_HEIGHT:
        raise SelectorError(
            text,
            0,
            f"the expression is {levels} levels deep, at most {MAX_HEIGHT} are allowed",
            "write it with fewer brackets in brackets",
        )
    return tree


def _read(text: str) -> Node:
    operand, joint = operand_pattern(), joint_pattern()
    bracket = _Bracket(None, 0, negated=False)
    position = 0
    while True:
        match = operand.match(text, position)
        if match is None:
            raise operand_error(text, position)
        position = match.end()
        negated = match["negations"].count("!") % 2 == 1
        if match.lastgroup == "open":
            bracket = _Bracket(bracket, position - 1, negated)
            continue
        bracket.add(_LEAVES[match.lastgroup](match), negated)
        while (sign := joint.match(text, position)) is not None and sign.lastgroup == "close":
            bracket = _close(bracket, text, sign.end() - 1)
            position = sign.end()
        if sign is None:
            raise joint_error(text, position, within_brackets=bracket.outer is not None)
        if sign.lastgroup == "end":
            return _finish(bracket, text)
        if sign.lastgroup == "or":
            bracket.end_conjunction()
        position = sign.end()


def _close(bracket: _Bracket, text: str, offset: int) -> _Bracket:
    if bracket.outer is None:
        raise SelectorError(text, offset, "')' closes no '('")
    bracket.outer.add(bracket.content(), bracket.negated)
    return bracket.outer


def _finish(bracket: _Bracket, text: str) -> Node:
    if bracket.outer is not None:
        raise SelectorError(text, bracket.offset, "'(' is not closed")
    return bracket.content()


def _refuse_surrogates(text: str) -> None:
    # The language is defined on UTF-8, and identities are hashes of UTF-8; half a surrogate pair has no such bytes.
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SelectorError(text, error.start, "half a surrogate pair is not a character") from None
