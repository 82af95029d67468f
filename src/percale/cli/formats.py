# SPDX-License-Identifier: Apache-2.0
"""What may stand behind ``-o``."""

from __future__ import annotations

from collections.abc import Sequence

from percale.cli.command import CommandFailed, is_calicos

__all__ = ["TEXT_OR_JSON", "unknown_format"]

TEXT_OR_JSON = ("text", "json")
"""The formats of a command that speaks to people or to programs."""


def unknown_format(form: str, known: Sequence[str], program: str) -> CommandFailed:
    """Return the refusal of a format, with those that exist; a program by a name of Calico's speaks Calico's words."""
    text = f"unrecognized output format '{form}'"
    return CommandFailed(text if is_calicos(program) else f"{text}, expected one of: {', '.join(known)}")
