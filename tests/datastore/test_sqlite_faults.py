# SPDX-License-Identifier: Apache-2.0
"""The embedded store under faults: nothing acknowledged is lost, no event lost or doubled, and it says what is wrong.

Everything is real: processes killed in the middle of writing, a full disk, files removed under an open store.
"""

from __future__ import annotations

import ctypes
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from percale.datastore.keyvalue import EVERYTHING, Compare, Put
from percale.datastore.sqlite import Retention, SQLiteKeyValue, place
from percale.errors import Compacted, Refused, StoreUnavailable

KILLS = 100 if os.environ.get("PERCALE_SOAK") else 8
NOBODY = 65534

# Says each number when, and only when, the store has acknowledged it.
WRITER = """
import sys
from percale.datastore.keyvalue import Put
from percale.datastore.sqlite import SQLiteKeyValue
path, name, number, durability = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
with SQLiteKeyValue(path, durability=durability) as kv:
    while True:
        number += 1
        kv.txn((), [Put(f"/{name}/left", b"%d" % number), Put(f"/{name}/right", b"%d" % number)])
        print(number, flush=True)
"""


def start_writer(path, name, number, durability="NORMAL"):
    """Start a process that writes until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(number), durability],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def in_child(check):
    """Run a check in a forked child that may spoil its process; the child's traceback is printed."""
    child = os.fork()
    if child == 0:
        try:
            check()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def fill(kv, value):
    """Write until there is no room, which must be told; return how many writes were acknowledged."""
    for done in range(1000):
        try:
            kv.txn((), [Put("/a", value), Put("/b", value)])
        except StoreUnavailable as error:
            assert "nothing was changed" in str(error)  # noqa: PT017
            return done
    raise AssertionError("there was always room")


def drain(watch):
    """Return every event that is there now."""
    events = []
    while (batch := watch.poll(0)) is not None:
        events += batch.events
    return events


class TestKilled:
    @pytest.mark.parametrize("durability", ["NORMAL", "FULL"])
    def test_acknowledged_writes_survive(self, tmp_path, durability):
        """Writers killed at random moments lose nothing acknowledged, and a watcher sees each write once, in order."""
        path, chance = tmp_path / "store", random.Random(5)
        written = dict.fromkeys(("a", "b"), 0)
        with SQLiteKeyValue(path) as kv, kv.watch("/", EVERYTHING) as watch:
            for _ in range(KILLS):
                writers = {name: start_writer(path, name, last, durability) for name, last in written.items()}
                for writer in writers.values():
                    writer.stdout.readline()
                time.sleep(chance.random() / 10)
                for name, writer in writers.items():
                    writer.send_signal(signal.SIGKILL)
                    acknowledged = [int(line) for line in writer.communicate()[0].splitlines() if line.strip()]
                    left, right = kv.range(f"/{name}/", f"/{name}0").items
                    # One more may be there: killed between the commit and the answer.
                    assert int(left.value) - (acknowledged or [0])[-1] in (0, 1) or not acknowledged
                    assert (left.value, left.mod_revision) == (right.value, right.mod_revision)
                    written[name] = int(left.value)
            assert kv.check() == []
            events = drain(watch)
        for name, last in written.items():
            seen = [int(event.item.value) for event in events if event.item.key == f"/{name}/left"]
            assert seen == list(range(1, last + 1))
        print(f"\n{KILLS} times two writers killed, {sum(written.values())} transactions, {durability}")

    def test_killed_compaction_is_finished_by_the_next(self, tmp_path):
        """What a compaction that was killed had not swept is swept by the next one."""
        with SQLiteKeyValue(tmp_path / "store") as kv:
            for number in range(100):
                kv.put("/a", b"%d" % number)
            with kv._write() as connection:
                from percale.datastore.sqlite import compaction

                compaction.announce(connection, 50)
        with SQLiteKeyValue(tmp_path / "store") as kv:
            assert kv.statistics().versions == 100
            kv.compact(60)
            assert kv.statistics().versions == kv.revision - 60 + 1
            assert kv.check() == []


