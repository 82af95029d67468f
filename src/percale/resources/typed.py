# SPDX-License-Identifier: Apache-2.0
"""Resources that a program has made, brought to the types of their kind."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from percale.errors import Problem, ValidationError
from percale.resources.resource import Resource

__all__ = ["typed"]

R = TypeVar("R", bound=Resource)


def typed(resource: R) -> R:
    """Return a resource whose members have the types of its kind: where a list was given for a tuple, a tuple.

    Python checks none of them when a value is made, and what is no tuple is not looked into by the checks. Raises
    ValidationError with every member of a wrong type.
    """
    kind = type(resource)
    try:
        plain = msgspec.to_builtins(resource)
    except (TypeError, RecursionError) as error:
        hint = "give texts, numbers, tuples and dicts"
        raise ValidationError([Problem(path="", message=str(error), hint=hint, rule="type")]) from None
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError:
        # Imported only for what is wrong, or lenient: it tells all faults, each with its path.
        from percale.resources.reader import read_json

        return read_json(msgspec.json.encode(plain), kind)
