# SPDX-License-Identifier: Apache-2.0
"""A list, a watch and a local cache of one kind, kept in step by threads (spec/storage-etcd.md section 3.2).

One thread follows the datastore and changes the cache; another calls the handlers. So a handler may take its time, or
wait for what it wrote itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Generic, NamedTuple, Self, TypeVar

import msgspec

from percale.client.backlog import Backlog
from percale.client.cache import Cache, Difference
from percale.client.snapshot import Snapshot, key_of
from percale.datastore.revision import Revision
from percale.datastore.seams import Closable, Datastore, SyncerEvent, SyncerUpdate
from percale.datastore.syncer import DatastoreSyncer
from percale.errors import NotFound, NotSupported, Problem, StoreUnavailable
from percale.resources import Resource

__all__ = ["Informer", "InformerStatistics"]

R = TypeVar("R", bound=Resource)

_WAIT_S = 0.5
"""After so long a silence of the watch, who waits for a revision is helped."""
_FAULT_PAUSE_S = 1.0

log = logging.getLogger(__name__)


class InformerStatistics(msgspec.Struct, frozen=True):
    """What an informer holds, and what it did since it was opened."""

    resources: int
    problems: int
    untold: int
    """Resources whose last change some handler has not been told yet."""
    told: int
    """Calls of handlers."""
    failures: int
    """Calls of handlers that raised."""
    resyncs: int
    """How often everything was listed again."""
    interruptions: int
    """How often the datastore did not answer."""


class _Reader(NamedTuple, Generic[R]):
    """The functions that were given together, and what they have still to be told."""

    added: Callable[[R], object]
    changed: Callable[[R, R], object]
    deleted: Callable[[R], object]
    backlog: Backlog[R]

    def tell(self, difference: Difference[R]) -> None:
        """Call the function for one difference."""
        _, old, new = difference
        if old is None and new is not None:
            self.added(new)
        elif old is not None and new is None:
            self.deleted(old)
        elif old is not None and new is not None:
            self.changed(old, new)


class Informer(Closable, Generic[R]):
    """The resources of one kind, listed once and followed from there; every method may be called from any thread.

    What is read is always all of one revision. While the datastore does not answer it is the last that was known, and
    ``behind`` says why; after lost history only the differences are told. What waits returns the informer. ``close``
    ends the threads and tells nothing more; a handler that is being called is waited for.
    """

    def __init__(
        self, datastore: Datastore, kind: str, *, namespace: str = "", name: str = "", prefix: bool = False
    ) -> None:
        for operation in ("list", "watch"):
            if not datastore.supports(operation, kind):
                raise NotSupported(operation.capitalize(), kind)
        self._datastore = datastore
        self._open = partial(DatastoreSyncer, datastore, [kind], namespace=namespace, name=name, prefix=prefix)
        self._syncer = self._open()
        self._cache: Cache[R] = Cache(kind, namespace)
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._awaited: list[Revision] = []
        self._readers: list[_Reader[R]] = []
        self._told = self._failures = 0
        self._threads: list[threading.Thread] = []
        self._start(self._follow, "follows")

    # Reading

    def get(self, name: str, namespace: str = "") -> R:
        """Return one resource as it is known now; raises NotFound."""
        key = key_of(self._cache.kind, name, namespace or self._cache.namespace)
        with self._changed:
            found = self._cache.resources.get(key)
        if found is None:
            raise NotFound(key.kind, key.name, key.namespace)
        return found

    def list(self, namespace: str = "", *, selector: str = "") -> Sequence[R]:
        """Return all resources, or those of one namespace or with labels that match; raises SelectorError."""
        return self.snapshot().list(namespace, selector=selector)

    def snapshot(self) -> Snapshot[R]:
        """Return all that is known now, as a value that stays as it is."""
        with self._changed:
            return self._cache.snapshot()

    def __iter__(self) -> Iterator[R]:
        return iter(self.snapshot())

    def __len__(self) -> int:
        with self._changed:
            return len(self._cache.resources)

    def __bool__(self) -> bool:
        return True  # an informer without resources is one

    @property
    def revision(self) -> Revision | None:
        """What is read is the datastore's state at this revision; None before the first list is complete."""
        with self._changed:
            return self._cache.revision

    @property
    def problems(self) -> Sequence[Problem]:
        """Which resources cannot be read, and why."""
        return self.snapshot().problems

    @property
    def behind(self) -> str:
        """Why the datastore is not followed at the moment; empty while it is."""
        with self._changed:
            return self._cache.behind

    def statistics(self) -> InformerStatistics:
        """Return counts."""
        with self._changed:
            return InformerStatistics(
                resources=len(self._cache.resources),
                problems=len(self._cache.snapshot().problems),
                untold=sum(len(reader.backlog) for reader in self._readers),
                told=self._told,
                failures=self._failures,
                resyncs=self._cache.resyncs,
                interruptions=self._cache.interruptions,
            )

    # Waiting

    def wait_synced(self, timeout_s: float | None = None) -> Self:
        """Wait until the first list is complete; raises StoreUnavailable when the time is over, with the reason."""
        return self._wait(lambda: self.revision is not None, "the first list", timeout_s)

    def wait_for(self, revision: Revision | str, timeout_s: float | None = None) -> Self:
        """Wait until what was written up to a revision is known; a written resource's version is such a revision.

        Raises StoreUnavailable when the time is over, ValidationError for a text that is no revision.
        """
        wanted = self._datastore.parse_revision(revision) if isinstance(revision, str) else revision
        with self._changed:
            self._awaited.append(wanted)
        try:
            return self._wait(lambda: _reaches(wanted, self.revision), f"revision {wanted}", timeout_s)
        finally:
            with self._changed:
                self._awaited.remove(wanted)

    def wait_current(self, timeout_s: float | None = None) -> Self:
        """Wait until all is known that was written before this call, deletes too; raises StoreUnavailable.

        The datastore is asked first how far it has come, in its own time.
        """
        return self.wait_for(self._syncer.newest(), timeout_s)

    # Being told

    def handle(
        self,
        *,
        added: Callable[[R], object] | None = None,
        changed: Callable[[R, R], object] | None = None,
        deleted: Callable[[R], object] | None = None,
    ) -> None:
        """Call functions for each resource that is there, and then for each that becomes, changes or goes.

        ``changed`` gets the resource as it was told last and as it is, ``deleted`` as it was told last. All calls come
        from one thread, one after the other. Changes of one resource that a slow function has not been told are folded
        into one. What a function raises is logged and counted, and the next call follows.
        """
        with self._changed:
            if self._closed.is_set():
                raise StoreUnavailable(f"the informer of {self._cache.kind} is closed")
            backlog: Backlog[R] = Backlog(self._cache.resources)
            self._readers.append(_Reader(added or _ignore, changed or _ignore, deleted or _ignore, backlog))
            if len(self._readers) == 1:
                self._start(self._tell, "tells")
            self._changed.notify_all()

    def close(self) -> None:
        """End the watch and the threads."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
            syncer = self._syncer
        syncer.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    # Threads

    def _follow(self) -> None:
        while not self._closed.wait(self._syncer.pause_s):
            try:
                self._take(self._advance())
            except Exception as error:  # a fault of percale's own must not leave a cache that only looks right
                log.exception("the informer of %s failed and lists again", self._cache.kind)
                self._start_over(f"percale failed: {error!r}")
                self._closed.wait(_FAULT_PAUSE_S)

    def _start_over(self, reason: str) -> None:
        self._syncer.close()
        with self._changed:
            self._syncer = self._open()
            self._cache.start_over(reason)
            self._changed.notify_all()

    def _advance(self) -> Sequence[SyncerEvent]:
        """Return what comes next; nothing comes for long while somebody waits: look whether something should have."""
        with self._changed:
            awaited = [revision for revision in self._awaited if not _reaches(revision, self.revision)]
        events = self._syncer.step(_WAIT_S)
        with self._changed:
            late = [revision for revision in awaited if not _reaches(revision, self._syncer.revision)]
        return events or (self._syncer.catch_up(late[0]) if late else ())

    def _take(self, events: Sequence[SyncerEvent]) -> None:
        for event in events:
            if isinstance(event, SyncerUpdate) and event.problem is not None:
                log.warning("%s counts as absent: %s", event.key, event.problem.message)
        with self._changed:
            differences = self._cache.take(events, self._syncer.revision)
            for reader in self._readers:
                reader.backlog.add(differences)
            self._changed.notify_all()

    def _tell(self) -> None:
        while (steps := self._untold()) is not None:
            for reader, differences in steps:
                for difference in differences:
                    self._call(reader, difference)

    def _untold(self) -> Sequence[tuple[_Reader[R], Iterable[Difference[R]]]] | None:
        """Wait for something to tell, and return one thing for each reader that wants one; None after ``close``."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or any(reader.backlog for reader in self._readers))
            if self._closed.is_set():
                return None
            resources = self._cache.resources
            return [(reader, reader.backlog.take(resources)) for reader in self._readers if reader.backlog]

    def _call(self, reader: _Reader[R], difference: Difference[R]) -> None:
        if self._closed.is_set():
            return
        try:
            reader.tell(difference)
        except BaseException:  # SystemExit too: the thread belongs to all readers
            self._failures += 1
            log.exception("a handler of the informer of %s failed for %s", self._cache.kind, difference.key)
        self._told += 1

    # Helpers

    def _start(self, run: Callable[[], None], what: str) -> None:
        name = f"percale-informer-{what}-{self._cache.kind}"
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wait(self, done: Callable[[], bool], what: str, timeout_s: float | None) -> Self:
        with self._changed:
            self._changed.wait_for(lambda: done() or self._closed.is_set(), timeout_s)
            if done():
                return self
            if self._closed.is_set():
                raise StoreUnavailable(f"the informer of {self._cache.kind} is closed")
            known = "" if self.revision is None else f", only revision {self.revision}"
            reason = f": {self.behind}" if self.behind else "; the datastore answers and has not come so far"
            raise StoreUnavailable(f"{self._cache.kind}: {what} is not known after {timeout_s:g} s{known}{reason}")


def _ignore(*_resources: Resource) -> None:
    """A handler for what nobody wants to know."""


def _reaches(wanted: Revision, revision: Revision | None) -> bool:
    return revision is not None and revision.is_at_or_after(wanted)
