# SPDX-License-Identifier: Apache-2.0
"""Builtins in which every member has a known name and exactly the type it is wanted to have, as values at once.

What people write is mostly so. The rest goes through `reader`, which knows how lenient Calico is and what to say; where
it would change a value, warn or refuse, there is no exact value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from percale.resources.presence import presence_problems
from percale.resources.resource import Resource
from percale.resources.value import Value

__all__ = ["exact_resource"]

_LEAST, _GREATEST = -(2**63), 2**63 - 1


def exact_resource(members: Mapping[str, Any], kind: type[Resource]) -> Resource | None:
    """Return the resource that builtins without ``None`` and without kind and apiVersion are, or None."""
    try:
        resource = msgspec.convert(members, kind)
    except (msgspec.ValidationError, RecursionError):
        return None
    return resource if _is_exact(members, resource) and not presence_problems(resource, ()) else None


def _is_exact(members: Mapping[str, Any], value: Value) -> bool:
    """Report whether each member was known, down to the last one; msgspec skips those that are not."""
    names = _exact_names(type(value))
    for wire, written in members.items():
        name = names.get(wire)
        if name is None:
            return False
        if isinstance(written, str):
            continue
        if isinstance(written, int):
            if not _LEAST <= written <= _GREATEST:
                return False  # some numbers may be greater, most not: the reader knows which
            continue
        read = getattr(value, name)
        if isinstance(read, Value):
            if not _is_exact(written, read):
                return False
        elif isinstance(read, tuple):
            if not read:
                return False  # written empty, which some rules tell from absent
            if isinstance(read[0], Value) and not all(map(_is_exact, written, read)):
                return False
    return True


@cache
def _exact_names(structure: type[Value]) -> dict[str, str]:
    """The members by their names on the wire, without times: those have many spellings."""
    names = structure.__struct_fields__
    annotations = _annotations(structure)
    wired = zip(structure.__struct_encode_fields__, names, strict=True)
    return {wire: name for wire, name in wired if not annotations.get(name, "").startswith("Time")}


def _annotations(structure: type[Value]) -> dict[str, str]:
    # Texts here, as all modules of this package postpone the evaluation of annotations.
    found: dict[str, str] = {}
    for owner in reversed(structure.__mro__):
        found |= getattr(owner, "__annotations__", {})
    return found
