# SPDX-License-Identifier: Apache-2.0
"""The contract of an informer, on every datastore: a local copy that is always one revision, and says which."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading

import pytest
from tests.client.documents import network_set, tier
from tests.client.faulty import Faulty
from tests.datastore.etcd_server import EtcdServer

from percale.client import Client
from percale.datastore.calico import CalicoDatastore
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keys import resource_path
from percale.datastore.revision import NumberRevision
from percale.errors import NotFound, NotSupported, StoreUnavailable, ValidationError
from percale.resources import Key, NetworkSet, NetworkSetSpec, Tier
from percale.selectors import SelectorError

WAIT_S = 60
"""So long a test waits for what must come; never a measure."""


@pytest.fixture
def faulty(datastore):
    """The datastore, which can be made to fail."""
    return Faulty(datastore)


@pytest.fixture
def client(faulty):
    """A client of it."""
    return Client(faulty)


@pytest.fixture
def sets(client):
    """An informer of network sets that has read the empty datastore."""
    with client.network_sets.informer() as informer:
        informer.wait_synced(WAIT_S)
        yield informer


def key(name, namespace="ns1"):
    return Key("NetworkSet", namespace, name)


def version(resource):
    return resource.metadata.resource_version


def names(resources):
    return [resource.name for resource in resources]


def same(informer, listed):
    return {each.key: each for each in informer} == {each.key: each for each in listed}


class Story:
    """What handlers were told, as words, and the state that follows from it."""

    def __init__(self, informer=None):
        self.calls = queue.Queue()
        self.state = {}
        self.threads = set()
        if informer is not None:
            informer.handle(added=self.added, changed=self.changed, deleted=self.deleted)

    def added(self, new):
        assert new.key not in self.state
        self._note("added", new, new)

    def changed(self, old, new):
        assert self.state[new.key] == old != new
        self._note("changed", new, new)

    def deleted(self, last):
        assert self.state[last.key] == last
        self._note("deleted", last, None)

    def _note(self, word, shown, new):
        self.threads.add(threading.current_thread().name)
        self.state[shown.key] = new
        if new is None:
            del self.state[shown.key]
        self.calls.put((word, shown.name, *shown.spec.nets))

    def next(self, count=1):
        return [self.calls.get(timeout=WAIT_S) for _ in range(count)]


def eventually(informer, done):
    """Wait until something holds of an informer; it is looked at whenever the informer changes."""
    with informer._changed:
        assert informer._changed.wait_for(done, WAIT_S)


class TestReading:
    def test_first_list(self, client):
        """What is there is listed, and the revision is the list's."""
        stored = client.network_sets.apply(network_set("a", "192.0.2.1/32"))
        with client.network_sets.informer() as sets:
            sets.wait_synced(WAIT_S)
            assert (list(sets), len(sets), sets.behind) == ([stored], 1, "")
            assert sets.revision == client.list("NetworkSet").revision

    def test_before_the_first_list(self, client, faulty):
        """Until the first list is complete there is nothing, no revision, and a reason."""
        faulty.fault = "away"
        with client.network_sets.informer() as sets:
            eventually(sets, lambda: sets.behind == "away")
            assert (len(sets), sets.revision, sets.snapshot().revision) == (0, None, None)
            with pytest.raises(NotFound):
                sets.get("a", "ns1")
            faulty.fault = ""
            assert sets.wait_synced(WAIT_S).revision is not None

    def test_own_writes(self, client, sets):
        """What was written is there when its version was waited for."""
        first = client.network_sets.create(network_set("a", "192.0.2.1/32"))
        sets.wait_for(version(first), WAIT_S)
        assert sets.get("a", "ns1") == first
        second = client.network_sets.update(first.replace(spec=NetworkSetSpec(nets=("192.0.2.2/32",))))
        assert sets.wait_for(version(second), WAIT_S).get("a", "ns1") == second

    def test_deletes(self, client, sets):
        """To wait for all that was written until now covers a delete, which has no version of its own."""
        client.network_sets.create(network_set("a"))
        client.network_sets.delete("a", "ns1")
        assert list(sets.wait_current(WAIT_S)) == []

    def test_revision_of_something_else(self, client, sets):
        """A revision in which only another kind changed is reached too, even where the watch does not tell of it."""
        client.create(network_set("a"))
        stored = client.create(tier("t1"))
        assert names(sets.wait_for(version(stored), WAIT_S)) == ["a"]
        assert sets.revision.is_at_or_after(NumberRevision(int(version(stored))))

    def test_future(self, client, sets, faulty):
        """A revision that the datastore has not reached is waited for in vain, said so, and costs no lists."""
        client.create(network_set("a"))
        sets.wait_current(WAIT_S)
        resyncs = sets.statistics().resyncs
        future = str(int(str(sets.revision)) + 5)
        with pytest.raises(StoreUnavailable, match=rf"revision {future} is not known after 1.5 s, only revision \d+; "):
            sets.wait_for(future, 1.5)
        assert sets.statistics().resyncs == resyncs
        with pytest.raises(ValidationError):
            sets.wait_for("soon")

    def test_wait_border(self, sets):
        """The revision that is known is not waited for, the next one is."""
        known = int(str(sets.revision))
        assert sets.wait_for(str(known), 0).revision == sets.revision
        with pytest.raises(StoreUnavailable):
            sets.wait_for(str(known + 1), 0)

    def test_snapshot_stays(self, client, sets):
        """A snapshot is a value: it does not follow."""
        first = client.network_sets.create(network_set("a"))
        before = sets.wait_for(version(first), WAIT_S).snapshot()
        client.network_sets.delete("a", "ns1")
        assert list(sets.wait_current(WAIT_S)) == []
        assert (list(before), len(before), before.get("a", "ns1")) == ([first], 1, first)
        assert sets.snapshot() is sets.snapshot()

    def test_choice(self, client):
        """Namespace, name and prefix choose as they do for a list."""
        for namespace, name in (("ns1", "ab"), ("ns1", "abc"), ("ns1", "b"), ("ns2", "ab"), ("ns1-a", "ab")):
            client.create(network_set(name, namespace=namespace))
        choices = [
            {"namespace": "ns1"},
            {"namespace": "ns1", "name": "ab"},
            {"name": "ab"},
            {"name": "ab", "prefix": True},
            {"namespace": "ns1", "name": "ab", "prefix": True},
        ]
        with contextlib.ExitStack() as stack:
            informers = [stack.enter_context(client.network_sets.informer(**choice)) for choice in choices]
            for informer in informers:
                informer.wait_synced(WAIT_S)
            for namespace, name in (("ns1", "abd"), ("ns2", "abd"), ("ns2", "c")):
                client.create(network_set(name, namespace=namespace))
            client.delete("NetworkSet", "ab", "ns1")
            for choice, informer in zip(choices, informers, strict=True):
                informer.wait_current(WAIT_S)
                assert same(informer, client.list("NetworkSet", **choice).items), choice
            assert informers[0].get("b").namespace == "ns1"
            with pytest.raises(NotFound):
                informers[2].get("abc")

    def test_labels(self, client, sets):
        """A list can be narrowed by namespace and by a selector over labels, and is in order of names."""
        for name, role in (("c", "web"), ("a", "web"), ("b", "db")):
            client.create(network_set(name, labels={"role": role}))
        client.create(network_set("d", namespace="ns2", labels={"role": "web"}))
        sets.wait_current(WAIT_S)
        assert names(sets.list(selector="role == 'web'")) == ["a", "c", "d"]
        assert names(sets.list("ns1", selector="role == 'web'")) == ["a", "c"]
        assert names(sets) == ["a", "b", "c", "d"]
        with pytest.raises(SelectorError):
            sets.list(selector="role ==")

    def test_virtual_profile(self, client):
        """An informer of profiles shows what a list shows, the profile that is never stored included."""
        with client.profiles.informer() as profiles:
            profiles.wait_synced(WAIT_S)
            assert same(profiles, client.profiles.list())
            assert profiles.get("projectcalico-default-allow").spec.ingress

    def test_unreadable(self, client, datastore, sets, caplog):
        """What cannot be read counts as absent and is a problem until it is good again; the rest goes on."""
        story = Story(sets)
        stored = client.create(network_set("a", "192.0.2.1/32"))
        assert story.next() == [("added", "a", "192.0.2.1/32")]
        revision = datastore.keyvalue.put(resource_path(key("a")), b"{not json")
        client.create(network_set("b"))
        assert story.next(2) == [("deleted", "a", "192.0.2.1/32"), ("added", "b")]
        assert [problem.subject for problem in sets.problems] == ["NetworkSet(ns1/a)"]
        assert "NetworkSet(ns1/a) counts as absent" in caplog.text
        assert same(sets, client.network_sets.list())
        datastore.update(stored.with_metadata(resource_version=str(revision)))
        assert story.next() == [("added", "a", "192.0.2.1/32")]
        assert sets.problems == ()

    def test_unreadable_in_the_first_list(self, client, datastore):
        """Junk does not stop the first list, and its deletion ends the problem."""
        datastore.keyvalue.put(resource_path(key("junk")), b"")
        with client.network_sets.informer() as sets:
            assert len(sets.wait_synced(WAIT_S).problems) == 1
            datastore.keyvalue.delete(resource_path(key("junk")))
            assert sets.wait_current(WAIT_S).problems == ()


