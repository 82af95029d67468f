# SPDX-License-Identifier: Apache-2.0
"""Who wrote a revision: the name of a process, the embedded store that keeps it, files that did not yet."""

from __future__ import annotations

import os
import re
import sqlite3

import pytest

from percale.datastore.identity import identity
from percale.datastore.keyvalue import Compare, Delete, Put
from percale.datastore.sqlite import SQLiteKeyValue, schema
from percale.errors import Compacted, FutureRevision, NotSupported, StoreUnavailable

FIRST_SCHEMA = """
CREATE TABLE change (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, create_revision INTEGER NOT NULL, version INTEGER NOT NULL,
    lease INTEGER NOT NULL, previous INTEGER NOT NULL, time_us INTEGER NOT NULL
);
CREATE INDEX attached ON change (lease) WHERE lease <> 0;
CREATE TABLE newest (key TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_s INTEGER NOT NULL, expires_us INTEGER NOT NULL);
CREATE INDEX expiry ON lease (expires_us);
CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('compacted', 0);
INSERT INTO change VALUES (2 << 22, '/a', x'31', 2, 1, 0, 0, 1000000);
INSERT INTO change VALUES (3 << 22, '/a', x'32', 2, 2, 0, 2 << 22, 2000000);
INSERT INTO newest VALUES ('/a', 3 << 22);
PRAGMA application_id = 0x50524331;
PRAGMA user_version = 1;
"""


@pytest.fixture
def old_file(tmp_path):
    """A store of the first schema: a key that was written twice."""
    connection = sqlite3.connect(tmp_path / "old")
    connection.executescript(FIRST_SCHEMA)
    connection.close()
    return tmp_path / "old"


