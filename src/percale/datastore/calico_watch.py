# SPDX-License-Identifier: Apache-2.0
"""Events of resources made from events of keys (spec/storage-etcd.md section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from percale.datastore.keys import parse_resource
from percale.datastore.keyvalue import Item, KeyEvent, Watch
from percale.datastore.revision import NumberRevision
from percale.datastore.seams import Entry, ResourceEvent, ResourceWatch
from percale.datastore.values import from_value
from percale.errors import Problem, Unreadable
from percale.resources import Key, Resource

__all__ = ["CalicoWatch", "decoded_entry"]


def decoded_entry(item: Item) -> Entry | None:
    """Return what an item holds, readable or not; None if its key is not that of a resource."""
    key = parse_resource(item.key)
    if key is None:
        return None
    try:
        return Entry(key, from_value(key, item.value, item.mod_revision))
    except Unreadable as error:
        return Entry(key, None, _problem(error))


class CalicoWatch(ResourceWatch):
    """A watch of keys that shows the wanted resources."""

    def __init__(
        self, watch: Watch, wanted: Callable[[Key], bool], revision: NumberRevision, *, previous: bool
    ) -> None:
        self._watch = watch
        self._wanted = wanted
        self._revision = revision
        self._previous = previous

    @property
    def revision(self) -> NumberRevision:
        """Every event up to here has been returned."""
        return self._revision

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._watch.closed

    def poll(self, timeout_s: float | None = None) -> Sequence[ResourceEvent] | None:
        """Return the next events."""
        batch = self._watch.poll(timeout_s)
        if batch is None:
            return None
        events = [resource for event in batch.events if (resource := self._event(event)) is not None]
        self._revision = NumberRevision(batch.revision)
        return events

    def close(self) -> None:
        """End the watch."""
        self._watch.close()

    def _event(self, event: KeyEvent) -> ResourceEvent | None:
        item = event.item
        key = parse_resource(item.key)
        if key is None or not self._wanted(key):
            return None
        revision = NumberRevision(item.mod_revision)
        previous = _readable(key, event.previous) if self._previous and event.previous else None
        if event.deleted:
            return ResourceEvent("DELETED", key, revision, previous=previous)
        try:
            resource = from_value(key, item.value, item.mod_revision)
        except Unreadable as error:
            return ResourceEvent("ERROR", key, revision, previous=previous, problem=_problem(error))
        return ResourceEvent("ADDED" if event.created else "MODIFIED", key, revision, resource, previous)


def _readable(key: Key, item: Item) -> Resource | None:
    try:
        return from_value(key, item.value, item.mod_revision)
    except Unreadable:
        return None


def _problem(error: Unreadable) -> Problem:
    return Problem(path="", message=f"cannot be read: {error.cause}", rule="readable", subject=error.identity)