class TestHandlers:
    def test_one_after_the_other(self, client, sets):
        """Handlers are told what becomes, changes and goes, in order and from one thread."""
        story = Story(sets)
        first = client.create(network_set("a"))
        assert story.next() == [("added", "a")]
        client.update(first.replace(spec=NetworkSetSpec(nets=("192.0.2.2/32",))))
        assert story.next() == [("changed", "a", "192.0.2.2/32")]
        client.create(network_set("b"))
        client.delete(NetworkSet, "a", "ns1")
        assert story.next(2) == [("added", "b"), ("deleted", "a", "192.0.2.2/32")]
        assert len(story.threads) == 1
        assert sets.statistics().told == 4

    def test_late_handlers(self, client, sets):
        """Who asks later is told first what is there; who asked before is not told again."""
        story = Story(sets)
        client.create(network_set("a"))
        client.create(network_set("b"))
        story.next(2)
        late = Story(sets)
        assert sorted(late.next(2)) == [("added", "a"), ("added", "b")]
        client.delete(NetworkSet, "a", "ns1")
        assert story.next() == late.next() == [("deleted", "a")]
        assert story.calls.empty()

    def test_failing_handler(self, client, sets, caplog):
        """What a handler raises is logged and counted; it and the others are called again."""
        calls = queue.Queue()

        def fail(resource):
            calls.put(resource.name)
            raise SystemExit if resource.name == "b" else ValueError("bad day")

        sets.handle(added=fail)
        story = Story(sets)
        with caplog.at_level(logging.ERROR):
            for name in ("a", "b", "c"):
                client.create(network_set(name))
                assert story.next() == [("added", name)]
        assert [calls.get(timeout=WAIT_S) for _ in range(3)] == ["a", "b", "c"]
        assert sets.statistics().failures == 3
        assert "failed for NetworkSet(ns1/a)" in caplog.text
        assert "bad day" in caplog.text

    def test_handler_that_writes(self, client, sets):
        """A handler may write, and wait for what it wrote."""
        done = queue.Queue()

        def answer(resource):
            if resource.name == "question":
                stored = client.create(network_set("answer"))
                done.put(sets.wait_for(version(stored), WAIT_S).get("answer", "ns1") == stored)

        sets.handle(added=answer)
        client.create(network_set("question"))
        assert done.get(timeout=WAIT_S)

    def test_made_again(self, client, sets):
        """A resource that was deleted and made again behind a slow handler is told as that, not as a change."""
        story, gate = Story(), Gate(sets)
        sets.handle(added=story.added, changed=story.changed, deleted=story.deleted)
        with gate.shut(client):
            client.create(network_set("a", "192.0.2.1/32"))
            sets.wait_current(WAIT_S)
        story.next(2)
        with gate.shut(client):
            client.delete(NetworkSet, "a", "ns1")
            client.create(network_set("a", "192.0.2.2/32"))
            sets.wait_current(WAIT_S)
        assert [call for call in story.next(3) if call[1] == "a"] == [
            ("deleted", "a", "192.0.2.1/32"),
            ("added", "a", "192.0.2.2/32"),
        ]

    def test_slow_handler(self, client, sets):
        """What waits for a slow handler is bounded by the resources, not by the writes, and the cache goes on."""
        story, gate = Story(), Gate(sets)
        sets.handle(added=story.added, changed=story.changed, deleted=story.deleted)
        with gate.shut(client):
            for number in range(30):
                client.apply(network_set("hot", f"192.0.2.{number}/32"))
                client.create(network_set(f"short-lived-{number}"))
                client.delete(NetworkSet, f"short-lived-{number}", "ns1")
                sets.wait_current(WAIT_S)
                assert sets.statistics().untold <= 3  # of two readers: the gate's key, and "hot" for both
            assert sets.get("hot", "ns1").spec.nets == ("192.0.2.29/32",)
        assert ("added", "hot", "192.0.2.29/32") in story.next(2)
        assert story.calls.empty()


