# SPDX-License-Identifier: Apache-2.0
"""What is particular to the embedded store: its file, its processes, its clock."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import threading

import pytest

from percale.datastore.keyvalue import EVERYTHING, Compare, Delete, Put
from percale.datastore.sqlite import SQLiteKeyValue
from percale.errors import Compacted, FutureRevision, Refused, StoreUnavailable

spawn = multiprocessing.get_context("spawn")


def count_up(path, times):
    """Increment a number in the store as another process would."""
    with SQLiteKeyValue(path) as kv:
        done = 0
        while done < times:
            item = kv.get("/n")
            swap = Put("/n", b"%d" % (int(item.value) + 1))
            done += kv.txn([Compare("/n", "mod_revision", "=", item.mod_revision)], [swap]).succeeded


def write_pairs(path, started):
    """Write two equal keys per transaction until killed."""
    with SQLiteKeyValue(path) as kv:
        number = 0
        while True:
            number += 1
            kv.txn((), [Put("/left", b"%d" % number), Put("/right", b"%d" % number)])
            started.set()


class TestFile:
    def test_empty_store_is_at_revision_one(self, embedded):
        """A store that was never written stands at revision 1, as etcd's does."""
        assert embedded.revision == 1

    def test_everything_is_private(self, tmp_path):
        """Only its owner may read the store and the files beside it."""
        old = os.umask(0)
        try:
            with SQLiteKeyValue(tmp_path / "store") as kv:
                kv.put("/a", b"secret")
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        finally:
            os.umask(old)
        assert modes == dict.fromkeys(["store", "store-wal", "store-shm", "store-wake"], 0o600)

    def test_contents_stay(self, tmp_path):
        """What was written is there when the file is opened again, with its history."""
        with SQLiteKeyValue(tmp_path / "store") as kv:
            first = kv.put("/a", b"1")
            kv.put("/a", b"2")
        with SQLiteKeyValue(tmp_path / "store") as kv:
            assert kv.get("/a").value == b"2"
            assert kv.get("/a", revision=first).value == b"1"

    def test_newer_schema_is_refused(self, tmp_path):
        """A file of a newer version is left alone."""
        SQLiteKeyValue(tmp_path / "store").close()
        connection = sqlite3.connect(tmp_path / "store")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.close()
        with pytest.raises(Refused, match="newer"):
            SQLiteKeyValue(tmp_path / "store")

    def test_other_database_is_refused(self, tmp_path):
        """A SQLite file of something else is left alone."""
        connection = sqlite3.connect(tmp_path / "other")
        connection.execute("CREATE TABLE t (x)")
        connection.close()
        with pytest.raises(Refused, match="not a datastore"):
            SQLiteKeyValue(tmp_path / "other")

    def test_damaged_file(self, tmp_path):
        """A file that is no database at all is the backend's fault, in a sentence."""
        (tmp_path / "junk").write_bytes(b"no database" * 1000)
        with pytest.raises(StoreUnavailable, match="junk"):
            SQLiteKeyValue(tmp_path / "junk")

    def test_missing_folder(self, tmp_path):
        """The folder must exist; the error names the file."""
        with pytest.raises(StoreUnavailable, match="no/store"):
            SQLiteKeyValue(tmp_path / "no" / "store")

    def test_closed_store(self, store):
        """A closed store says so; closing it again does nothing."""
        store.close()
        store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            store.get("/a")
        with pytest.raises(StoreUnavailable, match="closed"):
            store.put("/a", b"")

    def test_full_disk_changes_nothing(self, store):
        """A write for which there is no room is undone as a whole, and the store goes on."""
        store.put("/a", b"1")
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreUnavailable, match="full"):
            store.txn((), [Put("/a", b"2"), Put("/b", bytes(1_000_000))])
        assert store.get("/a").value == b"1"
        assert store.get("/b") is None
        store.put("/a", b"3")
        assert store.get("/a").value == b"3"

    def test_full_durability(self, tmp_path):
        """The option reaches SQLite."""
        with SQLiteKeyValue(tmp_path / "store", durability="FULL") as kv:
            assert kv._writer.execute("PRAGMA synchronous").fetchone() == (2,)
        with SQLiteKeyValue(tmp_path / "store") as kv:
            assert kv._writer.execute("PRAGMA synchronous").fetchone() == (1,)

    def test_compaction_gives_room_back(self, store):
        """The file shrinks when long history is forgotten."""
        for _ in range(200):
            store.put("/a", bytes(10_000))
        large = store.statistics()
        store.compact(store.revision)
        small = store.statistics()
        assert (large.versions, small.versions) == (200, 1)
        assert small.size_bytes < large.size_bytes / 10


