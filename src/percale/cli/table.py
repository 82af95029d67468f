# SPDX-License-Identifier: Apache-2.0
"""Text in columns, as calicoctl lays it out (spec/cli.md sections 9 and 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["bordered", "columns"]

_GAP, _NARROWEST = 3, 5


def columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a plain table; every column, also the last, is filled up with blanks."""
    table = [tuple(headings), *map(tuple, rows)]
    widths = [max(_NARROWEST, max(map(len, column)) + _GAP) for column in zip(*table, strict=True)]
    line = "".join(f"%-{width}s" for width in widths) + "\n"
    for row in table:
        yield line % row


def bordered(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> Iterator[str]:
    """Yield the lines of a table with ASCII borders; the columns numbered in ``right`` are aligned right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+\n"
    yield rule
    yield _line(headings, widths, ())
    yield rule
    for row in rows:
        yield _line(row, widths, right)
    yield rule


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if number in right else cell.ljust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join(padded) + " |\n"
