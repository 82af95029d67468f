# SPDX-License-Identifier: Apache-2.0
"""Faults of a real cluster: members killed and paused, no space, no trust, slow wires; nothing told is lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace
from tests.datastore.etcd_load import PATIENCE_S, Load, wait_until
from tests.datastore.etcd_server import EXECUTABLE, EtcdCluster, EtcdServer, make_certificates
from tests.datastore.test_etcd import enable_authentication

from percale.datastore.etcd import EtcdKeyValue, EtcdSettings, connection
from percale.datastore.etcd.messages import message
from percale.datastore.keyvalue import EVERYTHING
from percale.errors import Compacted, StoreUnavailable

SET = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {{name: offices}}\nspec: {{nets: [{}]}}\n"


@pytest.fixture
def load(etcd_cluster, monkeypatch):
    """Writes and a watch that are going on, and notice a silent server in seconds."""
    monkeypatch.setattr("percale.datastore.etcd.watch._PROBE_S", 0.5)
    with Load(replace(etcd_cluster.settings, timeout_s=2.0)) as going_on:
        going_on.goes_on()
        yield going_on


class TestMembers:
    def test_leader_killed(self, etcd_cluster, load):
        """The others elect a new leader; writes and the watch go on, and once more when the dead one is back."""
        etcd_cluster.leader().stop()
        load.goes_on()
        etcd_cluster.heal()
        load.goes_on()
        load.judge()

    @pytest.mark.parametrize("leads", [True, False])
    def test_member_paused(self, etcd_cluster, load, leads):
        """A member that stands still for a while delays what it was asked, no more."""
        member = etcd_cluster.leader() if leads else etcd_cluster.followers()[0]
        member.pause()
        load.goes_on()
        member.go_on()
        load.goes_on()
        load.judge()

    def test_every_member_killed_in_turn(self, etcd_cluster, load):
        """A rolling restart is invisible to the watch, and to the writer but for writes of unknown outcome."""
        for member in etcd_cluster.members:
            member.stop()
            load.goes_on(5)
            etcd_cluster.heal()
        load.goes_on()
        load.judge()

    def test_majority_lost(self, etcd_cluster, load):
        """With one member left nothing is answered, the error says so in a sentence; then all goes on."""
        for member in etcd_cluster.followers():
            member.stop()
        told = len(load.messages)
        wait_until(lambda: len(load.messages) > told)
        etcd_cluster.heal()
        load.goes_on()
        load.judge()

    def test_silent_server_is_left(self, etcd_cluster, monkeypatch):
        """A quiet watch on a member that stands still goes to another one; what happened meanwhile is not lost."""
        monkeypatch.setattr("percale.datastore.etcd.watch._PROBE_S", 0.5)
        member = etcd_cluster.followers()[0]
        others = tuple(each.endpoint for each in etcd_cluster.members if each is not member)
        with (
            EtcdKeyValue(replace(etcd_cluster.settings, endpoints=(member.endpoint, *others))) as store,
            store.watch("/", EVERYTHING) as watch,
            EtcdKeyValue(replace(etcd_cluster.settings, endpoints=others)) as other,
        ):
            other.put("/before", b"")
            assert [event.item.key for event in watch.poll(PATIENCE_S).events] == ["/before"]
            member.pause()
            other.put("/meanwhile", b"")
            assert [event.item.key for event in watch.poll(PATIENCE_S).events] == ["/meanwhile"]

    @pytest.mark.parametrize("fault", ["stop", "pause"])
    def test_reading_in_parts_goes_on_elsewhere(self, etcd_cluster, fault):
        """A member that fails while a large range is read is left; the parts are still those of one moment."""
        member = etcd_cluster.followers()[0]
        others = tuple(each.endpoint for each in etcd_cluster.members if each is not member)
        settings = replace(etcd_cluster.settings, endpoints=(member.endpoint, *others), timeout_s=1.0)
        with (
            EtcdKeyValue(settings) as store,
            EtcdKeyValue(replace(settings, endpoints=others, timeout_s=10.0)) as other,
        ):
            expected = [f"/{number:02}" for number in range(40)]
            for key in expected:
                other.put(key, b"old")
            found = []
            for part in store.pages("/", EVERYTHING, limit=4):
                if not found:
                    getattr(member, fault)()
                    other.delete("/00", "/20")
                found += [item.key for item in part.items]
            assert found == expected

    def test_lease_outlives_its_leader(self, etcd_cluster, cluster):
        """A lease is renewed while a leader dies; its keys stay."""
        lease = cluster.lease_grant(30)
        cluster.put("/leased", b"", lease=lease)
        etcd_cluster.leader().stop()
        assert cluster.lease_keepalive(lease) == 30
        assert cluster.get("/leased") is not None


class TestCompaction:
    def test_live_watch_is_not_disturbed(self, etcd_cluster, cluster, load):
        """Compactions up to the newest revision cost a watch that follows nothing."""
        for _ in range(5):
            cluster.compact(cluster.revision)
            load.goes_on(5)
        load.judge()

    def test_lost_history_is_told(self, etcd_cluster, cluster):
        """A watch whose server died, and whose history was compacted before it could go on, is told Compacted."""
        member = etcd_cluster.followers()[0]
        server, others = member.endpoint, {each.endpoint for each in etcd_cluster.members if each is not member}
        with (
            EtcdKeyValue(replace(etcd_cluster.settings, endpoints=(server,))) as store,
            EtcdKeyValue(replace(etcd_cluster.settings, endpoints=tuple(others))) as other,
            store.watch("/", EVERYTHING) as watch,
        ):
            other.put("/a", b"1")
            assert watch.poll(PATIENCE_S)
            member.stop()
            other.put("/a", b"2")
            other.delete("/a")
            border = other.revision
            other.compact(border)
            etcd_cluster.heal()
            with pytest.raises(Compacted) as error:
                watch.poll(PATIENCE_S)
            assert error.value.revision == border

    @pytest.fixture
    def streams(self, cluster, monkeypatch):
        """A list of the streams that the store has opened."""
        opened, stream = [], cluster._connection.stream

        def noted(*arguments):
            opened.append(stream(*arguments))
            return opened[-1]

        monkeypatch.setattr(cluster._connection, "stream", noted)
        return opened

    def test_slow_reader_holds_little(self, cluster, streams):
        """A watch that nobody reads keeps a bounded number of batches; all comes in order later, on a new stream.

        For etcd may have stopped to follow for the old one, and then does not tell of each compaction.
        """
        with cluster.watch("/", EVERYTHING) as watch:
            for number in range(400):
                cluster.put(f"/{number:04}", bytes(1000))
            wait_until(watch._batches.full)
            assert (watch._batches.qsize(), len(streams)) == (100, 1)
            seen = []
            while len(seen) < 400:
                seen += [event.item.key for event in watch.poll(PATIENCE_S).events]
        assert seen == [f"/{number:04}" for number in range(400)]
        assert len(streams) > 1

    @pytest.mark.parametrize(("at_once", "expected"), [(200, 1), (100, 2)])
    def test_history_in_pieces(self, cluster, streams, monkeypatch, at_once, expected):
        """After as much history as etcd reads in one go a new stream begins: between two goes a compaction hides."""
        monkeypatch.setattr("percale.datastore.etcd.watch._REVISIONS_AT_ONCE", at_once)
        first = cluster.put("/0", b"")
        for _ in range(150):
            last = cluster.put("/0", b"")
        with cluster.watch("/", EVERYTHING, start_revision=first) as watch:
            seen = []
            while seen[-1:] != [last]:
                seen += [event.item.mod_revision for event in watch.poll(PATIENCE_S).events]
            last = cluster.put("/0", b"")
            assert watch.poll(PATIENCE_S).events[0].item.mod_revision == last
        assert seen == list(range(first, last))
        assert len(streams) == expected


class TestSpace:
    def test_no_space(self, tmp_path):
        """A full etcd refuses writes with what to do; reads and deletes work, and after it was done writes again."""
        if EXECUTABLE is None:
            pytest.skip("etcd is not installed")
        server = EtcdServer(tmp_path, f"--quota-backend-bytes={2 << 20}")
        try:
            server.wait_until_ready()
            with EtcdKeyValue(EtcdSettings((server.endpoint,))) as store, store.watch("/", EVERYTHING) as watch:
                store.put("/first", b"")
                assert watch.poll(PATIENCE_S)  # it follows, so no compaction disturbs it
                written, text = fill(store, "/big")
                assert re.fullmatch(
                    r"etcd at \S+ has no space left [^\n]*NOSPACE[^\n]*: compact [^\n]* not known", text
                )
                stored = store.get("/big").version
                assert stored in (written, written + 1)  # the last one was made or not: the error says so
                store.delete("/big")
                store.compact(store.revision)
                make_room(store)
                last = store.put("/after", b"")
                revisions = []
                while not revisions or revisions[-1] < last:
                    revisions += [event.item.mod_revision for event in watch.poll(PATIENCE_S).events]
                assert revisions == list(range(last - stored - 1, last + 1))
        finally:
            server.stop()


def fill(store, key):
    """Write until the store has had enough; return how often that was, and the error's text."""
    for written in range(100):
        try:
            store.put(key, bytes(100_000))
        except StoreUnavailable as error:
            return written, str(error)
    raise AssertionError("there is always more space")


