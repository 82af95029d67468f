# SPDX-License-Identifier: Apache-2.0
"""Whether a label set matches (spec/selectors.md section 3).

Selectors of one *shape*, which differ only in names and values, share one code object: the shape is written as a
Python expression whose constants are parameters. The user's text never becomes code::

    app == "web" && has(zone)   →   lambda c0, c1, c2: lambda labels: (labels.get(c0) == c1 and c2 in labels)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

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
    Junction,
    Membership,
    Node,
    Not,
    NotEquals,
    NotIn,
    Or,
    StartsWith,
)

__all__ = ["Predicate", "compile_predicate"]

Predicate: TypeAlias = Callable[[Mapping[str, str]], bool]

# {0} stands for the label's name and {1} for the value or the set. Labels are never None, so a missing label is
# unequal to everything and in no set; nothing is contained in the empty tuple, not even the empty string.
_TESTS: dict[type[Node], str] = {
    All: "True",
    Global: "True",
    Has: "{0} in labels",
    Equals: "labels.get({0}) == {1}",
    NotEquals: "labels.get({0}) != {1}",
    In: "labels.get({0}) in {1}",
    NotIn: "labels.get({0}) not in {1}",
    Contains: "{1} in labels.get({0}, ())",
    StartsWith: "((value := labels.get({0})) is not None and value.startswith({1}))",
    EndsWith: "((value := labels.get({0})) is not None and value.endswith({1}))",
}
_JOINTS: dict[type[Node], str] = {And: " and ", Or: " or "}
_QUANTIFIERS: dict[type[Node], str] = {And: "all", Or: "any"}

# CPython's compiler refuses 200 brackets within each other and takes time in the square of an expression's size.
# What would go beyond these is compiled by itself and called.
_MAX_HEIGHT = 50
_MAX_CONSTANTS = 100
_MAX_OPERANDS = 50


def compile_predicate(node: Node) -> Predicate:
    """Return the function that reports whether a mapping of labels matches."""
    constants: list[object] = []
    expression = _expression(node, constants, _MAX_HEIGHT)
    return _shape(expression, len(constants))(*constants)


@lru_cache(maxsize=4096)
def _shape(expression: str, constants: int) -> Callable[..., Predicate]:
    parameters = ", ".join(f"c{number}" for number in range(constants))
    shape: Callable[..., Predicate] = eval(f"lambda {parameters}: lambda labels: {expression}", {})
    return shape


def _expression(node: Node, constants: list[object], room: int) -> str:
    def parameter(constant: object) -> str:
        constants.append(constant)
        return f"c{len(constants) - 1}"

    match node:
        case Comparison():
            return _TESTS[type(node)].format(parameter(node.key), parameter(node.value))
        case Membership():
            return _TESTS[type(node)].format(parameter(node.key), parameter(frozenset(node.values)))
        case Has():
            return _TESTS[Has].format(parameter(node.key))
        case Junction() if len(node.operands) > _MAX_OPERANDS:
            predicates = parameter(tuple(map(compile_predicate, node.operands)))
            return f"{_QUANTIFIERS[type(node)]}(matches(labels) for matches in {predicates})"
        case Junction() | Not() if room == 0 or len(constants) > _MAX_CONSTANTS:
            return f"{parameter(compile_predicate(node))}(labels)"
        case Junction():
            operands = [_expression(operand, constants, room - 1) for operand in node.operands]
            return f"({_JOINTS[type(node)].join(operands)})"
        case Not():
            return f"(not {_expression(node.operand, constants, room - 1)})"
        case _:
            return _TESTS[type(node)]