class Gate:
    """A reader that holds back all readers of an informer."""

    def __init__(self, informer):
        self._entered = threading.Semaphore(0)
        self._open = threading.Event()
        self._informer = informer
        self._number = 0
        informer.handle(added=self._added)

    def _added(self, resource):
        if resource.name.startswith("gate"):
            self._entered.release()
            assert self._open.wait(WAIT_S)

    @contextlib.contextmanager
    def shut(self, client):
        self._open.clear()
        self._number += 1
        client.create(network_set(f"gate-{self._number}"))
        assert self._entered.acquire(timeout=WAIT_S)
        try:
            yield
        finally:
            self._open.set()


class TestTrouble:
    def test_interruption(self, client, faulty, datastore, sets):
        """While the datastore is away the last state stays, with the reason; then nothing is lost or told twice."""
        story = Story(sets)
        client.create(network_set("a"))
        client.create(network_set("b"))
        story.next(2)
        faulty.fault = "away for lunch"
        eventually(sets, lambda: sets.behind == "away for lunch")
        datastore.delete(key("a"))
        datastore.create(network_set("c"))
        assert names(sets) == ["a", "b"]
        with pytest.raises(StoreUnavailable, match=r"is not known after 0\.1 s, only revision .*away for lunch"):
            sets.wait_for(str(datastore.keyvalue.revision), 0.1)
        faulty.fault = ""
        assert names(sets.wait_current(WAIT_S)) == ["b", "c"]
        assert story.next(2) == [("deleted", "a"), ("added", "c")]
        assert story.calls.empty()
        assert sets.behind == ""
        assert sets.statistics().interruptions == 1

    def test_lost_history(self, client, faulty, datastore, sets):
        """When history was compacted meanwhile only the differences are told, and readers see them all at once."""
        story = Story(sets)
        stored = [client.create(network_set(name)) for name in ("changed", "gone", "kept")]
        story.next(3)
        faulty.fault = "away"
        eventually(sets, lambda: sets.behind == "away")
        datastore.update(stored[0].replace(spec=NetworkSetSpec(nets=("192.0.2.1/32",))))
        datastore.delete(key("gone"))
        datastore.create(network_set("new"))
        datastore.keyvalue.compact(datastore.keyvalue.revision)
        seen = []
        sets._cache.take = _watching(sets._cache.take, lambda: seen.append(names(sets)))
        faulty.fault = ""
        sets.wait_current(WAIT_S)
        assert sorted(story.next(3)) == [("added", "new"), ("changed", "changed", "192.0.2.1/32"), ("deleted", "gone")]
        assert story.calls.empty()
        assert {tuple(each) for each in seen} == {("changed", "gone", "kept"), ("changed", "kept", "new")}
        assert sets.statistics().resyncs >= 1

    def test_fault_of_percale(self, client, datastore, sets, caplog):
        """An exception that nobody foresaw is logged, told, and made up for, whatever was lost with it."""
        story = Story(sets)
        for name in ("gone", "kept"):
            client.create(network_set(name))
        story.next(2)
        real = sets._syncer.step
        entered = threading.Event()

        def step(timeout_s):
            entered.set()
            if real(timeout_s):
                sets._syncer.step = real
                raise ZeroDivisionError("a bug")
            return ()

        sets._syncer.step = step
        assert entered.wait(WAIT_S)
        client.write("apply", [network_set("a")])
        eventually(sets, lambda: sets._syncer.step != step)
        client.create(network_set("b"))
        assert sorted(story.next(2)) == [("added", "a"), ("added", "b")]
        assert "a bug" in caplog.text

    def test_datastore_closed_first(self, client, datastore):
        """An informer whose datastore was closed says so, and rests between its attempts."""
        with client.network_sets.informer() as sets:
            sets.wait_synced(WAIT_S)
            datastore.close()
            eventually(sets, lambda: "closed" in sets.behind)
            with pytest.raises(StoreUnavailable):
                sets.wait_current(WAIT_S)
            assert sets._syncer.failures <= 2

    def test_unsupported(self, client):
        """A kind that cannot be followed is refused at once."""
        with pytest.raises(NotSupported, match="List is not supported on IPAMBlock"):
            client.informer("IPAMBlock")
        with pytest.raises(ValueError, match="no kind"):
            client.informer("Nonsense")

    def test_cheap_look(self, client, faulty):
        """To ask how far the datastore is reads no resource, of a namespaced kind either."""
        client.create(network_set("a"))
        client.create(tier("t1"))
        for kind in (NetworkSet, Tier):
            with client.informer(kind) as informer:
                informer.wait_synced(WAIT_S)
                faulty.scans.clear()
                informer._syncer.newest()
                assert faulty.scans == [0]


