# SPDX-License-Identifier: Apache-2.0
"""The embedded store as a KeyValue: one write connection, a few read connections, a bell for the watchers."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from percale.datastore.keyvalue import (
    Compare,
    KeyValue,
    Operation,
    Range,
    StoreStatistics,
    Txn,
    TxnResult,
    WatchBatch,
    is_empty_range,
)
from percale.datastore.sqlite import compaction, leases, reading, schema
from percale.datastore.sqlite.watch import SQLiteWatch
from percale.datastore.sqlite.writing import Writer, check_txn
from percale.datastore.wakeup import Wakeup
from percale.errors import Compacted, StoreUnavailable

__all__ = ["SQLiteKeyValue"]

_IDLE_READERS = 8
_EVENTS_PER_BATCH = 1000
_REVISIONS_PER_SWEEP = 5000


class SQLiteKeyValue(KeyValue):
    """Etcd's model in one SQLite file, used by many processes and threads of one machine at the same time.

    ``path`` None keeps everything in memory, for one process. ``durability`` NORMAL may lose the last moments in a
    power failure, FULL nothing that has returned. ``clock`` gives seconds since 1970 and decides about leases. Open
    the store after ``fork``, never before. Raises StoreUnavailable, or Refused for a file of another kind or version.
    """

    max_operations = 10_000
    keeps_times = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        durability: schema.Durability = "NORMAL",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path) if path is not None else None
        self._durability = durability
        self._clock = clock
        self._writing = threading.RLock()
        self._closed = False
        self._transactions = 0
        self._rung = 0
        self._watches: set[SQLiteWatch] = set()
        self._writer = schema.connect(self.path, durability)
        self._readers: list[sqlite3.Connection] = []
        try:
            schema.prepare(self._writer, self.path)
            bell = self.path.with_name(self.path.name + "-wake") if self.path is not None else None
            self._wakeup = Wakeup(bell)
        except BaseException:
            self._writer.close()
            raise

    def range(self, start: str, end: str = "", *, revision: int = 0, limit: int = 0, keys_only: bool = False) -> Range:
        """Return one key or a range, newest or at a revision, all of one moment."""
        with self._read() as connection:
            return reading.read_range(connection, start, end, revision=revision, limit=limit, keys_only=keys_only)

    def txn(
        self,
        compares: Sequence[Compare] = (),
        then: Sequence[Operation] = (),
        orelse: Sequence[Operation] = (),
    ) -> TxnResult:
        """Do all of one branch or nothing, as one revision."""
        txn = Txn(tuple(compares), tuple(then), tuple(orelse))
        check_txn(txn, self.max_operations)
        with self._write() as connection:
            return Writer(connection, self._clock()).run(txn)

    def watch(self, start: str, end: str = "", *, start_revision: int = 0, previous: bool = False) -> SQLiteWatch:
        """Watch a key or a range from a revision on."""
        if is_empty_range(start, end):
            raise ValueError(f"there is nothing to watch from {start!r} to {end!r}")
        first = start_revision or self.revision + 1

        def read(after: int) -> tuple[int, WatchBatch]:
            return self._changes(start, end, after, previous=previous)

        watch = SQLiteWatch(read, schema.last_id(first - 1), self._wakeup, self._watches.discard)
        self._watches.add(watch)
        return watch

    def lease_grant(self, ttl_s: int) -> int:
        """Grant a lease; any process that uses the store ends it when it is over."""
        with self._write() as connection:
            return leases.grant(connection, ttl_s, self._clock())

    def lease_keepalive(self, lease: int) -> int:
        """Renew a lease and return its seconds."""
        with self._write() as connection:
            return leases.keepalive(connection, lease, self._clock())

    def lease_revoke(self, lease: int) -> None:
        """End a lease and delete its keys."""
        with self._write() as connection:
            leases.revoke(connection, lease, self._clock())

    def compact(self, revision: int) -> None:
        """Forget history before a revision, in slices so that writers need not wait for long."""
        with self._write() as connection:
            swept = compaction.announce(connection, revision)
        while swept < revision:
            with self._write() as connection:
                swept = compaction.sweep(connection, swept, revision, _REVISIONS_PER_SWEEP)
        with self._writing, _as_unavailable(self.path):
            # As a script, because execute() stops after the first page.
            self._writer.executescript("PRAGMA incremental_vacuum")

    def revision_time(self, revision: int) -> float:
        """Return when a revision was written."""
        with self._read() as connection:
            return reading.revision_time(connection, revision)

    def revision_at(self, time_s: float) -> int:
        """Return the newest revision at a time."""
        with self._read() as connection:
            return reading.revision_at(connection, time_s)

    @property
    def revision(self) -> int:
        """The newest revision."""
        with self._read() as connection:
            return reading.newest_revision(connection)

    def statistics(self) -> StoreStatistics:
        """Count what is in the file; takes time in proportion to the number of keys."""
        with self._read() as connection:

            def count(query: str) -> int:
                return int(connection.execute(query).fetchone()[0])

            return StoreStatistics(
                revision=reading.newest_revision(connection),
                compacted_revision=reading.compacted_revision(connection),
                size_bytes=count("PRAGMA page_count") * count("PRAGMA page_size"),
                keys=count("SELECT count(*) FROM newest n JOIN change c ON c.id = n.id WHERE c.version > 0"),
                versions=count("SELECT count(*) FROM change"),
                leases=count("SELECT count(*) FROM lease"),
                watches=len(self._watches),
                transactions=self._transactions,
            )

    def close(self) -> None:
        """Close the file and end all watches."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            for watch in tuple(self._watches):
                watch.close()
            self._wakeup.close()
            while self._readers:
                self._readers.pop().close()
            self._writer.close()

    def _changes(self, start: str, end: str, after: int, *, previous: bool) -> tuple[int, WatchBatch]:
        with self._read() as connection:
            newest = reading.newest_revision(connection)
            until = schema.last_id(newest)
            if until <= after:
                return after, WatchBatch(newest)
            compacted = reading.compacted_revision(connection)
            if after < schema.last_id(compacted - 1):
                raise Compacted(compacted)
            until, events = reading.events_after(
                connection, start, end, after=after, until=until, limit=_EVENTS_PER_BATCH, previous=previous
            )
            return until, WatchBatch(until >> schema.PLACE_BITS, events)

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the file; commit and ring at the end, or roll everything back on any error."""
        with self._writing, _as_unavailable(self.path):
            self._check_open()
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                if leases.any_due(connection, now_s := self._clock()):
                    leases.expire(connection, now_s)
                yield connection
                revision = reading.newest_revision(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._transactions += 1
            unheard = revision != self._rung
            self._rung = revision
        if unheard:
            self._wakeup.ring(revision)

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a read transaction: everything read through it is of one moment."""
        with self._single_connection, _as_unavailable(self.path):
            self._check_open()
            connection = self._borrow()
            try:
                if leases.any_due(connection, self._clock()):
                    with self._write():
                        pass
                connection.execute("BEGIN")
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
                self._give_back(connection)

    @property
    def _single_connection(self) -> contextlib.AbstractContextManager[object]:
        """A store in memory has one connection for everything, so that readers must take turns."""
        return self._writing if self.path is None else contextlib.nullcontext()

    def _borrow(self) -> sqlite3.Connection:
        if self.path is None:
            return self._writer
        try:
            return self._readers.pop()
        except IndexError:
            return schema.connect(self.path, self._durability)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if connection is self._writer:
            return
        if self._closed or len(self._readers) >= _IDLE_READERS:
            connection.close()
        else:
            self._readers.append(connection)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"the datastore {self.path or 'in memory'} is closed")


@contextlib.contextmanager
def _as_unavailable(path: Path | None) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"the datastore {path or 'in memory'}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(f"the datastore {path or 'in memory'} is damaged: {error}") from error
