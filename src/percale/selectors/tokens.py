# SPDX-License-Identifier: Apache-2.0
"""The words of a selector (spec/selectors.md section 1), as two patterns that take turns along the text.

A label name is always followed by its operator and its value, so one match takes a whole comparison::

    !!  a not in {'x', "y"}   &&   ! (  has(b)  )
    └────── operand ──────┘ joint └─┘└─operand┘ joint

Reading takes time in proportion to the text: no two alternatives can match the same words, runs of blanks are
possessive, and the first mismatch ends the reading.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = [
    "BLANK",
    "COMPARISON",
    "LETTER",
    "MAX_NAME_BYTES",
    "MEMBERSHIP",
    "STRING",
    "joint_pattern",
    "operand_pattern",
    "string_values",
]

MAX_NAME_BYTES = 512
"""Longest label name, in bytes, which are characters here because names are ASCII."""

LETTER = r"[a-zA-Z0-9_./-]"
BLANK = r"[ \t]*+"
STRING = r"""(?:'[^']*'|"[^"]*")"""
COMPARISON = rf"(?:==|!=|contains|starts{BLANK}with|ends{BLANK}with)"
MEMBERSHIP = rf"(?:in|not{BLANK}in)"

_NAME = rf"{LETTER}{{1,{MAX_NAME_BYTES}}}(?!{LETTER})"
_SET = rf"\{{{BLANK}(?:{STRING}{BLANK}(?:,{BLANK}{STRING}{BLANK})*(?:,{BLANK})?)?\}}"
_OPERAND = rf"""
    {BLANK} (?P<negations> (?:!{BLANK})* )
    (?: (?P<open> \( )
      | has\( {BLANK} (?P<has> {_NAME} ) {BLANK} \)
      | (?P<constant> all | global ) \( {BLANK} \)
      | (?P<name> {_NAME} ) {BLANK}
        (?: (?P<comparison> {COMPARISON} ) {BLANK} (?P<value> {STRING} )
          | (?P<membership> {MEMBERSHIP} ) {BLANK} (?P<values> {_SET} )
        )
    )
"""
_JOINT = rf"{BLANK} (?: (?P<and> && ) | (?P<or> \|\| ) | (?P<close> \) ) | (?P<end> \Z ) )"

# Compiled on first use: a command that reads no selector must not wait for more than a millisecond.


@cache
def operand_pattern() -> re.Pattern[str]:
    """Return the pattern of what stands between joints: any number of ``!``, then a comparison, call or ``(``."""
    return re.compile(_OPERAND, re.VERBOSE)


@cache
def joint_pattern() -> re.Pattern[str]:
    """Return the pattern of what follows a comparison, a call or a ``)``."""
    return re.compile(_JOINT, re.VERBOSE)


@cache
def _string_pattern() -> re.Pattern[str]:
    return re.compile(STRING)


def string_values(values: str) -> list[str]:
    """Return what stands between the quotes in the text of a set, in the user's order."""
    return [quoted[1:-1] for quoted in _string_pattern().findall(values)]
