# SPDX-License-Identifier: Apache-2.0
"""The syncer over any datastore: list, watch, and list again when history is lost (storage-etcd.md section 3.2)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

from percale.datastore.pauses import pause
from percale.datastore.revision import NumberRevision, Revision, VectorRevision
from percale.datastore.seams import (
    Datastore,
    Entry,
    InSync,
    Interrupted,
    Page,
    ResourceEvent,
    ResourceWatch,
    Resync,
    Syncer,
    SyncerEvent,
    SyncerUpdate,
)
from percale.errors import Compacted, PercaleError, Problem, Restored, StoreUnavailable
from percale.resources import Key, Resource

__all__ = ["DatastoreSyncer"]

Check = Callable[[Resource], Sequence[Problem]]

_WATCH_FAILURES = 5
"""So many failures to watch from one revision make a full list."""
_NOBODY = "-"
"""A name and a namespace that no resource has; to read it costs little, and shows that the datastore answers."""
_RETRY_S = 1.0
"""The longest pause before a retry."""
_WAIT_S = 5.0


class DatastoreSyncer(Syncer):
    """One source for all kinds where the datastore has one order for them, otherwise one per kind.

    ``namespace``, ``name`` and ``prefix`` choose as in ``Datastore.scan``. ``check`` returns the problems of a
    resource; one that is no warning makes it count as absent. ``clock`` counts seconds and paces retries only.
    """

    def __init__(
        self,
        datastore: Datastore,
        kinds: Sequence[str],
        *,
        namespace: str = "",
        name: str = "",
        prefix: bool = False,
        check: Check | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        together = datastore.capabilities.ordered_across_kinds
        groups = [tuple(kinds)] if together else [(kind,) for kind in kinds]
        chosen = _Chosen(namespace, name, prefix)
        self._sources = [_Source(datastore, group, chosen, check, clock) for group in groups]
        self._stop = threading.Event()
        self._delivering = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._in_sync = False
        self._complete = dict.fromkeys(self._sources, False)
        self._revisions: dict[_Source, Revision] = {}

    @property
    def revision(self) -> Revision | None:
        """How far the events go; None before the first InSync."""
        revisions = list(self._revisions.values())
        return reduce(_joined, revisions) if len(revisions) == len(self._sources) else None

    @property
    def failures(self) -> int:
        """How often a list or a watch failed since the start."""
        return sum(source.failures for source in self._sources)

    @property
    def pause_s(self) -> float:
        """How long ``step`` has nothing to do, because all retries have to wait."""
        return min(source.pause_s for source in self._sources)

    def step(self, timeout_s: float = 0.0) -> Sequence[SyncerEvent]:
        """Advance each source by one page or one batch of changes."""
        share = timeout_s / len(self._sources)
        return self._each(lambda source: source.step(share))

    def newest(self) -> Revision:
        """Return how far the datastore has come, as it says itself; raises StoreUnavailable."""
        return reduce(_joined, [source.newest() for source in self._sources])

    def catch_up(self, revision: Revision) -> Sequence[SyncerEvent]:
        """List again where the datastore has reached a revision and the watches are silent about it.

        etcd tells a watch nothing of what happens to other keys, so silence does not show how far it has come.
        """
        return self._each(lambda source: source.catch_up(revision))

    def start(self, deliver: Callable[[Sequence[SyncerEvent]], None]) -> None:
        """Start a thread per source."""
        for source in self._sources:
            name = f"percale-syncer-{'-'.join(source.kinds[:1])}"
            thread = threading.Thread(target=self._run, args=(source, deliver), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """End all watches and threads; nothing is delivered afterwards."""
        self._stop.set()
        for source in self._sources:
            source.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _each(self, advance: Callable[[_Source], Sequence[SyncerEvent]]) -> Sequence[SyncerEvent]:
        return [event for source in self._sources for event in self._with_state(source, advance(source))]

    def _run(self, source: _Source, deliver: Callable[[Sequence[SyncerEvent]], None]) -> None:
        while not self._stop.is_set():
            self._stop.wait(source.pause_s)
            events = source.step(_WAIT_S)
            with self._delivering:
                events = self._with_state(source, events)
                if events and not self._stop.is_set():
                    deliver(events)

    def _with_state(self, source: _Source, events: Sequence[SyncerEvent]) -> Sequence[SyncerEvent]:
        """Note how far a source's events go, and add InSync if with them all sources are complete (again).

        Other sources count as what they have told, for their threads may be ahead of it.
        """
        if source.revision is not None:
            self._revisions[source] = source.revision
        self._complete[source] = source.listed and not source.interrupted
        in_sync = all(self._complete.values())
        if in_sync and not self._in_sync:
            revision = self.revision
            assert revision is not None
            events = [*events, InSync(revision)]
        self._in_sync = in_sync
        return events


class _Chosen(NamedTuple):
    """Which resources of its kinds a source follows."""

    namespace: str
    name: str
    prefix: bool


class _Source:
    """One list and one watch, as a machine that advances by steps."""

    def __init__(
        self,
        datastore: Datastore,
        kinds: tuple[str, ...],
        chosen: _Chosen,
        check: Check | None,
        clock: Callable[[], float],
    ) -> None:
        self.kinds = kinds
        self.listed = self.interrupted = False
        self.revision: Revision | None = None
        self.failures = 0
        self._datastore = datastore
        self._chosen: dict[str, Any] = chosen._asdict() if any(chosen) else {}
        self._check = check
        self._clock = clock
        self._known: dict[Key, str] = {}
        self._seen: set[Key] = set()
        self._pages: Iterator[Page] | None = None
        self._scanned: Revision | None = None
        self._watch: ResourceWatch | None = None
        self._watch_failures = 0
        self._retry_at = float("-inf")
        self._closed = False

    @property
    def pause_s(self) -> float:
        """How long a retry has to wait."""
        return max(0.0, self._retry_at - self._clock())

    def step(self, timeout_s: float) -> Sequence[SyncerEvent]:
        """List one page or take one batch of changes; failures are counted and retried later."""
        if self._closed or self.pause_s:
            return ()
        try:
            return self._change(timeout_s) if self.listed else self._list()
        except Compacted as error:
            if isinstance(error, Restored):  # a version that was told may be that of something else now
                self._known = dict.fromkeys(self._known, "")
            return self.start_over(str(error))
        except PercaleError as error:
            return self._failed(str(error))

    def newest(self) -> Revision:
        """Return the datastore's revision as the datastore itself tells it."""
        return next(self._datastore.scan(self.kinds[:1], namespace=_NOBODY, name=_NOBODY)).revision

    def start_over(self, reason: str) -> Sequence[SyncerEvent]:
        """List again; the differences to what was told follow."""
        self._drop_watch()
        self._pages, self.listed, self._watch_failures = None, False, 0
        return [Resync(self.kinds, reason)]

    def catch_up(self, revision: Revision) -> Sequence[SyncerEvent]:
        """List again if the datastore has reached a revision that was not told."""
        if self._closed or self.pause_s or not self.listed:
            return ()
        try:
            reached = self.newest().is_at_or_after(revision)
        except PercaleError as error:
            return self._failed(str(error))
        return self.start_over(f"revision {revision} is waited for, and the watch is silent") if reached else ()

    def close(self) -> None:
        self._closed = True
        watch = self._watch  # the thread that steps may drop it
        if watch is not None:
            watch.close()

    def _list(self) -> Sequence[SyncerEvent]:
        if self._pages is None:
            self._pages, self._seen, self._scanned = self._datastore.scan(self.kinds, **self._chosen), set(), None
        page = next(self._pages, None)
        self.interrupted = False
        if page is None:
            return self._complete()
        self._scanned = self._scanned or page.revision
        self._seen.update(entry.key for entry in page.entries)
        return [update for entry in page.entries if (update := self._update(entry, page.revision)) is not None]

    def _complete(self) -> Sequence[SyncerEvent]:
        self._pages, self.revision, self.listed = None, self._scanned, True
        assert self.revision is not None
        gone = [key for key in self._known if key not in self._seen]
        for key in gone:
            del self._known[key]
        self._seen = set()
        return [SyncerUpdate(key, None, self.revision) for key in gone]

    def _change(self, timeout_s: float) -> Sequence[SyncerEvent]:
        if self._watch is None:
            if self.interrupted:  # a new watch may be silent because nothing happens, or because nobody answers
                self._check_restored()
            self._watch = self._datastore.watch(self.kinds, **self._chosen, after=self.revision)
            self.interrupted = False
            if self._closed:  # closed while the watch was being made
                self._watch.close()
        events = self._watch.poll(timeout_s)
        if events is None:
            if self._watch.closed and not self._closed:
                raise StoreUnavailable("the watch has ended: its datastore was closed")
            return ()
        updates = [update for event in events if (update := self._update_of(event)) is not None]
        self.revision = self._watch.revision
        self._watch_failures = 0
        return updates

    def _check_restored(self) -> None:
        newest, known = self.newest(), self.revision
        if isinstance(newest, NumberRevision) and isinstance(known, NumberRevision) and newest.number < known.number:
            raise Restored(newest.number, known.number)

    def _update_of(self, event: ResourceEvent) -> SyncerUpdate | None:
        if event.type == "DELETED":
            self._known.pop(event.key, None)
            return SyncerUpdate(event.key, None, event.revision)
        return self._update(Entry(event.key, event.resource, event.problem), event.revision)

    def _update(self, entry: Entry, revision: Revision) -> SyncerUpdate | None:
        """Return the update for what is stored now, or None if it is what was told last."""
        resource, problem = entry.resource, entry.problem
        version = resource.metadata.resource_version if resource is not None else f"unreadable: {problem}"
        if self._known.get(entry.key) == version:
            return None
        self._known[entry.key] = version
        if resource is not None and self._check is not None:
            problem = next((found for found in self._check(resource) if not found.warning), None)
        return SyncerUpdate(entry.key, None if problem else resource, revision, problem)

    def _failed(self, reason: str) -> Sequence[SyncerEvent]:
        self.failures += 1
        self._retry_at = self._clock() + pause(1, first_s=_RETRY_S, longest_s=_RETRY_S)
        self._drop_watch()
        events = [] if self.interrupted else [Interrupted(self.kinds, reason)]
        self.interrupted = True
        if not self.listed:
            self._pages = None
            return events
        self._watch_failures += 1
        return [*events, *self.start_over(reason)] if self._watch_failures >= _WATCH_FAILURES else events

    def _drop_watch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def _joined(one: Revision, other: Revision) -> Revision:
    """Return the revision that contains those of two sources; only vectors have more than one source."""
    assert isinstance(one, VectorRevision)
    assert isinstance(other, VectorRevision)
    return VectorRevision({**one.by_kind, **other.by_kind})