class TestFullDisk:
    def test_limit_of_the_file(self, tmp_path):
        """A write that the disk does not take is undone as a whole, said, and the store goes on when there is room."""

        def check():
            with SQLiteKeyValue(tmp_path / "store") as kv:
                kv.put("/a", b"1")
                before = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
                fill(kv, bytes(50_000))
                acknowledged = kv.range("/", EVERYTHING)
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
                assert kv.range("/", EVERYTHING) == acknowledged
                assert kv.put("/c", bytes(1_000_000)) == acknowledged.revision + 1
                assert kv.check() == []

        in_child(check)

    @pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
    def test_full_file_system(self, tmp_path):
        """The same with a real file system without room: the message names the disk, reading goes on."""

        def check():
            libc = ctypes.CDLL(None, use_errno=True)
            newns, private, recursive = 0x20000, 1 << 18, 1 << 14  # linux/sched.h, linux/mount.h
            assert libc.unshare(newns) == 0
            assert libc.mount(b"none", b"/", None, private | recursive, None) == 0
            assert libc.mount(b"small", os.fsencode(tmp_path), b"tmpfs", 0, b"size=1m") == 0
            with SQLiteKeyValue(tmp_path / "store") as kv, kv.watch("/", EVERYTHING) as watch:
                done = fill(kv, bytes(20_000))
                assert (kv.get("/a").version, len(drain(watch))) == (done, 2 * done)
                libc.mount(b"small", os.fsencode(tmp_path), b"tmpfs", 32, b"size=64m")  # MS_REMOUNT: room again
                kv.put("/a", b"last")
                assert [event.item.version for event in drain(watch)] == [done + 1]
                assert kv.check() == []

        in_child(check)


class TestFileUnderUs:
    def test_removed(self, tmp_path):
        """After its file was removed a store acknowledges nothing any more, and says why; so do its watches."""
        with SQLiteKeyValue(tmp_path / "store") as kv, kv.watch("/a") as watch:
            kv.put("/a", b"1")
            (tmp_path / "store").unlink()
            for use in (lambda: kv.put("/a", b"2"), lambda: kv.get("/a"), lambda: watch.poll(0)):
                with pytest.raises(StoreUnavailable, match="removed while it was open"):
                    use()
            assert not (tmp_path / "store").exists()

    def test_replaced(self, tmp_path):
        """Another file in its place is noticed, and left as it is."""
        with SQLiteKeyValue(tmp_path / "other") as other:
            other.put("/other", b"")
            other.backup(tmp_path / "copy")
        with SQLiteKeyValue(tmp_path / "store") as kv:
            kv.put("/a", b"1")
            (tmp_path / "copy").rename(tmp_path / "store")
            with pytest.raises(StoreUnavailable, match="replaced by another file"):
                kv.put("/a", b"2")

    def test_folder_away_and_back(self, tmp_path):
        """A file system that was away for a moment costs nothing but that moment."""
        folder = tmp_path / "folder"
        folder.mkdir()
        with SQLiteKeyValue(folder / "store") as kv:
            kv.put("/a", b"1")
            folder.rename(tmp_path / "away")
            with pytest.raises(StoreUnavailable):
                kv.put("/a", b"2")
            (tmp_path / "away").rename(folder)
            kv.put("/a", b"3")
            assert kv.get("/a").version == 2

    def test_damage_is_found(self, tmp_path):
        """Pages overwritten behind SQLite's back are told by the check, or by the first read that meets them."""
        path = tmp_path / "store"
        with SQLiteKeyValue(path) as kv:
            for number in range(500):
                kv.put(f"/{number}", bytes(300))
        with path.open("r+b") as file:
            file.seek(20 * 4096)
            file.write(b"\xff" * 4096 * 5)
        try:
            with SQLiteKeyValue(path) as kv:
                assert kv.check()
        except StoreUnavailable as error:
            assert "damaged" in str(error)  # noqa: PT017


