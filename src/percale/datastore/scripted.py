# SPDX-License-Identifier: Apache-2.0
"""A syncer that plays what it is told, for tests and simulations."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from percale.datastore.revision import NumberRevision, Revision
from percale.datastore.seams import InSync, Syncer, SyncerEvent, SyncerUpdate
from percale.errors import Problem
from percale.resources import Key, Resource

__all__ = ["ScriptedSyncer"]


class ScriptedSyncer(Syncer):
    """Each ``step`` returns what was added since the last one; the revision counts the additions."""

    def __init__(self, snapshot: Iterable[Resource] = ()) -> None:
        self._changed = threading.Condition()
        self._events: deque[SyncerEvent] = deque()
        self._number = 1
        self._told: Revision | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        for resource in snapshot:
            self.put(resource)
        self.add(InSync(NumberRevision(self._number)))

    @property
    def revision(self) -> Revision | None:
        """How far the events go; None before the first InSync."""
        return self._told

    def put(self, *resources: Resource) -> None:
        """Let resources be created or changed, each in a revision of its own."""
        for resource in resources:
            self.add(SyncerUpdate(resource.key, resource, self._next()))

    def delete(self, *keys: Key) -> None:
        """Let resources be deleted."""
        for key in keys:
            self.add(SyncerUpdate(key, None, self._next()))

    def spoil(self, key: Key, problem: Problem) -> None:
        """Let a resource become invalid."""
        self.add(SyncerUpdate(key, None, self._next(), problem))

    def add(self, *events: SyncerEvent) -> None:
        """Add events as they are."""
        with self._changed:
            self._events.extend(events)
            self._changed.notify_all()

    def step(self, timeout_s: float = 0.0) -> Sequence[SyncerEvent]:
        """Return all that was added."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._closed, timeout_s)
            events = list(self._events)
            self._events.clear()
            for event in events:
                if isinstance(event, InSync) or (isinstance(event, SyncerUpdate) and self._told is not None):
                    self._told = event.revision
            return events

    def start(self, deliver: Callable[[Sequence[SyncerEvent]], None]) -> None:
        """Deliver from a thread until closed."""

        def run() -> None:
            while not self._closed:
                if events := self.step(1.0):
                    deliver(events)

        self._thread = threading.Thread(target=run, name="percale-scripted-syncer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _next(self) -> NumberRevision:
        self._number += 1
        return NumberRevision(self._number)
