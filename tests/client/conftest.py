# SPDX-License-Identifier: Apache-2.0
"""A client on an empty, initialised store in memory, and the datastores of the contract suites."""

from __future__ import annotations

import pytest
from tests.datastore.conftest import clock, cluster, datastore, etcd, etcd_cluster, etcd_members, etcd_server, kv

from percale.client import open_client
from percale.datastore.sqlite import SQLiteKeyValue

__all__ = ["clock", "cluster", "datastore", "etcd", "etcd_cluster", "etcd_members", "etcd_server", "kv"]


@pytest.fixture
def client():
    with open_client(SQLiteKeyValue(None)) as opened:
        opened.initialise()
        yield opened
