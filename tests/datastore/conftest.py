# SPDX-License-Identifier: Apache-2.0
"""Every KeyValue that the contract suites run on."""

from __future__ import annotations

import pytest

from percale.datastore.calico import CalicoDatastore
from percale.datastore.sqlite import SQLiteKeyValue


class Clock:
    """Time that only moves when a test says so."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["file", "memory"])
def kv(request, tmp_path, clock):
    """An empty store of each kind."""
    path = tmp_path / "store" if request.param == "file" else None
    with SQLiteKeyValue(path, clock=clock) as store:
        yield store


@pytest.fixture
def store(tmp_path):
    """The embedded store in a file."""
    with SQLiteKeyValue(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def datastore(kv, clock):
    """Calico's layout over each kind of store."""
    return CalicoDatastore(kv, clock=clock)
