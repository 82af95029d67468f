# SPDX-License-Identifier: Apache-2.0
"""Selectors in an explanation: the conditions of one, which of them labels meet, and what the labels are instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from percale.calc.effective import NAMESPACE_LABEL, NAMESPACE_PREFIX, SERVICE_ACCOUNT_LABEL, SERVICE_ACCOUNT_PREFIX
from percale.calc.labels import Labels
from percale.selectors import (
    And,
    Contains,
    EndsWith,
    Equals,
    Has,
    In,
    Node,
    Not,
    NotEquals,
    NotIn,
    Or,
    Selector,
    StartsWith,
)

__all__ = ["Condition", "conditions"]


class Condition(NamedTuple):
    """One of the conditions that a selector and-s: as people read it, whether labels meet it, and what they are.

    ``label`` is ``key=value`` where giving the endpoint this one label would meet the condition. ``is_implied`` marks
    the namespace that a namespaced policy's selectors have without being written.
    """

    wanted: str
    holds: bool
    found: str
    label: str = ""
    is_implied: bool = False


def conditions(selector: Selector, labels: Labels | None) -> tuple[Condition, ...]:
    """Return the conditions of a selector; ``labels`` is None for an address that no endpoint has."""
    return tuple(
        Condition(
            wanted=_text(node),
            holds=labels is not None and Selector(node).matches(labels),
            found="" if labels is None else ", ".join(_found(key, labels) for key in dict.fromkeys(_keys(node))),
            label=_label(node),
            is_implied=isinstance(node, Equals) and node.key == NAMESPACE_LABEL,
        )
        for node in _conjuncts(selector.node)
    )


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, And):
        for operand in node.operands:
            yield from _conjuncts(operand)
    else:
        yield node


def _keys(node: Node) -> Iterator[str]:
    match node:
        case And() | Or():
            for operand in node.operands:
                yield from _keys(operand)
        case Not():
            yield from _keys(node.operand)
        case Has(key) | In(key, _) | NotIn(key, _):
            yield key
        case Equals(key, _) | NotEquals(key, _) | Contains(key, _) | StartsWith(key, _) | EndsWith(key, _):
            yield key
        case _:
            return


def _text(node: Node) -> str:
    match node:
        case And() | Or():
            return f"({f' {node.operator} '.join(map(_text, node.operands))})"
        case Not():
            return f"!{_text(node.operand)}"
        case Has(key):
            return f"has({_spoken(key)})"
        case In(key, values) | NotIn(key, values):
            return f"{_spoken(key)} {node.operator} {{{', '.join(map(_quoted, values))}}}"
        case Equals(key, value) | NotEquals(key, value) | Contains(key, value):
            return f"{_spoken(key)} {node.operator} {_quoted(value)}"
        case StartsWith(key, value) | EndsWith(key, value):
            return f"{_spoken(key)} {node.operator} {_quoted(value)}"
        case _:
            return Selector(node).canonical


def _found(key: str, labels: Labels) -> str:
    return f"{_spoken(key)} is {_quoted(labels[key])}" if key in labels else f"no {_spoken(key)}"


def _label(node: Node) -> str:
    match node:
        case Equals(key, value) if _spoken(key) == key:
            return f"{key}={value}"
        case In(key, (first, *_)) if _spoken(key) == key:
            return f"{key}={first}"
        case _:
            return ""


def _spoken(key: str) -> str:
    """A label's name as people know it, where it is not the endpoint's own label."""
    if key == NAMESPACE_LABEL:
        return "namespace"
    if key == SERVICE_ACCOUNT_LABEL:
        return "service account"
    for prefix, owner in ((NAMESPACE_PREFIX, "namespace's"), (SERVICE_ACCOUNT_PREFIX, "service account's")):
        if key.startswith(prefix):
            return f"{owner} {key.removeprefix(prefix)}"
    return key


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"