def _watching(take, look):
    def taken(events, revision):
        differences = take(events, revision)
        look()
        return differences

    return taken


class TestThreads:
    def test_close(self, client):
        """Closing ends the threads, lets waiters go, tells nothing more, and is done once."""
        informer = client.network_sets.informer()
        informer.wait_synced(WAIT_S)
        story, failed = Story(informer), queue.Queue()

        def wait():
            try:
                informer.wait_for("1000000")
            except StoreUnavailable as error:
                failed.put(str(error))

        waiter = threading.Thread(target=wait)
        waiter.start()
        eventually(informer, lambda: informer._awaited)
        informer.close()
        informer.close()
        waiter.join()
        assert failed.get(timeout=WAIT_S) == "the informer of NetworkSet is closed"
        client.create(network_set("a"))
        assert story.calls.empty()
        assert not [thread for thread in threading.enumerate() if "informer" in thread.name]
        with pytest.raises(StoreUnavailable, match="closed"):
            informer.handle(added=print)

    def test_close_by_a_handler(self, client):
        """A handler may close its informer; nothing is told after it."""
        told, closed = [], threading.Event()
        client.create(network_set("a"))
        client.create(network_set("b"))
        informer = client.network_sets.informer()

        def close(resource):
            told.append(resource.name)
            informer.close()
            closed.set()

        informer.wait_synced(WAIT_S)
        informer.handle(added=close)
        assert closed.wait(WAIT_S)
        informer._threads[1].join()
        assert told == ["a"]

    def test_readers_see_whole_transactions(self, client, datastore, sets):
        """Whoever reads while others write never sees a half of what was written in one transaction."""
        stop, torn = threading.Event(), []

        def read():
            while not stop.is_set():
                there = {resource.spec.nets for resource in sets.snapshot()}
                if len(there) > 1:
                    torn.append(there)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        story = Story(sets)
        for number in range(30):
            client.write("apply", [network_set(name, f"192.0.2.{number}/32") for name in ("a", "b", "c")])
        sets.wait_current(WAIT_S)
        stop.set()
        for reader in readers:
            reader.join()
        assert torn == []
        while story.state != {each.key: each for each in sets}:
            story.next()