class TestPermissions:
    @pytest.mark.skipif(os.geteuid() != 0, reason="changing the user needs root")
    @pytest.mark.parametrize(
        ("mode", "use", "says"),
        [
            (0o600, SQLiteKeyValue, "Permission denied"),
            (0o644, SQLiteKeyValue, "may not|cannot|readonly"),
            (0o600, lambda path: SQLiteKeyValue(path, read_only=True), "Permission denied"),
        ],
        ids=["private", "read only", "private, to read"],
    )
    def test_another_user(self, tmp_path_factory, mode, use, says):
        """A user who may not use the file is told so, with its name."""
        folder = open_folder(tmp_path_factory)
        with SQLiteKeyValue(folder / "store") as kv:
            kv.put("/a", b"1")
        (folder / "store").chmod(mode)

        def check():
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with pytest.raises((StoreUnavailable, Refused), match=says) as raised:
                use(folder / "store").put("/a", b"2")
            assert "store" in str(raised.value)

        try:
            in_child(check)
        finally:
            shutil.rmtree(folder)

    @pytest.mark.skipif(os.geteuid() != 0, reason="changing the user needs root")
    @pytest.mark.parametrize("in_use", [False, True])
    def test_reader_without_the_right_to_write(self, tmp_path_factory, in_use):
        """Who may only read can read, whether the store is in use or not, and writes nothing."""
        folder = open_folder(tmp_path_factory)
        kv = SQLiteKeyValue(folder / "store")
        kv.put("/a", b"1")
        for file in folder.iterdir():
            file.chmod(0o644)
        if not in_use:
            kv.close()

        def check():
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with SQLiteKeyValue(folder / "store", read_only=True) as reader:
                assert reader.get("/a").value == b"1"
                with pytest.raises(Refused, match="reading only"):
                    reader.put("/a", b"2")

        try:
            in_child(check)
        finally:
            kv.close()
            shutil.rmtree(folder)


def open_folder(tmp_path_factory):
    """Return a new folder that every user may enter."""
    folder = tmp_path_factory.getbasetemp().parent.parent / f"percale-test-{os.getpid()}-{random.getrandbits(32):x}"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    return folder


class TestReadOnly:
    def test_watch_hears_a_writer(self, tmp_path):
        """A store opened for reading only hears what others write, and ends no lease."""
        with SQLiteKeyValue(tmp_path / "store") as kv, SQLiteKeyValue(tmp_path / "store", read_only=True) as reader:
            with reader.watch("/a") as watch:
                kv.put("/a", b"1")
                assert [event.item.value for event in watch.poll(30).events] == [b"1"]
            assert reader.revision == 2

    def test_missing_file(self, tmp_path):
        """Reading does not make a file."""
        with pytest.raises(StoreUnavailable, match="No such file"):
            SQLiteKeyValue(tmp_path / "store", read_only=True)
        assert list(tmp_path.iterdir()) == []


class TestNetworkFileSystem:
    @pytest.fixture
    def mounted(self, tmp_path, monkeypatch):
        """Let the kernel tell that the test's folder lies on a file system of some type."""

        def mount(kind):
            device = tmp_path.stat().st_dev
            mine = f"30 27 {os.major(device)}:{os.minor(device)} / /a\\040b rw shared:1 - {kind} host:/export rw\n"
            (tmp_path.parent / "mounts").write_text(f"22 27 0:99999 / /proc rw,relatime - proc proc rw\n{mine}")
            monkeypatch.setattr(place, "_MOUNTS", str(tmp_path.parent / "mounts"))

        return mount

    @pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs"])
    def test_refused_with_the_reason(self, tmp_path, mounted, kind):
        """The type that the kernel tells of the folder's file system decides; nothing is made there."""
        mounted(kind)
        with pytest.raises(Refused, match=rf"network file system \({kind}\).*etcd"):
            SQLiteKeyValue(tmp_path / "store")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("kind", ["ext4", "nfsd", "fuse"])
    def test_local_one_is_taken(self, tmp_path, mounted, kind):
        """The border pair: the same folder is fine otherwise."""
        mounted(kind)
        SQLiteKeyValue(tmp_path / "store").close()

    def test_what_the_kernel_tells(self):
        """The kernel's own table names the file system of a folder that is one."""
        assert place._file_system(Path("/proc")) == "proc"

    def test_without_the_table(self, tmp_path, monkeypatch):
        """Where the kernel tells nothing the folder is taken as local."""
        monkeypatch.setattr(place, "_MOUNTS", str(tmp_path / "absent"))
        assert place._file_system(tmp_path) == ""


