# SPDX-License-Identifier: Apache-2.0
"""One real etcd with percale on it, and its peers."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from tests.command_line import Ran, command_lines
from tests.datastore.etcd_server import EtcdServer
from tests.interoperation.openstack import OpenStack, Unavailable, interpreter

from percale.client import open_client
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keyvalue import EVERYTHING


@pytest.fixture(scope="session")
def etcd_server(tmp_path_factory):
    """One real etcd for all tests of this folder; skips them where it is not installed."""
    with EtcdServer.serving(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture
def keyvalue(etcd_server):
    """The server, emptied."""
    with EtcdKeyValue(EtcdSettings((etcd_server.endpoint,))) as opened:
        opened.delete("\0", EVERYTHING)
        yield opened


@pytest.fixture
def client(keyvalue):
    """The library on that etcd."""
    opened = open_client(keyvalue)
    opened.initialise()
    return opened


@pytest.fixture
def percale(client, etcd_server, tmp_path, monkeypatch, capsys) -> Callable[..., Ran]:
    """Run command lines on that etcd."""
    for name in ("PERCALE_DATASTORE", "KUBECONFIG", "PERCALE_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATASTORE_TYPE", "etcdv3")
    monkeypatch.setenv("ETCD_ENDPOINTS", etcd_server.endpoint)
    monkeypatch.chdir(tmp_path)

    return command_lines(capsys)


@pytest.fixture(scope="session")
def openstack_python(request):
    """An interpreter that has Calico's OpenStack code; skips the tests where it cannot be had."""
    try:
        return interpreter(request.config.cache.mkdir("openstack"))
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def openstack(openstack_python, keyvalue, etcd_server):
    """Calico's OpenStack code at work on that etcd."""
    peer = OpenStack(openstack_python, etcd_server.endpoint)
    try:
        yield peer
    finally:
        peer.close()


@pytest.fixture
def etcdctl():
    """The path of etcd's own command line; skips the test where it is not installed."""
    found = shutil.which("etcdctl")
    if found is None:
        pytest.skip("etcdctl is not installed (Debian: etcd-client)")
    return found
