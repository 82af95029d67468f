# SPDX-License-Identifier: Apache-2.0
"""The state that an informer keeps: what a syncer tells goes in, whole revisions and their differences come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar, cast

from percale.client.snapshot import Snapshot
from percale.datastore.revision import Revision
from percale.datastore.seams import InSync, Interrupted, Resync, SyncerEvent, SyncerUpdate
from percale.errors import Problem
from percale.resources import Key, Resource

__all__ = ["Cache", "Difference"]

R = TypeVar("R", bound=Resource)


class Difference(NamedTuple, Generic[R]):
    """A resource was ``old`` and is now ``new``; None is absent."""

    key: Key
    old: R | None
    new: R | None


class Cache(Generic[R]):
    """The resources of one kind as of ``revision``; while they are being listed, still as they were before.

    ``behind`` says why the datastore is not followed at the moment; it is empty while it is.
    """

    def __init__(self, kind: str, namespace: str = "") -> None:
        self.kind = kind
        self.namespace = namespace
        self.revision: Revision | None = None
        self.behind = "the datastore was not read yet"
        self.resyncs = 0
        self.interruptions = 0
        self._resources: dict[Key, R] = {}
        self._problems: dict[Key, Problem] = {}
        self._waiting: dict[Key, SyncerUpdate] = {}
        self._snapshot: Snapshot[R] | None = None

    @property
    def resources(self) -> Mapping[Key, R]:
        """What is there now."""
        return MappingProxyType(self._resources)

    def take(self, events: Sequence[SyncerEvent], revision: Revision | None) -> Sequence[Difference[R]]:
        """Note one step of a syncer, which never ends inside a change, and return what differs for a reader now.

        ``revision`` is how far the syncer has come with it.
        """
        for event in events:
            match event:
                case SyncerUpdate():
                    self._waiting.pop(event.key, None)
                    self._waiting[event.key] = event
                case InSync():
                    self.behind = ""
                case Resync():
                    self.behind = event.reason
                    self.resyncs += 1
                case Interrupted():
                    self.behind = event.reason
                    self.interruptions += 1
        if self.behind or (not events and revision == self.revision):
            return ()
        self.revision, self._snapshot = revision, None
        updates, self._waiting = self._waiting, {}
        return [difference for update in updates.values() if (difference := self._put(update)) is not None]

    def start_over(self, reason: str) -> None:
        """Take nothing for told: what a new syncer does not list is gone."""
        self.behind = reason
        self.resyncs += 1
        known = (*self._resources, *self._problems)
        self._waiting = {key: SyncerUpdate(key, None, self.revision) for key in known if self.revision is not None}

    def snapshot(self) -> Snapshot[R]:
        """Return what is there now as a value; the same one until something changes."""
        if self._snapshot is None:
            resources = MappingProxyType(dict(self._resources))
            problems = tuple(self._problems[key] for key in sorted(self._problems))
            self._snapshot = Snapshot(self.kind, self.namespace, self.revision, resources, problems)
        return self._snapshot

    def _put(self, update: SyncerUpdate) -> Difference[R] | None:
        key, new = update.key, cast("R | None", update.resource)
        old = self._resources.pop(key, None)
        self._problems.pop(key, None)
        if update.problem is not None:
            self._problems[key] = update.problem
        elif new is not None:
            self._resources[key] = new
        return Difference(key, old, new) if old != new else None
