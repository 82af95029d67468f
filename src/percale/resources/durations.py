# SPDX-License-Identifier: Apache-2.0
"""Spans of time in Go's text, and moments in RFC 3339 (spec/resources.md section 1)."""

from __future__ import annotations

import re

__all__ = ["duration", "format_duration", "moment", "parse_duration"]

# Go's units in nanoseconds; the micro sign and the Greek letter are both accepted.
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
# Patterns are compiled at their first use: most commands meet no span and no moment.
# Python reads no number of more than 4300 digits, and Go's spans end far below.
_TERM = r"([0-9]{0,4000})(?:\.([0-9]{0,4000}))?([a-z\u00b5\u03bc]+)"
_LIMIT = 2**63
_MOMENT = r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"


def parse_duration(text: str) -> int:
    """Return the nanoseconds of a span such as ``1h2m3.5s``. Raises ValueError."""
    sign = text[:1] if text[:1] in {"+", "-"} else ""
    rest = text[len(sign) :]
    if rest == "0":
        return 0
    terms = re.compile(_TERM)
    total, at = 0, 0
    while at < len(rest):
        term = terms.match(rest, at)
        if term is None or term[3] not in _UNITS or not (term[1] or term[2]):
            raise _no_duration(text)
        unit, fraction = _UNITS[term[3]], term[2] or ""
        total += int(term[1] or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
        at = term.end()
    if not rest or total > _LIMIT - (sign != "-"):
        raise _no_duration(text)
    return -total if sign == "-" else total


def format_duration(nanoseconds: int) -> str:
    """Return Go's canonical text: ``90s`` is ``1m30s``, fractions of a second use the largest unit below it."""
    if not nanoseconds:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, size in (("ns", 1), ("\u00b5s", 10**3), ("ms", 10**6)):
        if rest < size * 1000:
            return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, rest = divmod(rest, _UNITS["m"])
    text = f"{_decimal(rest, _UNITS['s'])}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
    return sign + text


def duration(text: str) -> str:
    """Return a span of time in canonical text. Raises ValueError."""
    return format_duration(parse_duration(text))


def moment(text: str) -> str:
    """Return a moment in UTC and whole seconds; a fraction is cut off. Raises ValueError."""
    if not text:
        return ""
    match = re.fullmatch(_MOMENT, text)
    if match is None:
        raise ValueError(f"{text!r} is not a time in RFC 3339 such as 2026-01-02T03:04:05Z")
    from datetime import UTC, datetime  # slow to import, and most values need no conversion

    offset = "+00:00" if match[4] == "Z" else match[4]
    try:
        value = datetime.fromisoformat(f"{match[1]}T{match[2]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time: {error}") from None
    return value.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def _decimal(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _no_duration(text: str) -> ValueError:
    return ValueError(f"{text!r} is not a span of time such as 90s, 1m30s or 500ms")
