# SPDX-License-Identifier: Apache-2.0
"""Commands that only read, where no datastore is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

READING = [
    ("get", "tiers"),
    ("get", "tier", "default", "--revision", "4", "-o", "custom-columns=NAME"),
    ("get", "wep", "-A", "-o", "wide"),
    ("get", "wep", "nobody"),
    ("get", "-f", "set.yaml"),
    ("history", "globalnetworkset", "offices"),
    ("diff", "--from", "5"),
    ("diff", "-f", "set.yaml"),
    ("explain", "tcp", "192.0.2.1", "to", "host@n1:80"),
    ("ipam", "show"),
    ("ipam", "check"),
    ("version",),
    ("apply", "-f", "set.yaml", "--dry-run"),
    ("datastore", "migrate", "export"),
]
SET = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: offices}\n"


@pytest.fixture
def folder(tmp_path):
    """The folder of the calls, with a document and nothing else."""
    (tmp_path / "set.yaml").write_text(SET)
    return tmp_path


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_reading_makes_nothing(percale, folder, words, monkeypatch):
    """Who reads where nothing is gets the answer of a new datastore, is told so, and leaves no file."""
    ran = percale(*words)
    assert os.listdir(folder) == ["set.yaml"]
    said = f"there is no datastore at {folder / 'store.db'} yet: apply or create makes one, and so does the agent\n"
    assert ran.err.startswith(said)
    monkeypatch.setenv("PERCALE_DATASTORE", str(folder / "new.db"))
    assert percale("datastore", "migrate", "unlock").status == 0
    assert percale(*words) == ran._replace(err=ran.err.removeprefix(said))


def test_a_fault_of_the_command_comes_alone(percale):
    """A word that means nothing is a fault whether there is a datastore or not."""
    assert "no datastore" not in percale("get", "tears").err


def test_what_is_in_the_way_is_told(percale, folder):
    """A path that can never hold a file is no absent datastore."""
    ran = percale("get", "tiers", "--datastore", "set.yaml/store.db")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "cannot open the datastore set.yaml/store.db: Not a directory\n"


def test_writing_makes_the_file(percale, folder):
    """The first change makes the datastore, without a word."""
    assert percale("apply", "-f", "set.yaml").err == ""
    assert percale("get", "globalnetworksets").err == ""
    assert (folder / "store.db").exists()


def test_following_makes_the_file(folder):
    """Who follows changes waits for those of a datastore that is there, so that it is made."""
    environment = os.environ | {"PERCALE_DATASTORE": "store.db", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "percale.cli", "get", "tiers", "-w"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder) as following:
        heading = following.stdout.readline().split()
        following.kill()
    assert heading == ["EVENT", "NAME", "ORDER"]
    assert (folder / "store.db").exists()
