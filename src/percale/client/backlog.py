# SPDX-License-Identifier: Apache-2.0
"""What a slow reader of an informer has still to be told: at most one thing for each resource."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from percale.client.cache import Difference
from percale.resources import Key, Resource

__all__ = ["Backlog"]

R = TypeVar("R", bound=Resource)


class Backlog(Generic[R]):
    """For each resource that has changed, what was told of it last; changes of one resource are folded into one.

    It is never longer than what was told and what is there together. A resource keeps its place while it changes, so
    that one which changes all the time cannot hold the others back; what came and went untold leaves nothing.
    """

    def __init__(self, present: Iterable[Key] = ()) -> None:
        # Unlike that of a dict its first item is found at once, after many were taken too.
        self._told: OrderedDict[Key, R | None] = OrderedDict.fromkeys(present)

    def __len__(self) -> int:
        return len(self._told)

    def add(self, differences: Iterable[Difference[R]]) -> None:
        """Note what has changed."""
        for key, old, new in differences:
            if self._told.setdefault(key, old) is new:
                del self._told[key]

    def take(self, resources: Mapping[Key, R]) -> Iterable[Difference[R]]:
        """Remove the first resource and return how it differs from what was told of it: in one or two steps.

        A resource that was deleted and made again under its name is told as that. Something must be waiting.
        """
        key, old = self._told.popitem(last=False)
        new = resources.get(key)
        if old is not None and new is not None and old.metadata.uid != new.metadata.uid:
            return (Difference(key, old, None), Difference(key, None, new))
        return (Difference(key, old, new),)
