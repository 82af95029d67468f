# SPDX-License-Identifier: Apache-2.0
"""A document before it has types: values that know their place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import msgspec

from percale.resources.scalars import Plain

__all__ = ["Member", "Node", "located", "node_of", "plain"]

Mapping: TypeAlias = "dict[str, Member]"


class Node(msgspec.Struct, eq=False):
    """A scalar, a list of nodes, or named members; line and column count from 1, 0 is unknown.

    ``text`` is what was written where a plain scalar means something else than its text. ``weight`` counts the nodes
    below, those reached through aliases included.
    """

    value: Plain | list[Node] | Mapping
    line: int = 0
    column: int = 0
    text: str | None = None
    weight: int = 1


class Member(NamedTuple):
    """A member of a mapping with the place of its key."""

    node: Node
    line: int = 0
    column: int = 0


def node_of(value: Any) -> Node:
    """Return builtins (as a JSON decoder makes them) as nodes without places."""
    match value:
        case dict():
            return Node({str(key): Member(node_of(item)) for key, item in value.items()})
        case list() | tuple():
            return Node([node_of(item) for item in value])
        case _:
            return Node(value)


def plain(node: Node) -> Any:
    """Return the builtins that a node stands for."""
    match node.value:
        case dict() as members:
            return {name: plain(member.node) for name, member in members.items()}
        case list() as items:
            return [plain(item) for item in items]
        case value:
            return value


def located(root: Node, path: str) -> tuple[int, int]:
    """Return line and column of the field at a path such as ``spec.ports[0].name``, or of its nearest ancestor."""
    node, place = root, (root.line, root.column)
    for step in _steps(path):
        match node.value:
            case dict() as members if (found := _member(members, step)) is not None:
                node, place = found.node, (found.line, found.column)
            case list() as items if step.isdigit() and int(step) < len(items):
                node = items[int(step)]
                place = (node.line, node.column)
            case _:
                break
    return place


def _member(members: Mapping, name: str) -> Member | None:
    if name in members:
        return members[name]
    lowered = name.lower()
    return next((member for key, member in members.items() if key.lower() == lowered), None)


def _steps(path: str) -> Iterator[str]:
    """The parts of ``a.b[0]['c.d']``."""
    import re

    for match in re.finditer(r"\['([^']*)'\]|\[([0-9]+)\]|([^.\[\]]+)", path):
        yield next(part for part in match.groups() if part is not None)
