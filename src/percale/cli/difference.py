# SPDX-License-Identifier: Apache-2.0
"""Two states of a resource as a unified diff of their YAML texts."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from typing import TYPE_CHECKING

from percale.errors import PercaleError

if TYPE_CHECKING:
    from percale.datastore.keyvalue import Item
    from percale.resources import Key

__all__ = ["difference", "text_of"]


def text_of(key: Key, item: Item | None) -> list[str]:
    """Return the lines of a stored resource without its version; what cannot be read is one line that says so."""
    from percale.datastore.values import from_value
    from percale.resources import encode_yaml

    if item is None or item.version == 0:
        return []
    try:
        resource = from_value(key, item.value, item.mod_revision)
    except PercaleError as error:
        return [str(error)]
    return encode_yaml(resource.with_metadata(resource_version="")).splitlines()


def difference(key: Key, before: Item | None, after: Item | None, names: tuple[str, str] = ("", "")) -> Iterator[str]:
    """Yield the lines of the diff; without names only the changed parts."""
    lines = unified_diff(text_of(key, before), text_of(key, after), *names, lineterm="")
    for number, line in enumerate(lines):
        if any(names) or number >= 2:
            yield line