class TestBusy:
    def test_message_while_another_writes(self, tmp_path):
        """Who waits too long for another writer is told so; the write is not done, now or later."""
        with SQLiteKeyValue(tmp_path / "store") as kv, SQLiteKeyValue(tmp_path / "store", busy_timeout_s=0.05) as late:
            with kv._write(), pytest.raises(StoreUnavailable, match="another process has been writing"):
                late.put("/a", b"1")
            assert kv.get("/a") is None
            late.put("/a", b"2")
            assert kv.get("/a").version == 1


class TestClock:
    def test_jumps_disorder_nothing(self, embedded, clock):
        """A clock set back and ahead leaves revisions, events and their times in order."""
        with embedded.watch("/a") as watch:
            for jump in (10, -100_000, 5, 400 * 86_400, -400 * 86_400, 1):
                clock.now += jump
                embedded.put("/a", b"")
            events = drain(watch)
        assert [event.item.version for event in events] == [1, 2, 3, 4, 5, 6]
        times = [embedded.revision_time(event.item.mod_revision) for event in events]
        assert times == sorted(times)
        assert embedded.check() == []

    def test_jump_ahead_keeps_the_newest_history(self, embedded, clock):
        """However far the clock jumps, the newest revisions that the policy names are kept."""
        embedded.set_retention(Retention(days=1, revisions=10))
        for _ in range(50):
            embedded.put("/a", b"")
        clock.now += 400 * 86_400
        assert embedded.compact_by_policy() == embedded.revision - 10


class TestPolicy:
    def test_usual_policy(self, embedded):
        """Nobody having said anything, 30 days are kept, and 10 000 revisions in any case."""
        assert embedded.retention == Retention(30, 10_000)

    def test_both_bounds(self, embedded, clock):
        """Only what is older than the days and beyond the revisions goes."""
        embedded.set_retention(Retention(days=1, revisions=5))
        for _ in range(20):
            clock.now += 3600
            embedded.put("/a", b"")
        assert embedded.compact_by_policy() == 0
        clock.now += 10 * 3600
        border = embedded.compact_by_policy()
        assert clock.now - embedded.revision_time(border) >= 86_400 > clock.now - embedded.revision_time(border + 1)
        assert embedded.check() == []

    def test_for_ever(self, embedded, clock):
        """0 days forget nothing."""
        embedded.set_retention(Retention(days=0, revisions=1))
        for _ in range(20):
            clock.now += 86_400 * 365
            embedded.put("/a", b"")
        assert embedded.compact_by_policy() == 0

    def test_writing_alone_keeps_history_short(self, embedded, clock):
        """The policy is followed while writing goes on, and a watcher that lags behind is told."""
        embedded.set_retention(Retention(days=1, revisions=100))
        with embedded.watch("/a", start_revision=2) as late:
            for _ in range(2100):
                clock.now += 3600
                embedded.put("/a", b"")
            assert 24 <= embedded.statistics().versions <= 1100
            with pytest.raises(Compacted):
                late.poll(0)

    def test_policy_is_in_the_file(self, tmp_path):
        """Every process of the file follows the same policy."""
        with SQLiteKeyValue(tmp_path / "store") as kv:
            kv.set_retention(Retention(7, 77))
        with SQLiteKeyValue(tmp_path / "store") as kv:
            assert kv.retention == Retention(7, 77)


