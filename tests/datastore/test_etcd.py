# SPDX-License-Identifier: Apache-2.0
"""What is particular to etcd: its processes, certificates, users, and large answers."""

from __future__ import annotations

import subprocess
import time

import pytest
from msgspec.structs import replace
from tests.datastore.etcd_load import wait_until
from tests.datastore.etcd_server import EXECUTABLE, EtcdServer

from percale.datastore.etcd import EtcdKeyValue, EtcdSettings, connection
from percale.datastore.etcd.messages import message
from percale.datastore.keyvalue import EVERYTHING, Put
from percale.errors import Compacted, Refused, StoreUnavailable, Unauthorized


@pytest.fixture
def server(tmp_path):
    """An etcd of the test's own, which it may stop."""
    with EtcdServer.serving(tmp_path) as started:
        yield started


def settings(*endpoints, **others):
    return EtcdSettings(endpoints, **{"timeout_s": 5.0, **others})


def next_events(watch):
    """Return the values of the next batch, whatever the watch complains of before."""
    while True:
        try:
            return [event.item.value for event in watch.poll(30).events]
        except StoreUnavailable:
            continue


class TestFailures:
    def test_nobody_listens(self):
        """An endpoint that does not answer is named, in seconds; the caller knows that nothing was done."""
        began = time.monotonic()
        with EtcdKeyValue(settings("http://127.0.0.1:1")) as store:
            for act in (lambda: store.get("/a"), lambda: store.put("/a", b"")):
                with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1") as error:
                    act()
                assert "not known" not in str(error.value)
        assert time.monotonic() - began < 60

    def test_second_endpoint_takes_over(self, server):
        """Where the first endpoint is dead the next one serves, for writes too."""
        with EtcdKeyValue(settings("http://127.0.0.1:1", server.endpoint)) as store:
            revision = store.put("/a", b"1")
            assert store.get("/a").mod_revision == revision
            assert store.statistics().retries == 1
            with store.watch("/a", start_revision=revision) as watch:
                assert watch.poll(10).events[0].item.value == b"1"

    def test_restart_under_a_watch(self, server):
        """A watch goes on where it was when the server comes back; nothing is lost or repeated."""
        with EtcdKeyValue(settings(server.endpoint)) as store, store.watch("/", EVERYTHING) as watch:
            store.put("/a", b"1")
            assert [event.item.value for event in watch.poll(10).events] == [b"1"]
            server.stop()
            with pytest.raises(StoreUnavailable):
                store.get("/a")
            server.start()
            server.wait_until_ready()
            store.put("/a", b"2")
            seen = []
            while len(seen) < 1:
                seen += [event.item.value for event in watch.poll(30).events]
            assert seen == [b"2"]

    def test_watch_of_a_dead_server(self, server, monkeypatch):
        """A watch whose server stays away says so; polled again it goes on where it was when the server is back."""
        monkeypatch.setattr("percale.datastore.etcd.watch._FAILURES", 3)
        with EtcdKeyValue(settings(server.endpoint)) as store, store.watch("/", EVERYTHING) as watch:
            store.put("/a", b"1")
            assert watch.poll(30).events
            server.stop()
            with pytest.raises(StoreUnavailable, match=r"does not answer: .*the watch goes on when it does"):
                list(watch)
            server.start()
            server.wait_until_ready()
            store.put("/a", b"2")
            assert next_events(watch) == [b"2"]
            assert store.statistics().retries >= 3

    def test_watch_of_a_closing_store(self, server):
        """A watch that is opened while another thread closes the store says that it has ended, and never just waits."""
        with EtcdKeyValue(settings(server.endpoint)) as store:
            store._connection.close()
            with store.watch("/a", start_revision=1) as watch, pytest.raises(StoreUnavailable, match="has ended"):
                watch.poll(60)

    def test_large_values_wait_in_etcd(self, server, monkeypatch):
        """What waits for a slow reader is bounded in bytes too, but for the batch that passes the bound."""
        monkeypatch.setattr("percale.datastore.etcd.watch._BYTES", 5_000_000)
        with EtcdKeyValue(settings(server.endpoint)) as store, store.watch("/", EVERYTHING) as watch:
            for number in range(40):
                store.put(f"/{number:02}", bytes(500_000))
            wait_until(watch._batches.full)
            sizes = [sum(len(event.item.value) for event in batch.events) for batch in watch._batches.queue]
            assert sum(sizes[:-1]) < 5_000_000 <= sum(sizes) + 100 < 40 * 500_000
            seen = []
            while len(seen) < 40:
                seen += [event.item.key for event in watch.poll(60).events]
        assert seen == [f"/{number:02}" for number in range(40)]

    def test_watch_says_that_a_server_is_silent(self, server, monkeypatch):
        """A server that stands still with its connections open is told of too, and the watch goes on afterwards."""
        monkeypatch.setattr("percale.datastore.etcd.watch._PROBE_S", 0.5)
        monkeypatch.setattr("percale.datastore.etcd.watch._SETTLED_S", 0.5)  # shorter than it takes to give up
        with EtcdKeyValue(settings(server.endpoint)) as store, store.watch("/a") as watch:
            store.put("/a", b"1")
            assert watch.poll(30).events
            server.pause()
            with pytest.raises(StoreUnavailable, match="silent; the watch goes on"):
                list(watch)
            server.go_on()
            server.wait_until_ready()
            store.put("/a", b"2")
            assert next_events(watch) == [b"2"]

    def test_write_with_a_lost_answer_is_not_repeated(self, server, monkeypatch):
        """Where etcd may have done a write, it is not done again, and the error says so."""
        calls = []

        class Lost(Exception):
            def code(self):
                return connection.grpc.StatusCode.UNAVAILABLE

            def details(self):
                return "connection reset by peer"

        with EtcdKeyValue(settings(server.endpoint)) as store:

            def lost(request, **_):
                calls.append(request)
                raise Lost

            monkeypatch.setattr(connection.grpc, "RpcError", Lost)
            monkeypatch.setattr(store._connection, "_stub", lambda method: lost)
            with pytest.raises(StoreUnavailable, match="not known"):
                store.put("/a", b"")
            assert len(calls) == 1
            with pytest.raises(StoreUnavailable):
                store.get("/a")
            assert len(calls) > 2

    def test_pauses_grow_and_vary(self):
        """Repetitions wait longer each time, up to a bound, and not all clients at once."""
        pauses = [connection.pause(attempt) for attempt in range(20)]
        assert all(pause <= 2.0 for pause in pauses)
        assert min(pauses[10:]) >= 1.0
        assert len(set(pauses[10:])) > 1


