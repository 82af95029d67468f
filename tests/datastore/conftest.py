# SPDX-License-Identifier: Apache-2.0
"""Every KeyValue that the contract suites run on."""

from __future__ import annotations

import shutil

import pytest
from tests.datastore.etcd_server import EXECUTABLE, EtcdCluster, EtcdServer

from percale.datastore.calico import CalicoDatastore
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keyvalue import EVERYTHING
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


@pytest.fixture(scope="session")
def etcd_server(tmp_path_factory):
    """One real etcd for all tests; skips them where it is not installed."""
    with EtcdServer.serving(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture
def etcd(etcd_server):
    """The server, emptied."""
    with EtcdKeyValue(EtcdSettings((etcd_server.endpoint,))) as opened:
        opened.delete("\0", EVERYTHING)
        yield opened


@pytest.fixture(scope="session")
def etcd_members(tmp_path_factory):
    """Three real members over TLS for all tests; skips them where etcd or openssl is not installed."""
    if EXECUTABLE is None or shutil.which("openssl") is None:
        pytest.skip("etcd or openssl is not installed")
    started = EtcdCluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def etcd_cluster(etcd_members):
    """The three members, all of them running and empty, whatever a test did to them."""
    etcd_members.heal()
    with EtcdKeyValue(etcd_members.settings) as opened:
        opened.delete("\0", EVERYTHING)
    return etcd_members


@pytest.fixture
def cluster(etcd_cluster):
    """The cluster as a store."""
    with EtcdKeyValue(etcd_cluster.settings) as opened:
        yield opened


@pytest.fixture(params=["file", "memory"])
def embedded(request, tmp_path, clock):
    """The embedded store of each kind, with a clock that tests move."""
    path = tmp_path / "store" if request.param == "file" else None
    with SQLiteKeyValue(path, clock=clock) as opened:
        yield opened


@pytest.fixture(params=["file", "memory", "etcd", "cluster"])
def kv(request, tmp_path, clock):
    """An empty store of each kind."""
    if request.param in ("etcd", "cluster"):
        yield request.getfixturevalue(request.param)
        return
    path = tmp_path / "store" if request.param == "file" else None
    with SQLiteKeyValue(path, clock=clock) as opened:
        yield opened


@pytest.fixture
def store(tmp_path):
    """The embedded store in a file."""
    with SQLiteKeyValue(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def datastore(kv, clock):
    """Calico's layout over each kind of store."""
    return CalicoDatastore(kv, clock=clock)
