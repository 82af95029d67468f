# SPDX-License-Identifier: Apache-2.0
"""The functions of templates: Go's own, and calicoctl's ``join``, ``joinAndTruncate`` and ``config``."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

import msgspec

from percale.cli.columns import joined_and_cut
from percale.cli.go_text import go_text

__all__ = ["FUNCTIONS", "is_true"]


def is_true(value: Any) -> bool:
    """Reports whether a value counts as true: not nil, false, zero or empty; a structure always does."""
    return isinstance(value, msgspec.Struct) or bool(value)


def _texts(values: Any) -> list[str]:
    if isinstance(values, Mapping):
        return [f"{key}={go_text(value)}" for key, value in sorted(values.items())]
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"{go_text(values)} is no list")
    return [go_text(value) for value in values]


def _join(values: Any, separator: str) -> str:
    return separator.join(_texts(values))


def _join_and_truncate(values: Any, separator: str, width: int) -> str:
    return joined_and_cut(_texts(values), separator, width)


def _first(wanted: bool) -> Callable[..., Any]:
    """``or`` (wanted true) and ``and``: the first such argument, else the last one."""
    return lambda *values: next((value for value in values if is_true(value) is wanted), values[-1])


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            raise IndexError(f"index out of range: {go_text(key)}")
    return value


def _slice(value: Any, *ends: int) -> Any:
    start, end = (*ends, None)[:2] if ends else (0, None)
    return value[start:end]


def _print(*values: Any, between: str = "") -> str:
    parts: list[str] = []
    for number, value in enumerate(values):
        # Print puts blanks only between operands when neither is a string.
        if number and not between and not isinstance(value, str) and not isinstance(values[number - 1], str):
            parts.append(" ")
        elif number:
            parts.append(between)
        parts.append(go_text(value))
    return "".join(parts)


_VERB = re.compile(r"%(?P<flags>[-+0 #]*)(?P<width>[0-9]*)(?P<precision>\.[0-9]*)?(?P<verb>[a-zA-Z%])")


def _printf(form: str, *values: Any) -> str:
    rest = list(values)[::-1]

    def put(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        return _formatted(rest.pop(), verb, match)

    return _VERB.sub(put, form)


def _formatted(value: Any, verb: str, match: re.Match[str]) -> str:
    layout = f"%{match['flags']}{match['width']}{match['precision'] or ''}"
    match verb:
        case "d" | "x" | "X" | "o" if isinstance(value, int):
            return (layout + verb) % value
        case "e" | "f" | "g" | "E" | "G" if isinstance(value, int | float):
            return (layout + verb) % value
        case "q":
            return (layout + "s") % msgspec.json.encode(go_text(value)).decode()
        case "s" | "v" | "t":
            return (layout + "s") % go_text(value)
        case _:
            return f"%!{verb}({type(value).__name__}={go_text(value)})"


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "join": _join,
    "joinAndTruncate": _join_and_truncate,
    "and": _first(False),
    "or": _first(True),
    "not": lambda value: not is_true(value),
    "len": len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: _print(*values, between=" ") + "\n",
    "printf": _printf,
    "html": lambda *values: html.escape(_print(*values)),
    "js": lambda *values: msgspec.json.encode(_print(*values)).decode()[1:-1].replace("'", "\\'"),
    "urlquery": lambda *values: quote_plus(_print(*values)),
    "eq": lambda first, *others: first in others,
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
}
"""Every function but ``config``, which needs the datastore and is given by the caller."""