class TestSettings:
    def test_endpoints_are_required(self):
        """No endpoint is a mistake of the configuration."""
        with pytest.raises(Refused, match="no etcd endpoints"):
            EtcdSettings.of(" , ")

    @pytest.mark.parametrize("endpoint", ["ftp://x:1", "http://", "unix:///x"])
    def test_endpoint_must_be_a_url(self, endpoint):
        """Only http and https with a host are endpoints."""
        with pytest.raises(Refused):
            EtcdKeyValue(settings(endpoint))

    def test_missing_file(self, tmp_path):
        """A certificate that can't be read is named."""
        with pytest.raises(Refused, match="absent"):
            EtcdSettings.of("https://x:1", ca_certificate_file=str(tmp_path / "absent"))

    def test_key_and_certificate_come_together(self):
        """One without the other is refused."""
        with pytest.raises(Refused, match="both"):
            settings("https://x:1", key=b"k")

    def test_secrets_are_not_printed(self):
        """Neither the password nor the key appears in the text of the settings."""
        text = repr(settings("https://x:1", password="hidden", key=b"hidden", certificate=b"c"))
        assert "hidden" not in text


class TestLargeAnswers:
    def test_pages_are_put_together(self, server, monkeypatch):
        """A range of many pages is complete, ordered, and of one revision; a limit across pages holds."""
        monkeypatch.setattr("percale.datastore.etcd.store._PAGE", 10)
        with EtcdKeyValue(settings(server.endpoint)) as store:
            store.txn((), [Put(f"/{number:03}", b"") for number in range(95)])
            found = store.range("/", EVERYTHING)
            assert [item.key for item in found.items] == [f"/{number:03}" for number in range(95)]
            assert (len(store.range("/", EVERYTHING, limit=25).items), found.more) == (25, False)
            assert store.range("/", EVERYTHING, limit=25).more
            assert not store.range("/", EVERYTHING, limit=95).more

    def test_fragments_are_put_together(self, server):
        """One transaction larger than an answer of etcd's watch arrives as one batch."""
        with EtcdKeyValue(settings(server.endpoint)) as store:
            start = store.txn((), [Put(f"/{number}", bytes(10_000)) for number in range(100)]).revision
            store.txn((), [Put(f"/{number}", bytes(10_000)) for number in range(100)])
            with store.watch("/", EVERYTHING, start_revision=start, previous=True) as watch:
                batches = []
                while sum(map(len, batches)) < 200:
                    batches.append([event.item.mod_revision for event in watch.poll(30).events])
        assert [sorted(set(batch)) for batch in batches] in ([[start], [start + 1]], [[start, start + 1]])


def make_certificate(folder, name, *options):
    files = f"-keyout {name}.key -out {name}.pem"
    subprocess.run(
        [*f"openssl req -newkey rsa:2048 -nodes {files} -x509 -days 2 -subj /CN={name}".split(), *options],
        check=True,
        capture_output=True,
        cwd=folder,
    )


