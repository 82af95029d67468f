# SPDX-License-Identifier: Apache-2.0
"""The embedded store as a KeyValue: one write connection, a few read connections, a bell for the watchers."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
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
from percale.datastore.sqlite.compaction import Retention
from percale.datastore.sqlite.place import Place, refuse_network
from percale.datastore.sqlite.trouble import as_unavailable
from percale.datastore.sqlite.watch import SQLiteWatch
from percale.datastore.sqlite.writing import Writer
from percale.datastore.transactions import check_txn
from percale.datastore.wakeup import Wakeup
from percale.errors import Compacted, Refused, StoreUnavailable

__all__ = ["SQLiteKeyValue"]

_IDLE_READERS = 8
_EVENTS_PER_BATCH = 1000
_REVISIONS_PER_SWEEP = 5000
_REVISIONS_PER_POLICY = 1000
"""How often the policy about history is looked at: every revision is written by one process, so one process does it."""


class SQLiteKeyValue(KeyValue):
    """Etcd's model in one SQLite file, used by many processes and threads of one machine at the same time.

    ``path`` None keeps everything in memory, for one process. ``durability`` NORMAL may lose the last moments in a
    power failure, FULL nothing that has returned. ``read_only`` never touches the file. A writer waits for others as
    long as ``busy_timeout_s``. ``writer`` tells who writes, to be kept with each change; it is asked before the first.
    ``clock`` gives seconds since 1970 and decides about leases. Open the store after ``fork``, never before.

    Raises StoreUnavailable, or Refused for a file of another kind or version, or on a network file system.
    """

    max_operations = 10_000
    keeps_times = True
    keeps_writers = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        durability: schema.Durability = "NORMAL",
        read_only: bool = False,
        busy_timeout_s: float = schema.BUSY_TIMEOUT_S,
        writer: Callable[[], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path) if path is not None else None
        self._durability = durability
        self._read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._name = cache(writer)
        self._clock = clock
        self._writing = threading.RLock()
        self._closed = False
        self._transactions = 0
        self._rung = 0
        self._watches: set[SQLiteWatch] = set()
        if self.path is not None:
            refuse_network(self.path)
        self._writer = self._connect(create=not read_only)
        self._readers: list[sqlite3.Connection] = []
        try:
            if read_only:
                self._check_kind()
            else:
                schema.prepare(self._writer, self.path)
            self._place = Place(self.path) if self.path is not None else None
            bell = self.path.with_name(self.path.name + "-wake") if self.path is not None else None
            self._wakeup = Wakeup(bell, rings=not read_only)
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
        if txn.then or txn.orelse:
            self._name()  # a directory service may be slow to tell it, and the lock keeps all others out
        with self._write() as connection:
            result = Writer(connection, self._clock(), self._name).run(txn)
        if result.revision % _REVISIONS_PER_POLICY == 0:
            self._compact_by_policy(bounded=True)
        return result

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
            leases.revoke(connection, lease, self._clock(), self._name)

    def compact(self, revision: int) -> None:
        """Forget history before a revision, in slices so that writers need not wait for long."""
        with self._write() as connection:
            compaction.announce(connection, revision)
        self._sweep()
        with self._writing, as_unavailable(self.path):
            # As a script, because execute() stops after the first page.
            self._writer.executescript("PRAGMA incremental_vacuum")

    @property
    def retention(self) -> Retention:
        """How much history the policy keeps."""
        with self._read() as connection:
            return compaction.read_retention(connection)

    def set_retention(self, retention: Retention) -> None:
        """Change the policy for every process of this file, from now on."""
        with self._write() as connection:
            compaction.write_retention(connection, retention)

    def compact_by_policy(self) -> int:
        """Forget what the policy does not keep; return the revision before which history is gone."""
        self._compact_by_policy(bounded=False)
        with self._read() as connection:
            return reading.compacted_revision(connection)

    def check(self) -> list[str]:
        """Return what is wrong with the file, one sentence each; reads all of it."""
        from percale.datastore.sqlite.checking import faults

        with self._read() as connection:
            return list(faults(connection))

    def backup(self, target: str | os.PathLike[str]) -> None:
        """Write a copy of one moment, history included, while others go on; raises Refused if the target exists."""
        from percale.datastore.sqlite.backup import write_backup

        self._check_open()
        with contextlib.closing(self._connect()) if self.path else contextlib.nullcontext(self._writer) as connection:
            write_backup(connection, self.path, Path(target))

    def revision_time(self, revision: int) -> float:
        """Return when a revision was written."""
        with self._read() as connection:
            return reading.revision_time(connection, revision)

    def revision_writer(self, revision: int) -> str:
        """Return who wrote a revision."""
        with self._read() as connection:
            return reading.revision_writer(connection, revision)

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

    def _compact_by_policy(self, *, bounded: bool) -> None:
        try:
            with self._write() as connection:
                border = compaction.due_border(connection, self._clock(), bounded=bounded)
                if border:
                    compaction.announce(connection, border)
            self._sweep()
        except StoreUnavailable:
            # What was written before is safe; history that stays is forgotten another time.
            if not bounded:
                raise

    def _sweep(self) -> None:
        more = True
        while more:
            with self._write() as connection:
                more = compaction.sweep(connection, _REVISIONS_PER_SWEEP)

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the file; commit and ring at the end, or roll everything back on any error."""
        with self._writing, as_unavailable(self.path):
            self._check_open()
            if self._read_only:
                raise Refused(f"the datastore {self.path} was opened for reading only")
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
            self._check_place()  # who has written into a removed file must know
            self._transactions += 1
            unheard = revision != self._rung
            self._rung = revision
        if unheard:
            self._wakeup.ring(revision)

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a read transaction: everything read through it is of one moment."""
        with self._single_connection, as_unavailable(self.path):
            self._check_open()
            connection = self._borrow()
            try:
                if not self._read_only and leases.any_due(connection, self._clock()):
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
            return self._connect()

    def _connect(self, *, create: bool = False) -> sqlite3.Connection:
        return schema.connect(
            self.path,
            self._durability,
            create=create,
            read_only=self._read_only,
            busy_timeout_s=self._busy_timeout_s,
        )

    def _check_kind(self) -> None:
        with as_unavailable(self.path):
            if not schema.version_of(self._writer, self.path):
                raise Refused(f"{self.path} is empty, and opened for reading only")

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
        self._check_place()

    def _check_place(self) -> None:
        if self._place is not None:
            self._place.check()