class TestProcesses:
    def test_two_processes_lose_nothing(self, tmp_path):
        """Compare-and-swap holds between processes."""
        path = tmp_path / "store"
        with SQLiteKeyValue(path) as kv:
            kv.put("/n", b"0")
            others = [spawn.Process(target=count_up, args=(path, 50)) for _ in range(2)]
            for other in others:
                other.start()
            count_up(path, 50)
            for other in others:
                other.join()
            assert kv.get("/n").value == b"150"

    def test_watch_hears_another_process(self, tmp_path):
        """Every event of another process arrives, in order, without gaps."""
        path = tmp_path / "store"
        with SQLiteKeyValue(path) as kv:
            kv.put("/n", b"0")
            with kv.watch("/n") as watch:
                other = spawn.Process(target=count_up, args=(path, 50))
                other.start()
                seen = []
                while len(seen) < 50:
                    seen += [int(event.item.value) for event in watch.poll(30).events]
                other.join()
        assert seen == list(range(1, 51))

    def test_killed_writer_leaves_whole_transactions(self, tmp_path):
        """A writer killed at any moment leaves no half transaction and no lock behind."""
        path = tmp_path / "store"
        for _ in range(3):
            started = spawn.Event()
            writer = spawn.Process(target=write_pairs, args=(path, started))
            writer.start()
            assert started.wait(60)
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
            with SQLiteKeyValue(path) as kv:
                left, right = kv.range("/", EVERYTHING).items
                assert (left.value, left.mod_revision) == (right.value, right.mod_revision)
                kv.put("/left", left.value)

    def test_stores_of_one_file_share_everything(self, tmp_path):
        """Two opened stores in one process see each other's writes at once."""
        path = tmp_path / "store"
        with SQLiteKeyValue(path) as one, SQLiteKeyValue(path) as two, two.watch("/a") as watch:
            waiting = threading.Timer(0.1, one.put, ("/a", b"1"))
            waiting.start()
            assert watch.poll(30).events[0].item.value == b"1"
            waiting.join()
            assert two.get("/a").value == b"1"

    def test_watch_without_inotify(self, tmp_path, monkeypatch):
        """Where no inotify instance is left, watching falls back to looking often."""
        monkeypatch.setattr("percale.datastore.wakeup._listen", lambda path: -1)
        path = tmp_path / "store"
        with SQLiteKeyValue(path) as one, SQLiteKeyValue(path) as two, two.watch("/a") as watch:
            waiting = threading.Timer(0.1, one.put, ("/a", b"1"))
            waiting.start()
            assert watch.poll(30).events[0].item.value == b"1"
            waiting.join()


class TestLeaseExpiry:
    def test_key_goes_with_its_lease(self, embedded, clock):
        """At the end of its time a lease takes its keys along, in one revision; one moment before it does not."""
        lease = embedded.lease_grant(10)
        embedded.put("/a", b"", lease=lease)
        revision = embedded.put("/b", b"", lease=lease)
        clock.now += 9.999
        assert embedded.get("/a") is not None
        clock.now += 0.001
        assert embedded.get("/a") is None
        assert embedded.revision == revision + 1

    def test_renewed_lease_lasts(self, embedded, clock):
        """Renewing starts the time again."""
        lease = embedded.lease_grant(10)
        embedded.put("/a", b"", lease=lease)
        clock.now += 9
        embedded.lease_keepalive(lease)
        clock.now += 9
        assert embedded.get("/a") is not None

    def test_watch_reports_expiry(self, embedded, clock):
        """The watcher is told of the delete, without anybody else using the store."""
        embedded.put("/a", b"", lease=embedded.lease_grant(1))
        with embedded.watch("/a") as watch:
            clock.now += 1
            assert watch.poll(0).events[0].deleted

    def test_expiry_comes_before_the_write_that_notices_it(self, embedded, clock):
        """A create of a key whose lease is over succeeds."""
        embedded.put("/a", b"old", lease=embedded.lease_grant(1))
        clock.now += 1
        assert embedded.txn([Compare("/a", "version", "=", 0)], [Put("/a", b"new")]).succeeded

    def test_no_lease_for_nothing(self, embedded):
        """A lease lasts a second or longer."""
        embedded.lease_grant(1)
        with pytest.raises(ValueError):
            embedded.lease_grant(0)


class TestTimes:
    def test_time_of_a_revision_and_back(self, embedded, clock):
        """A revision has a time, and a time the newest revision not after it."""
        start = clock.now
        revisions = []
        for _ in range(5):
            clock.now += 10
            revisions.append(embedded.put("/a", b""))
        assert [embedded.revision_time(revision) - start for revision in revisions] == [10, 20, 30, 40, 50]
        assert embedded.revision_at(start + 30) == revisions[2]
        assert embedded.revision_at(start + 29.9) == revisions[1]
        assert embedded.revision_at(start + 1000) == revisions[-1]
        assert embedded.revision_at(start) == 1
        with pytest.raises(FutureRevision):
            embedded.revision_time(revisions[-1] + 1)

    def test_times_never_go_back(self, embedded, clock):
        """A clock set back does not disorder history."""
        first = embedded.put("/a", b"")
        clock.now -= 1000
        second = embedded.put("/a", b"")
        assert embedded.revision_time(first) == embedded.revision_time(second)

    def test_time_before_the_border_of_history(self, embedded, clock):
        """A time from which nothing is left is told as compacted; the border itself can still be found."""
        start = clock.now
        for _ in range(4):
            clock.now += 10
            embedded.put("/a", b"")
        embedded.compact(embedded.revision - 1)
        assert embedded.revision_at(start + 30) == embedded.revision - 1
        with pytest.raises(Compacted):
            embedded.revision_at(start + 29)

    def test_delete_has_a_time_too(self, embedded, clock):
        """A revision that only deletes is dated."""
        embedded.put("/a", b"")
        clock.now += 5
        revision = embedded.txn((), [Delete("/a")]).revision
        assert embedded.revision_time(revision) == clock.now


def test_slow_reader_holds_nothing(embedded, monkeypatch):
    """A watch reads a bounded number of changes when it is asked, and nothing before; all come in order."""
    monkeypatch.setattr("percale.datastore.sqlite.store._EVENTS_PER_BATCH", 10)
    with embedded.watch("/", EVERYTHING) as watch:
        for number in range(25):
            embedded.put(f"/{number:02}", b"")
        embedded.txn((), [Put(f"/last/{number:02}", b"") for number in range(15)])
        batches = []
        while batch := watch.poll(0):
            batches.append([event.item.key for event in batch.events])
    assert [len(keys) for keys in batches] == [10, 10, 20]
    assert [key for keys in batches for key in keys] == [f"/{number:02}" for number in range(25)] + [
        f"/last/{n:02}" for n in range(15)
    ]