class TestIdentity:
    def test_user_host_and_program(self):
        """A process is known by its user, its host and its program."""
        assert re.fullmatch(rf"\S+@{re.escape(os.uname().nodename)} \(percale apply\)", identity("percale apply", {}))

    def test_program_that_runs(self):
        """Where nobody names the program, it is the one that was started."""
        assert re.search(r" \(\S+\)$", identity(environment={}))

    def test_words_of_the_user(self):
        """PERCALE_WRITER stands in front, on one line."""
        assert identity("x", {"PERCALE_WRITER": " pipeline\n 7\t"}) == "pipeline 7, " + identity("x", {})

    @pytest.mark.parametrize("words", ["w" * 500, "\udcff" * 300])
    def test_length_is_bounded(self, words):
        """What is kept with every change has at most 200 characters, all of them text."""
        said = identity("percale apply", {"PERCALE_WRITER": words})
        assert len(said) == 200
        assert said.encode().decode() == said
        assert said.endswith(" (percale apply)")

    def test_odd_names(self, monkeypatch):
        """Names that are no text, or of several lines, become a line of text: no change must fail because of them."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        said = identity("a\udce4b\nc", {"SUDO_USER": "m\udce4x"})
        assert said == f"m?x as root@{os.uname().nodename} (a?b c)"

    def test_long_name_of_a_program(self):
        """A long name leaves less room for the user's words, and in the end none."""
        words, longest = {"PERCALE_WRITER": "ticket 7"}, 200 - len(identity("x", {})) + 1
        assert identity("p" * (longest - 3), words).startswith("t, ")
        assert identity("p" * (longest - 2), words) == identity("p" * (longest - 2), {})
        assert len(identity("p" * 500, words)) == 200

    def test_user_behind_sudo(self, monkeypatch):
        """Who became root by sudo is named."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert identity("x", {"SUDO_USER": "ada"}).startswith("ada as root@")
        assert identity("x", {"SUDO_USER": "root"}).startswith("root@")

    def test_user_without_a_name(self, monkeypatch):
        """A user that the system does not know, as in a container, is a number."""
        monkeypatch.setattr(os, "geteuid", lambda: 4_000_001)
        assert identity("x", {}).startswith("4000001@")


class TestKeptWriters:
    def test_each_revision_has_its_writer(self, tmp_path):
        """Processes write under their own names into one file."""
        with (
            SQLiteKeyValue(tmp_path / "s", writer=lambda: "ada") as one,
            SQLiteKeyValue(tmp_path / "s", writer=lambda: "bob") as two,
        ):
            first, second = one.put("/a", b"1"), two.put("/a", b"2")
            deleted = one.txn((), [Delete("/a")]).revision
            assert [two.revision_writer(revision) for revision in (first, second, deleted)] == ["ada", "bob", "ada"]

    def test_name_is_asked_for_once_and_late(self, tmp_path):
        """Who only reads need not say who it is, which may take a directory service; who writes says it once."""
        asked = []
        with SQLiteKeyValue(tmp_path / "s", writer=lambda: asked.append(1) or "ada") as kv:
            assert kv.get("/a") is None
            assert not kv.txn([Compare("/a", "version", "=", 5)]).succeeded
            assert asked == []
            kv.put("/a", b"")
            kv.put("/a", b"")
            assert asked == [1]

    def test_others_write_while_a_name_is_found_out(self, tmp_path):
        """A slow directory service holds up who asks it, nobody else."""
        with SQLiteKeyValue(tmp_path / "s") as other:
            with SQLiteKeyValue(tmp_path / "s", writer=lambda: str(other.put("/other", b""))) as kv:
                kv.put("/a", b"")
            assert other.get("/other") is not None

    def test_unnamed_writer(self, embedded):
        """A store that was opened without a name tells none."""
        assert embedded.revision_writer(embedded.put("/a", b"")) == ""

    def test_borders(self, embedded):
        """Revisions to come and those that are gone are told apart."""
        first, last = embedded.put("/a", b""), embedded.put("/a", b"")
        with pytest.raises(FutureRevision):
            embedded.revision_writer(last + 1)
        embedded.compact(last)
        with pytest.raises(Compacted):
            embedded.revision_writer(first)
        assert embedded.revision_writer(last) == ""

    def test_end_of_a_lease(self, tmp_path, clock):
        """What goes with its lease was deleted by nobody; what a user revokes, by that user."""
        with SQLiteKeyValue(tmp_path / "s", writer=lambda: "ada", clock=clock) as kv:
            kv.txn((), [Put("/a", b"", kv.lease_grant(5))])
            clock.now += 6
            assert kv.get("/a") is None
            assert kv.revision_writer(kv.revision) == "the end of its lease"
            kv.txn((), [Put("/a", b"", lease := kv.lease_grant(5))])
            kv.lease_revoke(lease)
            assert kv.revision_writer(kv.revision) == "ada"

    def test_other_stores(self, kv):
        """A store tells writers only if it says that it keeps them."""
        revision = kv.put("/a", b"")
        if kv.keeps_writers:
            assert kv.revision_writer(revision) == ""
        else:
            with pytest.raises(NotSupported, match="who wrote"):
                kv.revision_writer(revision)

    def test_resources(self, datastore):
        """The capability of whole resources is that of their store."""
        assert datastore.capabilities.revision_writers == datastore.keyvalue.keeps_writers


class TestOldFile:
    def test_is_renewed_with_all_it_had(self, old_file):
        """A file of the first schema keeps its history, and names writers from now on."""
        with SQLiteKeyValue(old_file, writer=lambda: "ada") as kv:
            assert [kv.get("/a", revision=revision).value for revision in (2, 3)] == [b"1", b"2"]
            assert [kv.revision_writer(revision) for revision in (2, 3, kv.put("/a", b"3"))] == ["", "", "ada"]
            assert kv.check() == []

    def test_read_only_leaves_it_as_it_is(self, old_file):
        """Who only reads an old file does not touch it."""
        before = old_file.read_bytes()
        with SQLiteKeyValue(old_file, read_only=True) as kv:
            assert kv.get("/a").value == b"2"
            assert kv.revision_writer(3) == ""
        assert old_file.read_bytes() == before

    def test_renewal_fails_whole(self, old_file, monkeypatch):
        """A renewal that breaks off leaves the file as it was."""
        monkeypatch.setitem(schema._MIGRATIONS, 1, "ALTER TABLE change ADD COLUMN lease TEXT")
        with pytest.raises(Exception, match="duplicate column"):
            SQLiteKeyValue(old_file)
        monkeypatch.undo()
        with SQLiteKeyValue(old_file) as kv:
            assert kv.get("/a").value == b"2"

    def test_full_disk_is_told_as_that(self, old_file, monkeypatch):
        """Where SQLite has ended the transaction by itself, its reason is told and not that of a second end."""

        def renew(connection, version):
            connection.execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(schema, "_renew", renew)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            SQLiteKeyValue(old_file)

    def test_backup_of_it_can_be_restored(self, old_file, tmp_path):
        """A backup from an older percale is as good as any."""
        from percale.datastore.sqlite.backup import restore_file

        restore_file(old_file, tmp_path / "new")
        with SQLiteKeyValue(tmp_path / "new", writer=lambda: "ada") as kv:
            assert kv.revision_writer(kv.put("/a", b"3")) == "ada"