class TestBackup:
    def test_backup_while_others_write(self, tmp_path):
        """A backup made under load is one moment of the store: whole transactions, and its history."""
        writer = start_writer(tmp_path / "store", "a", 0)
        try:
            for _ in range(20):
                writer.stdout.readline()
            with SQLiteKeyValue(tmp_path / "store") as kv:
                kv.backup(tmp_path / "backup")
        finally:
            writer.kill()
            writer.communicate()
        with SQLiteKeyValue(tmp_path / "backup") as kv:
            left, right = kv.range("/", EVERYTHING).items
            assert (left.value, left.mod_revision) == (right.value, right.mod_revision)
            assert int(left.value) >= 20
            assert kv.get("/a/left", revision=2).value == b"1"
            assert kv.check() == []

    def test_backup_never_overwrites(self, store, tmp_path):
        """An existing file is left alone."""
        (tmp_path / "backup").write_text("precious")
        with pytest.raises(Refused, match="exists already"):
            store.backup(tmp_path / "backup")
        assert (tmp_path / "backup").read_text() == "precious"

    def test_restore(self, tmp_path):
        """A restored store is what the backup was, and private; a store in use is not replaced."""
        from percale.datastore.sqlite.backup import restore_file

        path = tmp_path / "store"
        with SQLiteKeyValue(path) as kv:
            kv.put("/a", b"1")
            kv.backup(tmp_path / "backup")
            kv.put("/a", b"2")
        with SQLiteKeyValue(path), pytest.raises(Refused, match="in use"):
            restore_file(tmp_path / "backup", path)
        restore_file(tmp_path / "backup", path)
        with SQLiteKeyValue(path) as kv:
            assert [item.value for item in kv.range("/", EVERYTHING).items] == [b"1"]
            assert kv.txn([Compare("/a", "version", "=", 1)], [Put("/a", b"3")]).succeeded
            assert kv.check() == []
        assert path.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("name", ["bjørn's 100 %?#", os.fsdecode(b"bj\xf8rn")])
    def test_names_of_files(self, tmp_path, name):
        """A file may have any name that the system allows, UTF-8 or not."""
        from percale.datastore.sqlite.backup import restore_file

        with SQLiteKeyValue(tmp_path / name) as store:
            store.put("/a", b"1")
            store.backup(tmp_path / f"{name}.saved")
        restore_file(tmp_path / f"{name}.saved", tmp_path / name)
        with SQLiteKeyValue(tmp_path / name, read_only=True) as restored:
            assert restored.get("/a").value == b"1"

    def test_what_is_no_datastore_is_not_replaced(self, tmp_path):
        """A file whose head is gone may be anything: who restores over it is told to move it away first."""
        from percale.datastore.sqlite.backup import restore_file

        with SQLiteKeyValue(tmp_path / "store") as kv:
            kv.put("/a", b"1")
            kv.backup(tmp_path / "backup")
        with open(tmp_path / "store", "r+b") as file:
            file.write(b"?" * 4096)
        with pytest.raises(
            Refused, match=r"store is damaged, or no datastore \(file is not a database\); move it away"
        ):
            restore_file(tmp_path / "backup", tmp_path / "store")
        (tmp_path / "store").rename(tmp_path / "away")
        restore_file(tmp_path / "backup", tmp_path / "store")
        with SQLiteKeyValue(tmp_path / "store") as kv:
            assert kv.get("/a").value == b"1"

    def test_damaged_backup_is_not_restored(self, tmp_path):
        """What is no store, or a damaged one, replaces nothing."""
        from percale.datastore.sqlite.backup import restore_file

        with SQLiteKeyValue(tmp_path / "store") as kv:
            kv.put("/a", b"1")
        (tmp_path / "junk").write_bytes(b"junk" * 5000)
        with pytest.raises((StoreUnavailable, Refused), match="junk"):
            restore_file(tmp_path / "junk", tmp_path / "store")
        with SQLiteKeyValue(tmp_path / "store") as kv:
            assert kv.get("/a").value == b"1"


class TestCheck:
    def test_broken_promises_are_told(self, tmp_path):
        """Tables that contradict each other are found, although SQLite sees nothing wrong with them."""
        with SQLiteKeyValue(tmp_path / "store") as kv:
            kv.put("/a", b"1")
            kv.put("/a", b"2")
            assert kv.check() == []
            with kv._write() as connection:
                connection.execute("UPDATE newest SET id = id - 1 WHERE key = '/a'")
            assert kv.check() == [
                "1 keys whose newest version is not their last change, the first is /a",
            ]
