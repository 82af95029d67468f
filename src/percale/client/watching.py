# SPDX-License-Identifier: Apache-2.0
"""A watch that begins with what is there (spec/storage-etcd.md section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

from percale.datastore.revision import Revision
from percale.datastore.seams import ResourceEvent, ResourceList, ResourceWatch

__all__ = ["ListedWatch"]


class ListedWatch(ResourceWatch):
    """First one ADDED event per listed resource, then the events of a watch that follows the list."""

    def __init__(self, listed: ResourceList, watch: ResourceWatch) -> None:
        self._watch = watch
        self._first: Sequence[ResourceEvent] | None = [
            ResourceEvent("ADDED", item.key, listed.revision, item) for item in listed.items
        ]

    @property
    def revision(self) -> Revision:
        """Every event up to here has been returned."""
        return self._watch.revision

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._watch.closed

    def poll(self, timeout_s: float | None = None) -> Sequence[ResourceEvent] | None:
        """Return the listed resources once, then what follows."""
        if self._first:
            first, self._first = self._first, None
            return first
        return self._watch.poll(timeout_s)

    def close(self) -> None:
        """End the watch."""
        self._watch.close()
