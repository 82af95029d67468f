# SPDX-License-Identifier: Apache-2.0
"""The datastore as a whole: what goes wrong with backups, copies and compaction, and what is left then."""

from __future__ import annotations

import os
import sqlite3

import pytest

from percale.cli import datastore_backup
from percale.client import DatastoreConfig
from percale.datastore.sqlite import SQLiteKeyValue
from percale.errors import StoreUnavailable

SILENT = "http://127.0.0.1:1"


@pytest.fixture
def store(percale, tmp_path):
    """A datastore, and beside it what is none; returns how to call percale there."""
    assert percale("datastore", "migrate", "unlock").status == 0
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no database at all, but some words")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE music (title)")
    other.close()
    whole = (tmp_path / "store.db").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    return percale


def left(folder):
    """What lies in a folder, but not what SQLite keeps beside an open file."""
    return {name for name in os.listdir(folder) if not name.endswith(("-wal", "-shm"))}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("backup", "text"), "text exists already; choose another name"),
        (("backup", "no/such"), "cannot write no/such: No such file or directory"),
        (("backup", "text/x"), "cannot write text/x: Not a directory"),
        (("backup", SILENT), f"a backup is a file, and {SILENT} is none; 'datastore copy' copies into etcd"),
        (("backup", "x", "--datastore", "folder"), "folder is a folder, and a datastore is a file: name one inside"),
        (("backup", "x", "--datastore", SILENT), f"etcd at {SILENT} does not answer"),
        (("restore", "absent"), "cannot read absent: No such file or directory"),
        (("restore", "folder"), "folder is a folder, and a backup is a file"),
        (("restore", "pipe"), "pipe is a device or a pipe, and a backup is a file"),
        (("restore", "text"), "text is damaged, or no backup of a datastore: file is not a database"),
        (("restore", "half"), "half is damaged, or no backup of a datastore: "),
        (("restore", "other"), "other is not a datastore of percale"),
        (("restore", "empty"), "empty is empty, no backup of a datastore"),
        (("restore", "text", "--datastore", "new/x"), "text is damaged"),
        (("restore", SILENT), f"a backup is a file, and {SILENT} is none; 'datastore copy' copies from etcd"),
        (("restore", "store.db", "--overwrite"), "store.db is the datastore itself, and no backup of it"),
        (("copy", "store.db", "x"), "name both datastores: --from STORE --to STORE"),
        (("copy", "--from", "store.db", "--to", "./store.db", "--overwrite"), "store.db and ./store.db are one"),
        (("copy", "--from", SILENT, "--to", f"http://127.0.0.1:2,{SILENT}"), f"{SILENT} and http://127.0.0.1:2,"),
        (("copy", "--from", SILENT, "--to", "x"), f"etcd at {SILENT} does not answer"),
        (("copy", "--from", "half", "--to", "x"), "cannot open the datastore half: "),
        (
            ("copy", "--from", "store.db", "--to", "127.0.0.1:2379"),
            "is '127.0.0.1:2379' a server or a file? Write",
        ),
        (("copy", "--from", "store.db", "--to", "foo://x"), "'foo://x' is not the URL of an etcd server"),
        (("copy", "--from", "store.db", "--to", "text"), "cannot open the datastore text: file is not a database"),
        (("compact", "--datastore", "absent"), "there is no datastore at absent"),
        (("compact", "--revision", "2", "--datastore", "absent"), "there is no datastore at absent"),
        (("compact", "--revision", "0"), "--revision: there is no revision 0; the first one is 1"),
        (("compact", "--revision", "2", "--keep-days", "3"), "choose either --revision, or what is kept"),
        (("check", "--datastore", "absent"), "cannot open the datastore absent: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_refusals(store, tmp_path, words, text):
    """What cannot be done is told in one line that says what is wrong, and leaves no trace."""
    before = left(tmp_path)
    ran = store("datastore", *words)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(text)
    assert ran.err.count("\n") == 1
    assert left(tmp_path) == before


def test_a_good_backup_still_needs_leave(store, tmp_path):
    """Only where nothing else is wrong does a restore ask for --overwrite."""
    assert store("datastore", "backup", "saved").status == 0
    assert store("datastore", "restore", "saved").err == (
        f"there is a datastore at {tmp_path / 'store.db'}; --overwrite replaces it\n"
    )


def test_a_datastore_in_use_is_no_backup(store, tmp_path):
    """A file whose last changes are still in its log would lose them; a real backup has them all."""
    with SQLiteKeyValue(tmp_path / "used") as used:
        used.put("/a", b"1")
        ran = store("datastore", "restore", "used", "--overwrite")
        assert ran.err.startswith("used is a datastore in use, whose last changes are in used-wal: make a backup of it")
        assert store("datastore", "backup", "saved", "--datastore", "used").status == 0
    assert store("datastore", "restore", "saved", "--overwrite").status == 0
    with SQLiteKeyValue(tmp_path / "store.db") as restored:
        assert restored.get("/a").value == b"1"


def test_a_copy_is_one_file(store, tmp_path):
    """A new file is filled aside and put in its place; nothing lies beside it."""
    before = left(tmp_path)
    assert store("datastore", "copy", "--from", "store.db", "--to", "copy").status == 0
    assert left(tmp_path) - before == {"copy"}
    assert store("datastore", "check", "--datastore", "copy").status == 0


@pytest.mark.parametrize("target", ["new", "there"])
def test_a_copy_tells_who_made_it(store, tmp_path, target):
    """The history of what was copied begins with the command that copied it, into a new file or one that is there."""
    with SQLiteKeyValue(tmp_path / "there"):
        pass
    assert store("datastore", "copy", "--from", "store.db", "--to", target).status == 0
    with SQLiteKeyValue(tmp_path / target) as copied:
        assert copied.revision_writer(copied.revision).endswith(" (percale datastore copy)")


@pytest.mark.parametrize("words", [("backup", "x"), ("copy", "--from", "store.db", "--to", "x")], ids=" ".join)
def test_a_new_file_that_breaks_off_is_gone(store, tmp_path, monkeypatch, words):
    """Where a new file cannot be filled nothing is left, and nobody is told to copy over what is not there."""
    source = SQLiteKeyValue(tmp_path / "store.db")
    monkeypatch.setattr(datastore_backup, "open_keyvalue", lambda config: source)
    monkeypatch.setattr(datastore_backup, "datastore_config", lambda arguments: DatastoreConfig("etcdv3"))

    def full(store, *parts):
        raise StoreUnavailable(f"{store.path} is full")

    monkeypatch.setattr(SQLiteKeyValue, "txn", full)
    before = left(tmp_path)
    assert store("datastore", *words) == (1, "", "x is full\n")
    assert left(tmp_path) == before


def test_a_server_may_be_the_name_of_a_file(store, tmp_path):
    """A file of such a name that is there, or is named with its folder, is taken as it is."""
    assert store("datastore", "copy", "--from", "store.db", "--to", "./host:1").status == 0
    assert store("datastore", "check", "--datastore", "host:1").status == 0
