# SPDX-License-Identifier: Apache-2.0
"""The resources of one kind at one moment, as an informer knew them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from percale.datastore.revision import Revision
from percale.errors import NotFound, Problem
from percale.resources import KINDS, Key, Resource

__all__ = ["Snapshot"]

R = TypeVar("R", bound=Resource)


class Snapshot(msgspec.Struct, Generic[R], frozen=True):
    """What the datastore held at ``revision`` (None: it was not read yet), never a part of a change.

    ``problems`` tells of each resource that cannot be read; it counts as absent. ``namespace`` is where names without
    one are looked up.
    """

    kind: str
    namespace: str
    revision: Revision | None
    resources: Mapping[Key, R]
    problems: Sequence[Problem] = ()

    def get(self, name: str, namespace: str = "") -> R:
        """Return one resource; raises NotFound."""
        key = key_of(self.kind, name, namespace or self.namespace)
        if key not in self.resources:
            raise NotFound(*_identity(key))
        return self.resources[key]

    def list(self, namespace: str = "", *, selector: str = "") -> Sequence[R]:
        """Return all resources, or those of one namespace or with labels that match, by namespace and name.

        Labels are those of the metadata. Raises SelectorError.
        """
        from percale.selectors import parse

        matches = parse(selector).matches
        return [
            resource
            for key, resource in sorted(self.resources.items(), key=lambda item: item[0])
            if namespace in ("", key.namespace) and matches(resource.labels)
        ]

    def __iter__(self) -> Iterator[R]:
        return iter(self.list())

    def __len__(self) -> int:
        return len(self.resources)

    def __bool__(self) -> bool:
        return True  # a snapshot without resources is one


def key_of(kind: str, name: str, namespace: str) -> Key:
    """Return the key of a resource; the namespace counts only where the kind has one."""
    return Key(kind, namespace if KINDS[kind].namespaced else "", name)


def _identity(key: Key) -> tuple[str, str, str]:
    return key.kind, key.name, key.namespace
