# SPDX-License-Identifier: Apache-2.0
"""``fields``: what a kind, or a field of it, means, and what may stand there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from percale.cli.command import Call, Command

if TYPE_CHECKING:
    from percale.resources.reference import FieldNote

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print the documentation of a kind or of one of its fields: its type, default and rules, and the fields inside.",
    usage="KIND[.FIELD...]",
    least=1,
    most=1,
    example="fields ippool.spec.blockSize",
)
_WIDTH = 100


def run(call: Call) -> int:
    """Print a note on a field, and one on each field inside."""
    from percale.resources.reference import field_note

    note = field_note(call.arguments.positionals[0])
    facts = [
        ("KIND", note.kind),
        ("FIELD", note.path),
        ("TYPE", note.type_words),
        ("DEFAULT", note.default),
        *(("RULE", rule) for rule in note.rules),
    ]
    sys.stdout.write("".join(f"{name:<8} {value}\n" for name, value in facts if value))
    sys.stdout.write("".join(f"{line}\n" for line in ("", *_folded(note.text, ""))))
    for member in note.members:
        sys.stdout.write("".join(f"{line}\n" for line in ("", *_entry(member))))
    return 0


def _entry(note: FieldNote) -> Iterator[str]:
    """A field inside: its name and type, then its meaning."""
    yield f"  {note.name}: {note.type_words}" + (f"; default {note.default}" if note.default else "")
    yield from _folded(note.text, "      ")


def _folded(text: str, indentation: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, _WIDTH, initial_indent=indentation, subsequent_indent=indentation, break_on_hyphens=False)