def make_room(store):
    """Defragment a server and disarm its alarm, by etcd's own calls."""
    channel = store._connection._channels[0]
    member = store._connection.call("Status", message("StatusRequest")()).header.member_id
    for method, request in (
        ("Defragment", b""),
        # AlarmRequest: action=1 (2: disarm), memberID=2 (as in a header), alarm=3 (1: NOSPACE)
        ("Alarm", b"\x08\x02" + message("ResponseHeader")(member_id=member).SerializeToString() + b"\x18\x01"),
    ):
        stub = channel.unary_unary(f"/etcdserverpb.Maintenance/{method}", lambda text: text, lambda text: text)
        stub(request, timeout=10)


class TestTokens:
    @pytest.fixture
    def guarded(self, tmp_path):
        """A server with authentication whose tokens last a second, and the settings of its root user."""
        with EtcdServer.serving(tmp_path, "--auth-token-ttl=1") as server:
            plain = EtcdSettings((server.endpoint,))
            with EtcdKeyValue(plain) as store:
                enable_authentication(store)
            yield server, replace(plain, username="root", password="secret")

    def test_expired_token(self, guarded):
        """Neither a call nor a watch, old or new, notices that the token has expired."""
        _, settings = guarded
        with (
            EtcdKeyValue(settings) as store,
            store.watch("/", EVERYTHING) as watch,
            EtcdKeyValue(settings) as other,
        ):
            lease = store.lease_grant(60)
            start = other.put("/before", b"")
            wait_until_expired(settings, store._connection._token, other._connection._token)
            with other.watch("/", EVERYTHING, start_revision=start) as second:
                assert second.poll(PATIENCE_S).revision == start
            revision = store.put("/a", b"", lease=lease)
            seen = []
            while seen[-1:] != [revision]:
                seen += [event.item.mod_revision for event in watch.poll(PATIENCE_S).events]
        assert seen == [start, revision]

    def test_watch_with_a_lost_token(self, guarded):
        """A watch goes on over a restart of the server, which forgets all tokens."""
        server, settings = guarded
        with EtcdKeyValue(settings) as store, store.watch("/", EVERYTHING) as watch:
            first = store.put("/a", b"")
            assert watch.poll(PATIENCE_S).revision == first
            server.stop()
            server.start()
            server.wait_until_ready(settings)
            second = store.put("/a", b"")
            assert watch.poll(PATIENCE_S).events[0].item.mod_revision == second


