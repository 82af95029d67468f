# SPDX-License-Identifier: Apache-2.0
"""The members of resources by the names that Go gives them: ``.Spec.IPNetworks``, ``.ObjectMeta.Name``, ``.Items``."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from percale.cli.go_text import NO_VALUE
from percale.datastore.seams import ResourceList
from percale.resources import API_VERSION, Resource, member_name

__all__ = ["ABSENT", "member"]

ABSENT: Any = object()
"""What `member` returns where there is no such member."""


def member(value: Any, name: str) -> Any:
    """Return a member of a resource, list, structure or map; a key that a map does not have is no value."""
    match value:
        case dict():
            return value.get(name, NO_VALUE)
        case ResourceList():
            return _list_member(value, name)
        case Resource():
            return _resource_member(value, name)
        case msgspec.Struct():
            return _structure_member(value, name)
        case _:
            return ABSENT


def _list_member(value: ResourceList, name: str) -> Any:
    match name:
        case "Items":
            return value.items
        case "Kind":
            return f"{value.kind}List"
        case "APIVersion":
            return API_VERSION
        case "TypeMeta":
            return {"Kind": f"{value.kind}List", "APIVersion": API_VERSION}
        case "ResourceVersion":
            return str(value.revision)
        case "ListMeta":
            return {"ResourceVersion": str(value.revision)}
        case _:
            return ABSENT


def _resource_member(value: Resource, name: str) -> Any:
    match name:
        case "Kind":
            return value.kind
        case "APIVersion":
            return API_VERSION
        case "ObjectMeta":
            return value.metadata
        case "TypeMeta":
            return {"Kind": value.kind, "APIVersion": API_VERSION}
    attribute = _attributes(type(value)).get(name)
    if attribute is not None and attribute != "metadata":
        return getattr(value, attribute)
    return _structure_member(value.metadata, name)


def _structure_member(value: msgspec.Struct, name: str) -> Any:
    attribute = _attributes(type(value)).get(name)
    if attribute is None:
        return ABSENT
    found = getattr(value, attribute)
    return _go_time(found) if attribute.endswith("_timestamp") else found


def _go_time(text: str) -> str:
    """A time as Go prints it, which no time at all has too."""
    day, _, rest = (text or "0001-01-01T00:00:00Z").partition("T")
    return f"{day} {rest.removesuffix('Z')} +0000 UTC"


@cache
def _attributes(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {member_name(name): name for name in kind.__struct_fields__}
