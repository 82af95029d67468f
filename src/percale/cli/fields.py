# SPDX-License-Identifier: Apache-2.0
"""``fields``: what a kind, or a field of it, means, and what may stand there."""

from __future__ import annotations

import sys

from percale.cli.command import Call, Command

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print the documentation of a kind or of one of its fields: its type, default and rules, and the fields inside.",
    usage="KIND[.FIELD...]",
    least=1,
    most=1,
    example="fields ippool.spec.blockSize",
)


def run(call: Call) -> int:
    """Print a note on a field, and a table of what is inside."""
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
    if note.text:
        sys.stdout.write(f"\n{note.text}\n")
    if note.members:
        rows = [(member.path.rpartition(".")[2], member.type_words, member.text) for member in note.members]
        width, kinds = (max(len(row[at]) for row in rows) for at in (0, 1))
        lines = (f"  {name:<{width}}  {kind:<{kinds}}  {text}".rstrip() for name, kind, text in rows)
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    return 0
