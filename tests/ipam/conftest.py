# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.datastore.etcd_server import EtcdServer
from tests.ipam.cluster import Cluster

from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keyvalue import EVERYTHING
from percale.datastore.sqlite import SQLiteKeyValue


@pytest.fixture(scope="session")
def etcd_endpoint(tmp_path_factory):
    """The URL of a real etcd; skips the test where it is not installed."""
    with EtcdServer.serving(tmp_path_factory.mktemp("etcd")) as server:
        yield server.endpoint


@pytest.fixture(params=["embedded", "etcd"])
def open_store(request, tmp_path):
    """Open an empty store of each kind; opening it again gives the same data."""
    if request.param == "embedded":
        return lambda: SQLiteKeyValue(tmp_path / "store.db")
    settings = EtcdSettings((request.getfixturevalue("etcd_endpoint"),))
    with EtcdKeyValue(settings) as store:
        store.delete("\0", EVERYTHING)
    return lambda: EtcdKeyValue(settings)


@pytest.fixture
def cluster(open_store):
    """Two nodes and a pool of each family on each kind of store."""
    made = Cluster(open_store())
    yield made
    made.store.close()
