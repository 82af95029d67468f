# SPDX-License-Identifier: Apache-2.0
"""The contract of Syncer: a snapshot, InSync, then every change; over a datastore and scripted."""

from __future__ import annotations

import queue
import threading

import pytest

from percale.datastore.calico import CalicoDatastore
from percale.datastore.keys import resource_path
from percale.datastore.revision import VectorRevision
from percale.datastore.scripted import ScriptedSyncer
from percale.datastore.seams import Capabilities, Entry, InSync, Interrupted, Page, Resync, SyncerUpdate
from percale.datastore.syncer import DatastoreSyncer
from percale.errors import Problem, StoreUnavailable
from percale.resources import Key, NetworkSet, NetworkSetSpec, ObjectMeta, Tier

KINDS = ["NetworkSet", "Tier"]


def network_set(name, *nets, **metadata):
    return NetworkSet(metadata=ObjectMeta(name=name, namespace="ns1", **metadata), spec=NetworkSetSpec(nets=nets))


def key(name):
    return Key("NetworkSet", "ns1", name)


def settle(syncer):
    """Step until nothing more comes."""
    events, quiet = [], 0
    while quiet < 3:
        new = syncer.step(0.05)
        quiet = 0 if new else quiet + 1
        events += new
    return events


def told(events):
    """Return what a reader of a story would say about the events."""
    story = []
    for event in events:
        match event:
            case SyncerUpdate(where, resource, _, problem):
                word = "bad" if problem else "gone" if resource is None else " ".join(resource.spec.nets)
                story.append((where.name, word))
            case InSync():
                story.append("in sync")
            case Interrupted():
                story.append("interrupted")
            case Resync():
                story.append("resync")
    return story


class Scripted:
    """Writes to a scripted syncer with the verbs of a datastore."""

    def __init__(self):
        self.syncer = None
        self.resources = []

    def create(self, resource):
        if self.syncer is None:
            self.resources.append(resource)
        else:
            self.syncer.put(resource)
        return resource

    update = create

    def delete(self, where):
        self.syncer.delete(where)


@pytest.fixture(params=["datastore", "scripted"])
def source(request, store):
    """What can be written to, and a function that opens a syncer of it."""
    if request.param == "datastore":
        datastore = CalicoDatastore(store)
        return datastore, lambda: DatastoreSyncer(datastore, KINDS)
    scripted = Scripted()

    def open_syncer():
        scripted.syncer = ScriptedSyncer(scripted.resources)
        return scripted.syncer

    return scripted, open_syncer


class TestEverySyncer:
    def test_snapshot_then_in_sync_then_changes(self, source):
        """First what is there, then InSync, then each change in order."""
        store, open_syncer = source
        first = store.create(network_set("a", "192.0.2.1"))
        store.create(network_set("b", "192.0.2.2"))
        with open_syncer() as syncer:
            assert syncer.revision is None
            assert told(settle(syncer)) == [("a", "192.0.2.1"), ("b", "192.0.2.2"), "in sync"]
            then = syncer.revision
            store.update(first.replace(spec=NetworkSetSpec(nets=("192.0.2.9",))))
            store.delete(key("b"))
            events = settle(syncer)
            assert told(events) == [("a", "192.0.2.9"), ("b", "gone")]
            assert events[1].revision.is_at_or_after(events[0].revision)
            assert events[0].revision.is_at_or_after(then)
            assert syncer.revision == events[1].revision != then

    def test_empty_snapshot(self, source):
        """Nothing to tell is in sync at once."""
        _, open_syncer = source
        with open_syncer() as syncer:
            assert told(settle(syncer)) == ["in sync"]

    def test_threads_feed_a_queue(self, source):
        """Started, it delivers the same events from its threads, and nothing after close."""
        store, open_syncer = source
        store.create(network_set("a", "192.0.2.1"))
        events = queue.Queue()
        syncer = open_syncer()
        syncer.start(lambda batch: [events.put(event) for event in batch])
        assert told([events.get(timeout=30) for _ in range(2)]) == [("a", "192.0.2.1"), "in sync"]
        store.create(network_set("b", "192.0.2.2"))
        assert told([events.get(timeout=30)]) == [("b", "192.0.2.2")]
        syncer.close()
        store.create(network_set("c"))
        assert events.empty()
        assert not [thread for thread in threading.enumerate() if "syncer" in thread.name]


