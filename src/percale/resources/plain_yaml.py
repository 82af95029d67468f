# SPDX-License-Identifier: Apache-2.0
"""The plain part of YAML that most documents are made of, read in one pass and without places.

Block mappings and lists of scalars on one line each, comments on lines of their own, printable ASCII. Whatever else a
document has, and whatever might be wrong with it, is left to the real parser (`yaml_nodes`): what is read here, that
one reads in the same way and without a word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from percale.resources.scalars import resolved

__all__ = ["plain_document"]

_MAX_LINES, _MAX_DEPTH = 400_000, 80  # less than the limits of the real parser, which has the words to refuse
_UNUSUAL = re.compile(r"[^\n -~]")
_LINE = re.compile(
    r"""^\ *(?:\#.*)?$
    | ^(?P<indent>\ *)
      (?P<dash>-\ +)?
      (?:(?P<key>[A-Za-z][A-Za-z0-9_./-]{0,200}):(?:\ +(?=\S)|\ *$))?
      (?:
          (?P<quoted>'[^'\n]*'|"[^"\\\n]*")\ *
        | (?P<plain>(?:[A-Za-z0-9_/]|-[A-Za-z0-9]).*)
        | (?P<empty>\{\})\ *
      )?$
    | (?P<other>.+)
    """,
    re.MULTILINE | re.VERBOSE,
)


class _Unlike(Exception):
    """The text has something that is not read here."""


@lru_cache(maxsize=8192)  # documents repeat what they say
def _scalar(text: str) -> bool | int | str:
    """The value of a plain scalar with whatever stands behind it on its line."""
    if ": " in text or text[-1] == ":" or " #" in text:
        raise _Unlike
    value = resolved(text.rstrip(" "))
    if value is None or isinstance(value, float):
        raise _Unlike
    return value


def plain_document(text: str) -> dict[str, Any] | None:
    """Return the mapping that a document is, or None where it is more than plain, or nothing."""
    if _UNUSUAL.search(text):
        return None
    lines = _LINE.findall(text.removeprefix("---\n"))
    if len(lines) > _MAX_LINES:
        return None
    try:
        return _mapping(lines)
    except _Unlike:
        return None


def _mapping(lines: list[tuple[str, ...]]) -> dict[str, Any] | None:
    root: dict[str, Any] = {}
    # What is open, outermost first: where its lines begin, and the mapping or list.
    open_: list[tuple[int, Any]] = []
    awaiting: str | None = None  # the key of the innermost mapping whose value is to follow
    for indent, dash, key, quoted, plain, empty, other in lines:
        if other:
            raise _Unlike
        if not dash and not key:
            if quoted or plain or empty:
                raise _Unlike
            continue  # nothing, or a comment
        column = len(indent)
        if not open_:
            if dash:
                raise _Unlike
            open_.append((column, root))
        elif awaiting is not None:
            outer, mapping = open_[-1]
            if column < outer or (column == outer and not dash) or len(open_) > _MAX_DEPTH:
                raise _Unlike
            mapping[awaiting] = [] if dash else {}
            open_.append((column, mapping[awaiting]))
            awaiting = None
        else:
            while open_[-1][0] > column or (not dash and open_[-1][0] == column and type(open_[-1][1]) is list):
                open_.pop()
                if not open_:
                    raise _Unlike
        at, innermost = open_[-1]
        if at != column or (type(innermost) is list) != bool(dash):
            raise _Unlike
        value: Any = quoted[1:-1] if quoted else _scalar(plain) if plain else {} if empty else None
        if dash:
            if not key:
                if value is None:
                    raise _Unlike
                innermost.append(value)
                continue
            item: dict[str, Any] = {}
            innermost.append(item)
            innermost = item
            open_.append((column + len(dash), item))
        if key in innermost or _scalar(key) != key:
            raise _Unlike
        if value is None:
            awaiting = key
            innermost[key] = None
        else:
            innermost[key] = value
    if awaiting is not None or not root:
        raise _Unlike
    return root
