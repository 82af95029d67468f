# SPDX-License-Identifier: Apache-2.0
"""The field types that several kinds share, and their canonical values (spec/resources.md section 1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import is_
from typing import Annotated, Any, TypeAlias, TypeVar

from msgspec import Meta

from percale.resources.durations import duration

__all__ = [
    "DSCP",
    "FORMS",
    "ASNumber",
    "Duration",
    "Flag",
    "Int32",
    "Int64",
    "IntOrString",
    "Number",
    "Port",
    "Protocol",
    "Time",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "as_number",
    "canonical_form",
    "each",
    "number",
    "octet_or_name",
    "port",
    "port_range",
]

T = TypeVar("T")

_ALL_WHOLE, _EXPONENT_FROM = 2**53, 1e21
"""Where float64 begins to leave out whole numbers, and where Go begins to write an exponent."""

# ``extra`` tells the document reader which rules of conversion apply; msgspec sees a plain union.
Port: TypeAlias = Annotated[int | str, Meta(extra={"type": "Port"})]
"""A single port (``int``), a range (``"min:max"``) or the name of a port."""

Protocol: TypeAlias = Annotated[int | str, Meta(extra={"type": "Protocol"})]
"""A protocol by number (``int``) or by name (``"TCP"``)."""

DSCP: TypeAlias = Annotated[int | str, Meta(extra={"type": "DSCP"})]
"""A differentiated services code point by number or by name."""

ASNumber: TypeAlias = Annotated[int | str, Meta(extra={"type": "ASNumber"})]
"""A BGP autonomous system's number; texts such as ``"1.10"`` become the number."""

Duration: TypeAlias = Annotated[str, Meta(extra={"type": "Duration"})]
"""A span of time in Go's canonical text, such as ``"1m30s"``."""

Time: TypeAlias = Annotated[str, Meta(extra={"type": "Time"})]
"""A moment in RFC 3339, UTC, whole seconds: ``"2026-01-02T03:04:05Z"``."""

IntOrString: TypeAlias = Annotated[int | str, Meta(extra={"type": "IntOrString"})]
"""A number or a text, as Kubernetes writes ports."""

Flag: TypeAlias = Annotated[bool, Meta(extra={"type": "Flag"})]
"""A boolean that stores may hold as the text ``"true"`` or ``"false"``."""

Number: TypeAlias = Annotated[float, Meta(extra={"type": "Number"})]
"""A JSON number of any size; a whole number is an ``int`` inside, so that 100.0 is written 100 as Go does."""

UInt8: TypeAlias = Annotated[int, Meta(ge=0, le=255)]
UInt16: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
UInt32: TypeAlias = Annotated[int, Meta(ge=0, le=4294967295)]
UInt64: TypeAlias = Annotated[int, Meta(ge=0)]
Int32: TypeAlias = Annotated[int, Meta(ge=-2147483648, le=2147483647)]
Int64: TypeAlias = Annotated[int, Meta(ge=-9223372036854775808, le=9223372036854775807)]

_PORT_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
# Longer numbers mean nothing here, and Python reads none of more than 4300 digits.
_DIGITS = re.compile(r"[0-9]{1,4000}")
_PORT_RANGE = re.compile(rf"({_DIGITS.pattern}):({_DIGITS.pattern})")


def port(value: int | str) -> int | str:
    """Return a port in canonical form: ``"080"`` and ``"80:80"`` are 80. Raises ValueError for no port at all."""
    if isinstance(value, int):
        return _port_number(value)
    if _DIGITS.fullmatch(value):
        return _port_number(int(value))
    if match := _PORT_RANGE.fullmatch(value):
        low, high = _port_number(int(match[1])), _port_number(int(match[2]))
        if low > high:
            raise ValueError(f"{value!r} is not a port range: {low} is greater than {high}")
        text = f"{low}:{high}"
        return low if low == high else value if value == text else text
    if not _PORT_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a port: expected 0 to 65535, 'min:max' or a name")
    return value


def port_range(value: int | str) -> tuple[int, int] | None:
    """Return the first and last port of a canonical port, or None for a named one."""
    if isinstance(value, int):
        return value, value
    low, colon, high = value.partition(":")
    return (int(low), int(high)) if colon else None


def _port_number(value: int) -> int:
    if not 0 <= value <= 65535:
        raise ValueError(f"{value} is not a port number: expected 0 to 65535")
    return value


def octet_or_name(value: int | str) -> int | str:
    """Return a protocol or code point in canonical form: ``"6"`` is 6. Raises ValueError for numbers past 255."""
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value) or int(value) > 255:
            return value
        return int(value)
    if not 0 <= value <= 255:
        raise ValueError(f"{value} is out of range: expected 0 to 255 or a name")
    return value


def as_number(value: int | str) -> int:
    """Return an AS number as an integer; ``"1.10"`` is 65546. Raises ValueError."""
    if isinstance(value, str):
        parts = value.split(".")
        if len(parts) > 2 or not all(_DIGITS.fullmatch(part) for part in parts):
            raise ValueError(f"{value!r} is not an AS number: expected a number or two joined by a dot")
        numbers = [int(part) for part in parts]
        if len(parts) == 2 and max(numbers) > 65535:
            raise ValueError(f"{value!r} is not an AS number: each half is at most 65535")
        value = numbers[0] if len(parts) == 1 else numbers[0] << 16 | numbers[1]
    if not 0 <= value <= 4294967295:
        raise ValueError(f"{value} is not an AS number: expected 0 to 4294967295")
    return value


def number(value: float) -> float:
    """Return a whole number as int where Go writes it without exponent, any other as float. Raises ValueError.

    Beyond 53 bits it is the shortest number that a float64 does not tell from this one, padded with zeros.
    """
    if abs(value) < _ALL_WHOLE:
        return int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        near = float(value)
    except OverflowError:
        raise ValueError("the number is too large: expected at most 1.8e308") from None
    if abs(near) >= _EXPONENT_FROM:
        return near
    from decimal import Decimal  # rarely needed, and slow to import

    return int(Decimal(repr(near)))


FORMS: dict[str, Callable[[Any], Any]] = {
    "Port": port,
    "Protocol": octet_or_name,
    "DSCP": octet_or_name,
    "ASNumber": as_number,
    "Number": number,
    "Duration": duration,
}
"""The types with several spellings, and the functions that return the canonical one."""


def canonical_form(annotation: str) -> Callable[[Any], Any] | None:
    """Return the function that makes values of an annotated field canonical; None when there is one spelling only."""
    name = annotation.removesuffix(" | None")
    if name.startswith("tuple["):
        form = FORMS.get(name.removeprefix("tuple[").removesuffix(", ...]"))
        return each(form) if form else None
    return FORMS.get(name)


def each(form: Callable[[T], T]) -> Callable[[Sequence[T]], tuple[T, ...]]:
    """Return a function that makes each item canonical and gives an unchanged tuple back itself."""

    def items(values: Sequence[Any]) -> tuple[Any, ...]:
        changed = tuple(map(form, values))
        if isinstance(values, tuple) and all(map(is_, changed, values)):
            return values
        return changed

    return items