class TestRealServer:
    @pytest.fixture
    def server(self, tmp_path):
        """An etcd of the test's own, which it may stop."""
        with EtcdServer.serving(tmp_path) as started:
            yield started

    def test_server_killed(self, server, monkeypatch):
        """An etcd that dies is told of; when it is back, with its history compacted, only the differences are told."""
        monkeypatch.setattr("percale.datastore.etcd.watch._FAILURES", 2)
        own = EtcdSettings((server.endpoint,), timeout_s=2.0)
        with Client(CalicoDatastore(EtcdKeyValue(own))) as client, client.network_sets.informer() as sets:
            story = Story(sets)
            client.create(network_set("gone"))
            client.create(network_set("kept"))
            story.next(2)
            server.stop()
            eventually(sets, lambda: "does not answer" in sets.behind)
            assert names(sets) == ["gone", "kept"]
            server.start()
            server.wait_until_ready(own)
            with CalicoDatastore(EtcdKeyValue(own)) as other:
                other.delete(key("gone"))
                other.create(network_set("new"))
                other.keyvalue.compact(other.keyvalue.revision)
            assert sorted(story.next(2)) == [("added", "new"), ("deleted", "gone")]
            assert names(sets.wait_current(WAIT_S)) == ["kept", "new"]
            assert (story.calls.empty(), sets.behind) == (True, "")
