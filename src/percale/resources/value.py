# SPDX-License-Identifier: Apache-2.0
"""The base of every frozen value of the API, and of those whose fields have more than one spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import msgspec

from percale.resources.wire import wire_name

__all__ = ["Canonical", "Value", "written"]


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=wire_name, gc=False):
    """A frozen part of a resource: equal by content, written in declaration order, empty members left out."""

    def replace(self, **changes: Any) -> Self:
        """Return the same value with some fields changed."""
        return msgspec.structs.replace(self, **changes)


class Canonical(Value, frozen=True, kw_only=True):
    """A value that brings some of its fields into their one canonical spelling when it is made.

    ``canonical`` names these fields and the functions that do it; such a function returns its argument itself when
    nothing is to change, and raises ValueError for what has no meaning.
    """

    canonical: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    def __post_init__(self) -> None:
        for name, function in self.canonical.items():
            given = getattr(self, name)
            if given is None:
                continue
            value = function(given)
            if value is not given:
                msgspec.structs.force_setattr(self, name, value)


def written(empty: Callable[[], Any]) -> Any:
    """Declare a field that is written to JSON even when it is empty; ``empty`` makes its empty value."""
    # msgspec leaves out what is equal to a default, or to the result of one of the well-known factories;
    # a factory that it does not know is never compared.
    return msgspec.field(default_factory=lambda: empty())
