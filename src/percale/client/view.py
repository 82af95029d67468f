# SPDX-License-Identifier: Apache-2.0
"""What the checks of a write may ask about the rest of the datastore; read once, and again after a change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from percale.datastore.seams import Datastore
from percale.errors import NotFound
from percale.resources import Key, Resource

__all__ = ["View"]


class View:
    """A cached look at a datastore, with resources assumed to be there or gone for a plan."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._present: set[Key] = set()
        self._lists: dict[str, Sequence[Resource]] = {}
        self._assumed: dict[Key, Resource | None] = {}

    def exists(self, key: Key) -> bool:
        """Whether a resource is there."""
        if key in self._assumed:
            return self._assumed[key] is not None
        if key not in self._present:
            try:
                self._datastore.get(key)
            except NotFound:
                return False
            self._present.add(key)
        return True

    def all(self, kind: str) -> list[Resource]:
        """Return all readable resources of a kind."""
        if kind not in self._lists:
            self._lists[kind] = self._datastore.list(kind).items
        found = {resource.key: resource for resource in self._lists[kind]}
        for key, resource in self._assumed.items():
            if key.kind == kind:
                found.pop(key, None)
                if resource is not None:
                    found[key] = resource
        return list(found.values())

    def current(self, key: Key) -> Resource | None:
        """Return a resource as it is, or would be by what is assumed; None if it is absent."""
        if key in self._assumed:
            return self._assumed[key]
        try:
            return self._datastore.get(key)
        except NotFound:
            return None

    def ipam_blocks(self) -> Sequence[str]:
        """Return the CIDRs of the blocks that are given out."""
        return self._datastore.ipam_blocks()

    def assume(self, key: Key, resource: Resource | None) -> None:
        """Behave as if a resource were stored so, or deleted."""
        self._assumed[key] = resource

    def forget(self, kinds: Iterable[str]) -> None:
        """Read these kinds again when they are asked for next."""
        for kind in kinds:
            self._lists.pop(kind, None)
            self._present = {key for key in self._present if key.kind != kind}