class TestOverDatastore:
    def test_other_kinds_are_left_out(self, datastore):
        """Only the kinds asked for are told, before and after InSync."""
        datastore.create(Tier(metadata=ObjectMeta(name="t1")))
        with DatastoreSyncer(datastore, ["NetworkSet"]) as syncer:
            datastore.create(Tier(metadata=ObjectMeta(name="t2")))
            assert told(settle(syncer)) == ["in sync"]

    def test_profiles_include_the_virtual_one(self, datastore):
        """An agent is told of the profile that is never stored."""
        with DatastoreSyncer(datastore, ["Profile"]) as syncer:
            assert settle(syncer)[0].key.name == "projectcalico-default-allow"

    def test_unreadable_is_reported_and_absent(self, datastore):
        """A value that can't be read withdraws what was there before; a good one brings it back."""
        created = datastore.create(network_set("a", "192.0.2.1"))
        with DatastoreSyncer(datastore, KINDS) as syncer:
            settle(syncer)
            revision = datastore.keyvalue.put(resource_path(key("a")), b"{not json")
            (event,) = settle(syncer)
            assert (event.resource, event.problem.subject) == (None, "NetworkSet(ns1/a)")
            datastore.update(created.with_metadata(resource_version=str(revision)))
            assert told(settle(syncer)) == [("a", "192.0.2.1")]

    def test_unreadable_in_the_snapshot(self, datastore):
        """Junk does not stop the snapshot."""
        datastore.keyvalue.put(resource_path(key("junk")), b"")
        datastore.create(network_set("z", "192.0.2.1"))
        with DatastoreSyncer(datastore, KINDS) as syncer:
            assert told(settle(syncer)) == [("junk", "bad"), ("z", "192.0.2.1"), "in sync"]

    def test_invalid_is_reported_and_absent(self, datastore):
        """A resource with a problem counts as absent, one with a mere warning does not."""

        def check(resource):
            return [Problem("spec", "is odd", warning=resource.name == "warned")] if resource.name != "good" else []

        for name in ("bad", "good", "warned"):
            datastore.create(network_set(name, "192.0.2.1"))
        with DatastoreSyncer(datastore, KINDS, check=check) as syncer:
            assert told(settle(syncer)) == [
                ("bad", "bad"),
                ("good", "192.0.2.1"),
                ("warned", "192.0.2.1"),
                "in sync",
            ]

    def test_lost_history_is_made_up_for(self, datastore):
        """After compaction the syncer lists again and tells only what differs, deletes too."""
        kept = datastore.create(network_set("kept", "192.0.2.1"))
        datastore.create(network_set("gone", "192.0.2.2"))
        changed = datastore.create(network_set("changed", "192.0.2.3"))
        with DatastoreSyncer(datastore, KINDS) as syncer:
            while syncer.revision is None:  # it has listed then, but does not watch yet
                syncer.step()
            datastore.delete(key("gone"))
            datastore.update(changed.replace(spec=NetworkSetSpec(nets=("192.0.2.4",))))
            datastore.create(network_set("new", "192.0.2.5"))
            datastore.keyvalue.compact(datastore.keyvalue.revision)
            events = settle(syncer)
        assert told(events) == ["resync", ("changed", "192.0.2.4"), ("new", "192.0.2.5"), ("gone", "gone"), "in sync"]
        assert kept.key not in [event.key for event in events if isinstance(event, SyncerUpdate)]

    def test_unavailable_store_is_tried_again(self, datastore, clock):
        """That the store fails is told once; afterwards the watch goes on where it was."""
        with DatastoreSyncer(datastore, KINDS, clock=clock) as syncer:
            settle(syncer)
            real, datastore.watch = datastore.watch, _failing
            syncer._sources[0]._drop_watch()
            events = []
            for _ in range(4):
                events += syncer.step()
                clock.now += 1
            assert told(events) == ["interrupted"]
            datastore.watch = real
            datastore.create(network_set("a", "192.0.2.1"))
            assert sorted(told(settle(syncer)), key=str) == [("a", "192.0.2.1"), "in sync"]
            assert syncer.failures == 4

    def test_silent_watch_is_no_proof(self, datastore, clock):
        """After an interruption it is in sync only when the store has answered a read."""
        with DatastoreSyncer(datastore, KINDS, clock=clock) as syncer:
            settle(syncer)
            watch, datastore.watch = datastore.watch, _failing
            scan, datastore.scan = datastore.scan, _failing
            syncer._sources[0]._drop_watch()
            events = list(syncer.step())
            datastore.watch = watch
            clock.now += 1
            events += syncer.step()
            assert told(events) == ["interrupted"]
            datastore.scan = scan
            clock.now += 1
            assert told(settle(syncer)) == ["in sync"]

    def test_store_that_fails_at_the_start(self, datastore, clock):
        """Before the first snapshot too it is told, once, that the store cannot be read."""
        scan, datastore.scan = datastore.scan, _failing
        with DatastoreSyncer(datastore, KINDS, clock=clock) as syncer:
            events = []
            for _ in range(3):
                events += syncer.step()
                clock.now += 1
            assert told(events) == ["interrupted"]
            datastore.scan = scan
            assert told(settle(syncer)) == ["in sync"]

    def test_retries_are_paced(self, datastore, clock, monkeypatch):
        """Between two attempts the pause passes."""
        monkeypatch.setattr("percale.datastore.syncer.pause", lambda *_, **__: 1.0)
        with DatastoreSyncer(datastore, KINDS, clock=clock) as syncer:
            datastore.scan = _failing
            for _ in range(10):
                syncer.step()
                clock.now += 0.25
            assert syncer.failures == 3

    def test_too_many_failures_make_a_full_list(self, datastore, clock):
        """The fifth failure from one revision is answered with a resync."""
        with DatastoreSyncer(datastore, KINDS, clock=clock) as syncer:
            settle(syncer)
            real, datastore.watch = datastore.watch, _failing
            syncer._sources[0]._drop_watch()
            events = []
            for _ in range(5):
                events += syncer.step()
                clock.now += 1
            assert told(events) == ["interrupted", "resync"]
            datastore.watch = real
            assert told(settle(syncer)) == ["in sync"]


def _failing(*_, **__):
    raise StoreUnavailable("gone for a while")


class Unordered:
    """A datastore with a revision of its own for each kind, where nothing ever changes."""

    capabilities = Capabilities()

    def scan(self, kinds):
        (kind,) = kinds
        found = Key(kind, "ns1" if kind == "NetworkSet" else "", "a")
        yield Page(VectorRevision({kind: 1}), (Entry(found, network_set("a", "192.0.2.1")),))


def test_what_is_not_told_is_not_in_sync():
    """With a thread per kind, one that has read its last page and not yet told of it holds InSync back."""
    with DatastoreSyncer(Unordered(), KINDS) as syncer:
        first, second = syncer._sources
        story = []
        ahead = [first.step(0), first.step(0)]
        for _ in range(2):
            story += syncer._with_state(second, second.step(0))
        assert told(story) == [("a", "192.0.2.1")]
        for events in ahead:
            story += syncer._with_state(first, events)
        assert told(story) == [("a", "192.0.2.1"), ("a", "192.0.2.1"), "in sync"]
