# SPDX-License-Identifier: Apache-2.0
"""Moving from one store to another."""

from __future__ import annotations

import os
import shutil

import pytest

from percale.datastore.copying import BrokenOff, copy_store
from percale.datastore.keyvalue import EVERYTHING, Put
from percale.datastore.sqlite import SQLiteKeyValue
from percale.datastore.sqlite.backup import new_store
from percale.errors import Refused, StoreUnavailable


@pytest.fixture
def source():
    with SQLiteKeyValue(None) as opened:
        opened.txn((), [Put(f"/calico/{number:04}", b"%d" % number) for number in range(250)])
        opened.put("/other", b"")
        yield opened


def contents(store):
    return {item.key: item.value for item in store.range("/", EVERYTHING).items}


def test_same_keys_and_bytes(source, kv):
    """The target has what the source had, only of Calico."""
    done = copy_store(source, kv)
    assert contents(kv) == {key: value for key, value in contents(source).items() if key != "/other"}
    assert (done.keys, done.revision, done.leased) == (250, source.revision, 0)


def test_what_lives_by_a_lease_is_left_out(source, kv):
    """A key with a lease belongs to somebody who is still writing it."""
    source.put("/calico/alive", b"", lease=source.lease_grant(60))
    assert copy_store(source, kv).leased == 1
    assert kv.get("/calico/alive") is None


def test_target_must_be_empty(source, kv):
    """Keys that are there are not touched, unless they shall be replaced."""
    kv.put("/calico/mine", b"")
    kv.put("/else", b"")
    with pytest.raises(Refused):
        copy_store(source, kv)
    assert set(contents(kv)) == {"/calico/mine", "/else"}
    copy_store(source, kv, overwrite=True)
    assert len(contents(kv)) == 251


def test_copy_onto_itself_loses_nothing(kv):
    """Two names may lead to one store; what is replaced by itself is there afterwards."""
    kv.put("/calico/mine", b"1")
    assert copy_store(kv, kv, overwrite=True).keys == 1
    assert contents(kv) == {"/calico/mine": b"1"}


def test_silent_source_costs_the_target_nothing(kv):
    """Nothing is deleted for a source that cannot be read."""
    kv.put("/calico/mine", b"1")
    source = SQLiteKeyValue(None)
    source.close()
    with pytest.raises(StoreUnavailable):
        copy_store(source, kv, overwrite=True)
    assert contents(kv) == {"/calico/mine": b"1"}


def test_progress_is_told(source, kv):
    """The steps that are done only grow, and the last ones are all: each key is copied and compared."""
    told = []
    copy_store(source, kv, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (500, 500)
    assert any(0 < done < 250 for done, _ in told)


def test_second_writer_is_noticed(source, kv):
    """Somebody who writes into the target meanwhile spoils the copy, and that is told."""

    def interfere(done, _total):
        if 100 <= done < 200:
            kv.put("/calico/0200", b"mine")

    with pytest.raises(Refused):
        copy_store(source, kv, progress=interfere)


def test_one_moment_of_the_source(source, kv, monkeypatch):
    """What is written to the source during the copy is not half of it."""
    monkeypatch.setattr("percale.datastore.copying._PAGE", 100)
    copy_store(source, kv, progress=lambda done, total: source.delete("/calico/", "/calico0"))
    assert len(contents(kv)) == 250


class Failing(SQLiteKeyValue):
    """A store that takes some writes and then no more."""

    def __init__(self, path, writes):
        super().__init__(path)
        self._writes = writes

    def txn(self, *parts):
        self._writes -= 1
        if self._writes < 0:
            raise StoreUnavailable(f"{self.path} is full")
        return super().txn(*parts)


def test_copy_that_breaks_off(source):
    """Who has a part of a copy is told so, and how to go on; the fault itself is kept."""
    with Failing(None, 1) as target:
        with pytest.raises(BrokenOff, match=r"full\. The target holds a part of the copy now") as broken:
            copy_store(source, target)
        assert 0 < len(contents(target)) < 250
    assert str(broken.value.fault) == "None is full"


class TestNewStore:
    def test_has_its_place_at_the_end(self, source, tmp_path):
        """Until all is written nothing is at the target, and then only the file."""
        with new_store(tmp_path / "new") as target:
            copy_store(source, target)
            assert not (tmp_path / "new").exists()
        assert os.listdir(tmp_path) == ["new"]
        with SQLiteKeyValue(tmp_path / "new") as copied:
            assert len(contents(copied)) == 250
            assert copied.check() == []
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600

    def test_is_gone_after_a_fault(self, tmp_path):
        """What was begun leaves nothing, and the error speaks of the file that was wanted."""
        with pytest.raises(StoreUnavailable, match=f"^{tmp_path / 'new'} is full$"), new_store(tmp_path / "new") as it:
            raise StoreUnavailable(f"{it.path} is full")
        assert os.listdir(tmp_path) == []

    def test_replaces_nothing(self, tmp_path):
        """What is at the target is left alone, also if it came there meanwhile."""
        with pytest.raises(Refused, match="new exists already"), new_store(tmp_path / "new"):
            (tmp_path / "new").write_text("precious")
        with pytest.raises(Refused, match="new exists already"), new_store(tmp_path / "new"):
            pass
        assert (tmp_path / "new").read_text() == "precious"
        assert os.listdir(tmp_path) == ["new"]

    def test_log_of_another_file(self, source, tmp_path):
        """A log that was left when its datastore was deleted by hand is refused: SQLite would read it into the new."""
        with SQLiteKeyValue(tmp_path / "new") as old:
            old.put("/calico/old", b"1")
            shutil.copy(tmp_path / "new-wal", tmp_path / "kept")
        (tmp_path / "kept").rename(tmp_path / "new-wal")
        (tmp_path / "new").unlink()
        with pytest.raises(Refused, match="new-wal is the log of a datastore that is not there"):
            source.backup(tmp_path / "new")
        with pytest.raises(Refused, match="new-wal is the log"), new_store(tmp_path / "new") as target:
            copy_store(source, target)
        assert (tmp_path / "new-wal").stat().st_size > 0
