# SPDX-License-Identifier: Apache-2.0
"""All endpoints of an etcd take connections and say nothing: who calls hears of it soon, however many they are.

What is judged is not the clock but the time that gRPC is given, which it keeps, and the pauses between.
"""

from __future__ import annotations

import socket
import threading

import pytest
from msgspec.structs import replace
from tests.datastore.etcd_server import EXECUTABLE, EtcdServer
from tests.datastore.test_etcd import enable_authentication

from percale.datastore.calico import CalicoDatastore
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keyvalue import EVERYTHING, KeyValue, Put
from percale.datastore.seams import Interrupted
from percale.datastore.syncer import DatastoreSyncer
from percale.errors import StoreUnavailable

TIMEOUT_S = 0.2
MOST_S = 2.25 * TIMEOUT_S
"""What EtcdSettings promises of a call: about twice its ``timeout_s``."""

ACTS = {
    "get": lambda store: store.get("/a"),
    "range": lambda store: store.range("/", EVERYTHING),
    "pages": lambda store: list(store.pages("/", EVERYTHING)),
    "put": lambda store: store.put("/a", b""),
    "txn": lambda store: store.txn((), (Put("/a", b""),)),
    "delete": lambda store: store.delete("/a"),
    "watch": lambda store: store.watch("/"),
    "lease_grant": lambda store: store.lease_grant(10),
    "lease_keepalive": lambda store: store.lease_keepalive(7),
    "lease_revoke": lambda store: store.lease_revoke(7),
    "compact": lambda store: store.compact(1),
    "revision": lambda store: store.revision,
    "statistics": lambda store: store.statistics(),
}
NO_CALLS = {
    "close",
    "max_operations",
    "keeps_times",
    "revision_time",
    "revision_at",
    "keeps_writers",
    "revision_writer",
}


class Spent:
    """How long the calls of a store were allowed to take, and it slept in between."""

    def __init__(self, store, monkeypatch):
        self.seconds = 0.0
        self.asked = []
        connection, stub = store._connection, store._connection._stub

        def noted(method):
            call = stub(method)

            def timed(request, *, timeout=None, metadata=()):
                self.seconds += timeout
                self.asked.append(connection.current)
                return call(request, timeout=timeout, metadata=metadata)

            return timed

        monkeypatch.setattr(connection, "_stub", noted)
        monkeypatch.setattr("percale.datastore.etcd.connection.time.sleep", self._sleep)

    def _sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def silent():
    """A function that returns the settings of so many endpoints where nobody answers."""
    sockets = []

    def make(number):
        sockets.extend(socket.create_server(("127.0.0.1", 0)) for _ in range(number))
        return EtcdSettings(tuple(f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets), timeout_s=TIMEOUT_S)

    yield make
    for each in sockets:
        each.close()


@pytest.fixture(scope="module")
def paused(tmp_path_factory):
    """A store that has been at work, with a token, until its three servers stood still; and its settings."""
    if EXECUTABLE is None:
        pytest.skip("etcd is not installed")
    servers = [EtcdServer(tmp_path_factory.mktemp("etcd")) for _ in range(3)]
    try:
        for server in servers:
            server.wait_until_ready()
            with EtcdKeyValue(EtcdSettings((server.endpoint,))) as plain:
                enable_authentication(plain)
        settings = EtcdSettings(tuple(server.endpoint for server in servers), username="root", password="secret")
        with EtcdKeyValue(replace(settings, timeout_s=TIMEOUT_S)) as store:
            for _ in servers:
                store._connection.forget_token()
                store.put("/a", b"")
                store._connection.fail_over()
            for server in servers:
                server.pause()
            yield store
    finally:
        for server in servers:
            server.stop()


@pytest.fixture(params=["token", "no token", "no user"])
def store(request, paused):
    """A store on three paused servers: one that was at work, a new one that has to authenticate, one that has not."""
    if request.param == "token":
        yield paused
        return
    user = {} if request.param == "no token" else {"username": "", "password": ""}
    with EtcdKeyValue(replace(paused._settings, **user)) as opened:
        yield opened


def test_every_act_is_tried():
    """The table holds all that a store can be asked for."""
    assert {name for name in dir(KeyValue) if not name.startswith("_")} == ACTS.keys() | NO_CALLS


@pytest.mark.parametrize("act", ACTS)
def test_each_call_ends(store, act, monkeypatch):
    """Each call on paused servers ends with a sentence after about twice the time that one of them has."""
    spent = Spent(store, monkeypatch)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        ACTS[act](store)
    assert 0 < spent.seconds <= MOST_S


@pytest.mark.parametrize(("number", "asked"), [(1, 1), (2, 2), (3, 3), (5, 5), (50, 5)])
def test_each_endpoint_is_asked(silent, number, asked, monkeypatch):
    """All endpoints get a chance in the same time, or at least some of very many; alone one has its usual time."""
    settings = replace(silent(number), timeout_s=0.6)
    with EtcdKeyValue(settings) as store:
        spent = Spent(store, monkeypatch)
        with pytest.raises(StoreUnavailable):
            store.get("/a")
        assert asked <= len(set(spent.asked)) <= number
        assert spent.seconds <= settings.timeout_s * (2.25 if number > 1 else 1)


@pytest.mark.parametrize("act", ["get", "put"])
def test_next_call_begins_elsewhere(silent, act, monkeypatch):
    """Each endpoint is the first in its turn, and so has its full time; a write is sent to no other."""
    with EtcdKeyValue(silent(3)) as store:
        for first in (0, 1, 2, 0):
            spent = Spent(store, monkeypatch)
            with pytest.raises(StoreUnavailable):
                ACTS[act](store)
            assert spent.asked == ([first] if act == "put" else [(first + step) % 3 for step in range(3)])


@pytest.mark.parametrize(("number", "tries"), [(1, 1), (2, 2), (7, 2)])
@pytest.mark.parametrize("user", ["", "root"])
def test_watch_tells_soon(silent, number, tries, user, monkeypatch):
    """The reader of a watch is told when two endpoints have been silent, not only when all have."""
    monkeypatch.setattr("percale.datastore.etcd.watch.pause", lambda failures: 60.0 * (failures >= 8))
    with EtcdKeyValue(replace(silent(number), username=user, password=user)) as store:
        spent = Spent(store, monkeypatch)
        with store.watch("/", start_revision=1) as watch, pytest.raises(StoreUnavailable, match="silent; the watch"):
            watch.poll(60)
        assert spent.seconds <= tries * TIMEOUT_S


@pytest.mark.parametrize("number", [1, 5])
def test_syncer_tells_soon(silent, number, monkeypatch):
    """The first step of a syncer says that it cannot follow; so the agent's status is true soon after its start."""
    with EtcdKeyValue(silent(number)) as store:
        spent = Spent(store, monkeypatch)
        with DatastoreSyncer(CalicoDatastore(store), ["WorkloadEndpoint"]) as syncer:
            [event] = syncer.step()
        assert isinstance(event, Interrupted)
        assert spent.seconds <= MOST_S


@pytest.mark.slow
@pytest.mark.timeout(150)  # with pauses that grow as gRPC has them it would take eight minutes
def test_a_lost_server_is_looked_for_often():
    """However long a server has been away, pauses between attempts to connect do not grow beyond seconds."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                seen.append(connection.getpeername())
                connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        with EtcdKeyValue(EtcdSettings((f"http://127.0.0.1:{listening.getsockname()[1]}",))) as store:
            while len(seen) < 12:
                with pytest.raises(StoreUnavailable):
                    store.get("/a")
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