def wait_until_expired(settings, *tokens):
    """Return when the server does not know any of some tokens any more."""
    other = connection.EtcdConnection(replace(settings, username="", password=""))
    stub = other._stub("Range")

    def expired(token):
        try:
            stub(message("RangeRequest")(key=b"/"), timeout=5, metadata=(("token", token),))
        except connection.grpc.RpcError as error:
            return "invalid auth token" in error.details()
        return False

    def all_expired():
        time.sleep(2.1)  # looking at a token earlier would renew it
        return sum(map(expired, tokens)) == len(tokens)

    wait_until(all_expired)
    other.close()


class TestTrust:
    def test_wrong_authority(self, etcd_cluster, tmp_path):
        """A server of another authority is refused with one sentence that names the certificate."""
        make_certificates(tmp_path)
        wrong = replace(etcd_cluster.settings, ca_certificate=(tmp_path / "ca.pem").read_bytes())
        with EtcdKeyValue(wrong) as store, pytest.raises(StoreUnavailable) as error:
            store.get("/a")
        assert re.match(
            r"the certificate of etcd at https://\S+, .* is not accepted: [^\n]*check the CA", str(error.value)
        )

    def test_wrong_name(self, etcd_cluster):
        """A server whose certificate is for another name is refused the same way."""
        endpoints = tuple(member.endpoint.replace("127.0.0.1", "localhost") for member in etcd_cluster.members)
        with (
            EtcdKeyValue(replace(etcd_cluster.settings, endpoints=endpoints)) as store,
            pytest.raises(StoreUnavailable) as error,
        ):
            store.get("/a")
        assert re.match(r"the certificate of etcd at https://localhost:\S+, .* is not accepted: ", str(error.value))
        assert "\n" not in str(error.value)

    def test_unknown_client(self, etcd_cluster, tmp_path):
        """A client with a certificate of another authority gets one sentence, and nothing else."""
        make_certificates(tmp_path)
        key, certificate = ((tmp_path / f"client.{kind}").read_bytes() for kind in ("key", "pem"))
        with (
            EtcdKeyValue(replace(etcd_cluster.settings, key=key, certificate=certificate)) as store,
            pytest.raises(
                StoreUnavailable, match=r"does not accept this client: .*check the client certificate"
            ) as error,
        ):
            store.put("/a", b"")
        assert "\n" not in str(error.value)