class TestSecurity:
    @pytest.fixture
    def encrypted(self, tmp_path):
        """An etcd that wants certificates, and the settings that satisfy it."""
        if EXECUTABLE is None:
            pytest.skip("etcd is not installed")
        make_certificate(tmp_path, "server", "-addext", "subjectAltName=IP:127.0.0.1")
        make_certificate(tmp_path, "client")
        started = EtcdServer(
            tmp_path,
            f"--cert-file={tmp_path / 'server.pem'}",
            f"--key-file={tmp_path / 'server.key'}",
            "--client-cert-auth",
            f"--trusted-ca-file={tmp_path / 'client.pem'}",
            scheme="https",
        )
        good = EtcdSettings.of(
            started.endpoint,
            key_file=str(tmp_path / "client.key"),
            certificate_file=str(tmp_path / "client.pem"),
            ca_certificate_file=str(tmp_path / "server.pem"),
        )
        try:
            started.wait_until_ready(good)
            yield good
        finally:
            started.stop()

    def test_mutual_certificates(self, encrypted):
        """With certificates on both sides everything works."""
        with EtcdKeyValue(encrypted) as store:
            revision = store.put("/a", b"1")
            with store.watch("/a", start_revision=revision) as watch:
                assert watch.poll(10).events[0].item.value == b"1"

    def test_server_must_be_known(self, encrypted):
        """A server of an unknown authority is refused, and so is a client without certificate."""
        for wrong in (replace(encrypted, ca_certificate=b""), replace(encrypted, key=b"", certificate=b"")):
            with EtcdKeyValue(replace(wrong, timeout_s=2.0)) as store, pytest.raises(StoreUnavailable):
                store.get("/a")

    def test_users(self, server):
        """With authentication on, a name and a password are needed; an expired token is renewed."""
        with EtcdKeyValue(settings(server.endpoint)) as store:
            enable_authentication(store)
        root = settings(server.endpoint, username="root", password="secret")
        with EtcdKeyValue(root) as store:
            revision = store.put("/a", b"1")
            store._connection._token = "expired.1"
            assert store.get("/a").value == b"1"
            with store.watch("/a", start_revision=revision) as watch:
                assert watch.poll(10).events[0].item.value == b"1"
        for wrong in (replace(root, password="wrong"), replace(root, username="", password="")):
            with EtcdKeyValue(wrong) as store, pytest.raises(Unauthorized) as error:
                store.get("/a")
            assert error.value.calico_text.startswith("connection is unauthorized")

    def test_user_of_calicos_keys_alone(self, server, monkeypatch):
        """A user who may use no other keys reads, writes, follows for long, and learns the border of history."""
        monkeypatch.setattr("percale.datastore.etcd.watch._ANSWERS_IN_TOUCH", 2)
        with EtcdKeyValue(settings(server.endpoint)) as store:
            enable_authentication(store, calico="secret")
        root = settings(server.endpoint, username="root", password="secret")
        with EtcdKeyValue(replace(root, username="calico")) as store:
            with store.watch("/calico/", "/calico0") as watch:
                for value in (b"1", b"2", b"3", b"4", b"5"):
                    store.put("/calico/a", value)
                    assert next_events(watch) == [value]
            newest = store.revision
            with EtcdKeyValue(root) as other:
                other.compact(newest)
            with pytest.raises(Compacted, match=str(newest)):
                store.get("/calico/a", revision=newest - 1)
            with pytest.raises(Unauthorized):
                store.get("/other")

    def test_forbidden_watch(self, server):
        """A watch that its user may not have says so at each poll."""
        with EtcdKeyValue(settings(server.endpoint)) as store:
            enable_authentication(store, calico="secret")
        user = settings(server.endpoint, username="calico", password="secret")
        with EtcdKeyValue(user) as store, store.watch("/other", start_revision=1) as watch:
            for _ in range(3):
                with pytest.raises(Unauthorized, match="permission denied"):
                    watch.poll(30)


def enable_authentication(store, **users):
    """Make a root user, and users of Calico's keys by their passwords, and switch authentication on by etcd's calls."""
    channel = store._connection._channels[0]

    def call(method, request):
        stub = channel.unary_unary(f"/etcdserverpb.Auth/{method}", lambda text: text, lambda text: text)
        stub(request, timeout=10)

    name = message("AuthenticateRequest")(name="root", password="secret").SerializeToString()
    call("UserAdd", name)
    call("RoleAdd", message("AuthenticateRequest")(name="root").SerializeToString())
    call("UserGrantRole", message("AuthenticateRequest")(name="root", password="root").SerializeToString())
    for user, password in users.items():
        call("UserAdd", message("AuthenticateRequest")(name=user, password=password).SerializeToString())
        call("RoleAdd", message("AuthenticateRequest")(name=user).SerializeToString())
        permission = b"\x08\x02\x12\x08/calico/\x1a\x08/calico0"  # READWRITE, key, range_end
        name = user.encode()
        call("RoleGrantPermission", bytes((10, len(name))) + name + bytes((18, len(permission))) + permission)
        call("UserGrantRole", message("AuthenticateRequest")(name=user, password=user).SerializeToString())
    call("AuthEnable", b"")
