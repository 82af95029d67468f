# SPDX-License-Identifier: Apache-2.0
"""Where the embedded store is looked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from percale.datastore import location
from percale.datastore.location import Location, locate, make_folder
from percale.errors import Refused, StoreUnavailable


@pytest.fixture
def system(tmp_path):
    return tmp_path / "lib" / "percale"


@pytest.fixture
def not_root(monkeypatch, system):
    """Answer questions about the system's folder as an ordinary user would get them."""
    real = location.os.access
    monkeypatch.setattr(
        location.os, "access", lambda path, mode: not str(path).startswith(str(system.parent)) and real(path, mode)
    )


def test_given_path_comes_first(system):
    """A path that is given wins over everything."""
    assert locate("/x/y", environment={"PERCALE_DATASTORE": "/z"}, system_folder=system) == Location(Path("/x/y"))


def test_environment_comes_second(system):
    """The variable names the file; empty is as good as unset."""
    assert locate(environment={"PERCALE_DATASTORE": "/z"}, system_folder=system).path == Path("/z")
    system.parent.mkdir()
    assert locate(environment={"PERCALE_DATASTORE": ""}, system_folder=system).path == system / "percale.db"


def test_system_wide_where_that_can_be_made(system):
    """Who may write there uses the machine's store, also before it exists."""
    system.parent.mkdir()
    assert locate(environment={}, system_folder=system) == Location(system / "percale.db")


def test_own_store_otherwise(system, not_root, tmp_path):
    """Who may not write there has a store in the XDG state folder, and no notice if the machine has none."""
    found = locate(environment={"XDG_STATE_HOME": str(tmp_path)}, system_folder=system)
    assert found == Location(tmp_path / "percale" / "percale.db")
    assert found.notice == ""


def test_relative_state_folder_is_ignored(system, not_root, monkeypatch):
    """A relative XDG path does not count."""
    monkeypatch.setenv("HOME", "/home/me")
    found = locate(environment={"XDG_STATE_HOME": "state"}, system_folder=system)
    assert found.path == Path("/home/me/.local/state/percale/percale.db")


def test_hidden_system_store_is_told(system, not_root, tmp_path):
    """A store of the machine that the user can't write is named in one line."""
    system.mkdir(parents=True)
    (system / "percale.db").touch()
    found = locate(environment={"XDG_STATE_HOME": str(tmp_path)}, system_folder=system)
    assert str(system / "percale.db") in found.notice
    assert str(found.path) in found.notice
    assert "\n" not in found.notice


def test_folder_is_private(tmp_path):
    """A folder made for the store is closed to others."""
    place = Location(tmp_path / "a" / "b" / "percale.db")
    make_folder(place)
    make_folder(place)
    assert stat.S_IMODE(place.path.parent.stat().st_mode) == 0o700


def test_impossible_folder(tmp_path):
    """Where no folder can be made the error names the file."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"percale\.db"):
        make_folder(Location(tmp_path / "file" / "percale.db"))


def test_vacant(tmp_path):
    """Only a path at which a file can be made, and none is, is vacant."""
    (tmp_path / "file").touch()
    assert Location(tmp_path / "a" / "percale.db").is_vacant
    assert not Location(tmp_path / "file").is_vacant
    assert not Location(tmp_path / "file" / "percale.db").is_vacant


def test_notice_of_a_vacant_place(tmp_path):
    """What is not there, what makes it, and what else the machine has are told in one line."""
    said = Location(tmp_path / "own", Path("/var/lib/percale/percale.db")).vacancy_notice
    assert said.startswith(f"there is no datastore at {tmp_path / 'own'} yet: apply or create makes one")
    assert said.endswith("; the one of this machine is /var/lib/percale/percale.db")
    assert "\n" not in said


def test_what_is_no_file_is_no_datastore(tmp_path):
    """Where something else is no file can be; nobody waits for a writer of a pipe."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="is a folder, and a datastore is a file"):
        locate(tmp_path)
    for path in ("/dev/null", tmp_path / "pipe"):
        with pytest.raises(Refused, match="is a device or a pipe"):
            locate(path)
