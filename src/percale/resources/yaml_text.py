# SPDX-License-Identifier: Apache-2.0
"""Resources as YAML text, byte for byte as calicoctl prints it (spec/cli.md section 9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cmp_to_key, lru_cache
from typing import Any

from percale.resources.json_text import to_builtins
from percale.resources.resource import API_VERSION, Resource
from percale.resources.yaml_scalars import key_text, number_text, scalar_text

__all__ = ["encode_yaml", "yaml_list", "yaml_text"]


def encode_yaml(resource: Resource) -> str:
    """Return one resource as YAML: keys sorted, two blanks of indentation, a line break at the end."""
    return yaml_text(to_builtins(resource))


def yaml_list(kind: str, items: Iterable[Resource], *, resource_version: str = "") -> Iterator[str]:
    """Yield the text of a typed list, item by item, so that no list is too long to print."""
    yield f"apiVersion: {API_VERSION}\n"
    empty = True
    for item in items:
        if empty:
            yield "items:\n"
            empty = False
        yield yaml_text([to_builtins(item)])
    if empty:
        yield "items: []\n"
    yield f"kind: {kind}List\n"
    metadata = {"resourceVersion": resource_version} if resource_version else {}
    yield yaml_text({"metadata": metadata})


def yaml_text(value: Any) -> str:
    """Return builtins as a YAML document."""
    if isinstance(value, dict | list | tuple) and value:
        lines: list[str] = []
        _nested(lines, value, 0)
        return "".join(lines)
    return _scalar(value, 2, 0) + "\n"


def _nested(lines: list[str], value: Any, indent: int) -> None:
    """Add the lines of a mapping or list that is not empty."""
    blanks = " " * indent
    if isinstance(value, dict):
        for key in _sorted(tuple(value)):
            name, simple = key_text(key)
            head = f"{blanks}{name}:" if simple else f"{blanks}? {name}\n{blanks}:"
            _member(lines, head, value[key], indent)
    else:
        for item in value:
            _item(lines, f"{blanks}-", item, indent)


def _member(lines: list[str], head: str, value: Any, indent: int) -> None:
    """Add the lines of a member: lists stand at the same indentation as their key."""
    if isinstance(value, str):
        lines.append(f"{head} {scalar_text(value, indent + 2, len(head) - head.rfind(chr(10)))}\n")
    elif isinstance(value, dict) and value:
        lines.append(f"{head}\n")
        _nested(lines, value, indent + 2)
    elif isinstance(value, list | tuple) and value:
        lines.append(f"{head}\n")
        _nested(lines, value, indent)
    else:
        lines.append(f"{head} {_scalar(value, indent + 2, len(head) - head.rfind(chr(10)))}\n")


def _item(lines: list[str], head: str, value: Any, indent: int) -> None:
    """Add the lines of an item: the first line of a nested value follows the dash."""
    if isinstance(value, dict | list | tuple) and value:
        first = len(lines)
        _nested(lines, value, indent + 2)
        lines[first] = f"{head} {lines[first][indent + 2 :]}"
    else:
        lines.append(f"{head} {_scalar(value, indent + 2, len(head) + 1)}\n")


def _scalar(value: Any, indent: int, column: int) -> str:
    match value:
        case str():
            return scalar_text(value, indent, column)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case int() | float():
            return number_text(value)
        case dict():
            return "{}"
        case _:
            return "[]"


@lru_cache(maxsize=4096)
def _sorted(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(keys, key=cmp_to_key(_compare)))


def _compare(left: str, right: str) -> int:
    """The emitter's order of keys: other signs before letters, runs of digits by their value."""
    for at, (a, b) in enumerate(zip(left, right, strict=False)):
        if a == b:
            continue
        if a.isalpha() or b.isalpha():
            return ord(a) - ord(b) if a.isalpha() and b.isalpha() else a.isalpha() - b.isalpha()
        (value_a, end_a), (value_b, end_b) = (_run(text, at, left[:at], a, b) for text in (left, right))
        return (value_a - value_b) or (end_a - end_b) or (ord(a) - ord(b))
    return len(left) - len(right)


def _run(text: str, at: int, common: str, a: str, b: str) -> tuple[int, int]:
    """The value of the digits from ``at`` on and their end; a zero inside a longer number counts as a digit of it."""
    digits = common[len(common.rstrip("0123456789")) :]
    value = 1 if "0" in {a, b} and digits.strip("0") else 0
    end = at
    while end < len(text) and text[end].isdecimal():
        value = value * 10 + int(text[end])
        end += 1
    return value, end