@pytest.mark.kernel
class TestWires:
    def test_slow_network(self, netns, tmp_path):
        """Over a congested wire all takes longer, and is complete."""
        if EXECUTABLE is None:
            pytest.skip("etcd is not installed")
        netns.run("ip", "link", "set", "lo", "up", "mtu", "1500")
        cluster = EtcdCluster(tmp_path)
        try:
            congest(netns)
            # A process of its own, because the threads of gRPC stay in the namespace that they began in.
            done = subprocess.run(
                [sys.executable, "-m", "tests.datastore.etcd_load", cluster.place, "20"],
                capture_output=True,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                timeout=4 * PATIENCE_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            dropped, delayed = wire_statistics(netns)
            print(done.stdout.strip(), f"{dropped} packets dropped, {delayed} delayed")
            assert dropped + delayed
        finally:
            cluster.stop()


def congest(netns):
    """Make the loopback slow and lossy: by netem where the kernel has it, else by a narrow wire with a short queue."""
    for discipline in ("netem delay 50ms 20ms loss 1%", "tbf rate 2mbit burst 4kb limit 24kb"):
        try:
            netns.run(*f"tc qdisc add dev lo root {discipline}".split())
        except AssertionError:
            continue
        return
    pytest.skip("this kernel has neither netem nor tbf to slow a network down")


def wire_statistics(netns):
    """Return how many packets were dropped, and how many had to wait, as far as the kernel counts."""
    text = netns.run("tc", "-s", "qdisc", "show", "dev", "lo")
    return int(re.search(r"dropped (\d+)", text)[1]), int(re.search(r"overlimits (\d+)", text)[1])


class TestCommand:
    def test_get_watch_while_a_member_dies(self, etcd_cluster, tmp_path):
        """``get -w`` shows each change once, whichever member dies."""
        environment = {name: value for name, value in os.environ.items() if "ETCD" not in name}
        environment |= etcd_cluster.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}

        def percale(*words, **options):
            return subprocess.Popen(
                [sys.executable, "-m", "percale.cli", *words],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                **options,
            )

        def change(net):
            (tmp_path / "set.yaml").write_text(SET.format(net))
            with percale("apply", "-f", str(tmp_path / "set.yaml")) as done:
                done.communicate(timeout=PATIENCE_S)
            assert done.returncode == 0

        change("192.0.2.0/24")
        with percale("get", "globalnetworkset", "-w") as watching:
            try:
                lines = [watching.stdout.readline().split() for _ in range(2)]
                for number, member in enumerate(etcd_cluster.members[:2]):
                    member.stop()
                    etcd_cluster.leader()
                    change(f"192.0.2.{number}/32")
                    lines.append(watching.stdout.readline().split())
                    etcd_cluster.heal()
            finally:
                watching.kill()
        assert lines == [["EVENT", "NAME"], ["ADDED", "offices"], ["MODIFIED", "offices"], ["MODIFIED", "offices"]]
