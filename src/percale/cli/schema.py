# SPDX-License-Identifier: Apache-2.0
"""``schema``: the JSON Schema of the kinds, for editors that complete and check while one types."""

from __future__ import annotations

import sys

from percale.cli.command import Call, Command

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print the JSON Schema of a kind's documents, or of the documents of all kinds.",
    usage="[KIND]",
    most=1,
    example="schema networkpolicy > networkpolicy.schema.json",
)


def run(call: Call) -> int:
    """Print the schema with two blanks of indentation."""
    import msgspec

    from percale.resources.json_schema import json_schema
    from percale.resources.reference import field_note

    words = call.arguments.positionals
    schema = json_schema(field_note(words[0].partition(".")[0]).kind if words else "")
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n")
    return 0
