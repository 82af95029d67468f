# SPDX-License-Identifier: Apache-2.0
"""What a plain YAML scalar means to Calico's command line, and the text it becomes (spec/cli.md section 5)."""

from __future__ import annotations

import re
import struct
from typing import TypeAlias

__all__ = ["Plain", "fits_json", "resolved", "text_of"]

Plain: TypeAlias = bool | int | float | str | None

_WORDS: dict[str, Plain] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
}
# Digits with a base: 0x1F, 0o17, 0b11, and 017, which is octal too.
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LEAST, _GREATEST = -(2**63), 2**64 - 1


def resolved(text: str) -> Plain:
    """Return the value of a plain scalar by the rules of Go's YAML library: ``010`` is 8, ``yes`` is true."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _float(text)
    if text[0] not in "+-0123456789":
        return text
    digits = text.replace("_", "")
    value = _integer(digits)
    if value is None:
        found = _float(digits)
        return text if isinstance(found, str) else found
    return value


def text_of(value: Plain) -> str:
    """Return the text that a scalar becomes where Calico wants a text: 1.10 is ``1.1``, true is ``true``."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _float32_text(value) if fits_json(value) else str(value)
        case _:
            return str(value)


def fits_json(value: Plain) -> bool:
    """Report whether JSON has a form for the scalar: infinity and not-a-number have none."""
    return not isinstance(value, float) or abs(value) < float("inf")


def _integer(digits: str) -> int | None:
    """The integer, or None when it is no integer or does not fit 64 bits."""
    sign = digits[0] if digits[0] in "+-" else ""
    body = digits[len(sign) :]
    base = _BASES.get(body[:2].lower(), 10)
    if base != 10:
        body = body[2:]
    elif len(body) > 1 and body[0] == "0":
        base = 8
    if not body.isascii() or not body.isalnum():
        return None
    try:
        value = int(sign + body, base)
    except ValueError:
        return None
    # An explicit plus makes no unsigned number in Go.
    return value if _LEAST <= value <= (_GREATEST if not sign else 2**63 - 1) else None


def _float(digits: str) -> float | str:
    if not _FLOAT.fullmatch(digits):
        return digits
    value = float(digits)
    return value if fits_json(value) else digits


def _float32_text(value: float) -> str:
    """Go's shortest text for the nearest 32-bit float; an exponent is written below -4 and from 6 on."""
    single = _single(value)
    if not fits_json(single):
        return "+Inf" if value > 0 else "-Inf"
    scientific = next(text for text in (f"{single:.{n}e}" for n in range(17)) if _single(float(text)) == single)
    mantissa, _, exponent = scientific.partition("e")
    if -4 <= int(exponent) < 6:
        digits = len(mantissa.strip("-").replace(".", ""))
        places = max(digits - 1 - int(exponent), 0)
        return f"{float(scientific):.{places}f}"
    return f"{mantissa}e{int(exponent):+03d}"


def _single(value: float) -> float:
    try:
        single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return single
