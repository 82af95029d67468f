# SPDX-License-Identifier: Apache-2.0
"""Values as Go's templates print them."""

from __future__ import annotations

from typing import Any

import msgspec

from percale.datastore.seams import ResourceList

__all__ = ["NO_VALUE", "go_number", "go_text"]


class _NoValue:
    """What a map gives for a member that it does not have: false, and equal to nothing."""

    def __bool__(self) -> bool:
        return False


NO_VALUE = _NoValue()


def go_number(value: float) -> str:
    """Return a number as tables print it: the shortest form, with an exponent from 1e+06 on and below 1e-04.

    Whole numbers of Go's integer types are for `go_text`; what is an ``int`` here was a floating point number there.
    """
    if value == 0:
        return "0"
    digits, exponent = _digits(float(value))
    sign = "-" if value < 0 else ""
    if -4 <= exponent < 6:
        return sign + _plain(digits, exponent)
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def go_text(value: Any) -> str:
    """Return a value as ``{{.}}`` prints it: ``[a b]`` for lists, ``map[k:v]`` for maps, ``{a b}`` for structures."""
    match value:
        case None:
            return "<nil>"
        case _NoValue():
            return "<no value>"
        case bool():
            return "true" if value else "false"
        case float():
            return go_number(value)
        case list() | tuple():
            return f"[{' '.join(map(go_text, value))}]"
        case dict():
            return f"map[{' '.join(f'{key}:{go_text(item)}' for key, item in sorted(value.items()))}]"
        case ResourceList():
            return go_text(value.items)
        case msgspec.Struct():
            return f"{{{' '.join(go_text(getattr(value, name)) for name in value.__struct_fields__)}}}"
        case _:
            return str(value)


def _digits(value: float) -> tuple[str, int]:
    """The shortest digits that give the number back, and the exponent of the first one."""
    text, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = text.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole.lstrip("0")) if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0")))
    return digits.rstrip("0") or "0", leading - 1 + int(exponent or 0)


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole
