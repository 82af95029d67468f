# SPDX-License-Identifier: Apache-2.0
"""How a text stands in YAML: the styles of Calico's emitter and its folding of long lines (spec/cli.md section 9)."""

from __future__ import annotations

import re
from functools import lru_cache

from percale.resources.scalars import resolved

__all__ = ["key_text", "number_text", "scalar_text"]

_WIDTH = 80
_LONGEST_SIMPLE_KEY = 128
_FIRST_INDICATORS = frozenset("#,[]{}&*!|>'\"%@`")
_BREAKS = "\r\n\x85\u2028\u2029"
_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
    "\u2028": "\\L",
    "\u2029": "\\P",
}
# What the emitter takes for printable: no tab, nothing beyond the basic plane.
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_ESCAPED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
# Neither a number nor a time by its first sign, and without signs of which YAML might make something.
_UNSUSPECTED = re.compile("[A-Za-z_/][A-Za-z0-9_./-]*")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"([Tt][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}([.,][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"
    r"| [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}([.,][0-9]+)?)?"
)


def scalar_text(text: str, indent: int, column: int) -> str:
    """Return the text as a value that begins at ``column``; further lines are indented by ``indent``."""
    style, body = _rendered(text)
    if style == "|":
        return _literal(text, indent)
    if column + len(body) <= _WIDTH or " " not in body:
        return body
    return _folded(text, style, indent, column)


@lru_cache(maxsize=4096)
def key_text(text: str) -> tuple[str, bool]:
    """Return the text as a key, and whether it is simple (stands before its colon on one line)."""
    style, body = _rendered(text)
    if style == "|":
        style, body = '"', f'"{_double_quoted(text)}"'
    if not text:
        body = '""'
    return body, len(text.encode()) <= _LONGEST_SIMPLE_KEY and not _has_break(text)


def number_text(value: float) -> str:
    """Return a number as the emitter prints it: integers of 64 bits whole, an exponent below -4 and from 6 on."""
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return str(value)
    scientific = next(text for text in (f"{value:.{n}e}" for n in range(18)) if float(text) == value)
    mantissa, _, exponent = scientific.partition("e")
    if -4 <= int(exponent) < 6:
        return repr(float(value)).removesuffix(".0")
    return f"{mantissa}e{int(exponent):+03d}"


@lru_cache(maxsize=65536)
def _rendered(text: str) -> tuple[str, str]:
    """The style ("" is plain) and the text on one line."""
    style = _style(text)
    match style:
        case "'":
            return style, "'" + text.replace("'", "''") + "'"
        case '"':
            return style, f'"{_double_quoted(text)}"'
        case _:
            return style, text


def _style(text: str) -> str:
    if _UNSUSPECTED.fullmatch(text) and isinstance(resolved(text), str):
        return ""
    if "\n" in text:
        return "|" if _block_allowed(text) else '"'
    if not isinstance(resolved(text), str) or text == "<<" or _TIMESTAMP.fullmatch(text) or _BASE_60.fullmatch(text):
        return '"'
    if _UNPRINTABLE.search(text):
        return '"'
    return "" if _plain_allowed(text) else "'"


def _plain_allowed(text: str) -> bool:
    first = text[0]
    if first in _FIRST_INDICATORS or text[0] == " " or text[-1] == " " or text.startswith(("---", "...")):
        return False
    if first in "?:-" and (len(text) == 1 or text[1] == " "):
        return False
    return not (": " in text or text[-1] == ":" or " #" in text or _has_break(text))


def _block_allowed(text: str) -> bool:
    return not (text[-1] == " " or " \n" in text or _UNPRINTABLE.search(text))


def _has_break(text: str) -> bool:
    return any(sign in text for sign in _BREAKS)


def _double_quoted(text: str) -> str:
    return _ESCAPED.sub(lambda match: _escape(match[0]), text)


def _escape(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    code = ord(sign)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _literal(text: str, indent: int) -> str:
    hint = "2" if text[0] == " " or text[0] in _BREAKS else ""
    kept = text.rstrip("\n")
    chomp = "-" if kept == text else "+" if len(text) - len(kept) > 1 or not kept else ""
    blanks = " " * indent
    lines = [f"{blanks}{line}" if line else "" for line in text.removesuffix("\n").split("\n")]
    return f"|{hint}{chomp}\n" + "\n".join(lines)


def _folded(text: str, style: str, indent: int, column: int) -> str:
    """Break the line at the first single blank past the width; other blanks stay as they are."""
    newline = "\n" + " " * indent
    parts = [style]
    column += len(style)
    blank_before = False
    for at, sign in enumerate(text):
        if sign != " ":
            piece = sign.replace("'", "''") if style == "'" else _double_quoted(sign) if style else sign
            parts.append(piece)
            column += len(piece)
            blank_before = False
            continue
        inside = not style or 0 < at < len(text) - 1
        blank_after = text[at + 1 : at + 2] == " "
        if column > _WIDTH and not blank_before and inside and (style == '"' or not blank_after):
            escape = "\\" if blank_after else ""
            parts.append(newline + escape)
            column = indent + len(escape)
        else:
            parts.append(" ")
            column += 1
        blank_before = True
    parts.append(style)
    return "".join(parts)
