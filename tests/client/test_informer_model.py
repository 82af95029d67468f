# SPDX-License-Identifier: Apache-2.0
"""Random writes, compactions and interruptions: the core of an informer shows only states that the datastore had."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.client.documents import network_set
from tests.client.faulty import Faulty

from percale.client.backlog import Backlog
from percale.client.cache import Cache, Difference
from percale.datastore.calico import CalicoDatastore
from percale.datastore.keys import resource_path
from percale.datastore.revision import NumberRevision
from percale.datastore.seams import InSync, Interrupted, Resync, SyncerUpdate
from percale.datastore.sqlite import SQLiteKeyValue
from percale.datastore.syncer import DatastoreSyncer
from percale.errors import NotFound, Problem
from percale.resources import Key, NetworkSetSpec

NAMES = ["a", "b", "c", "d"]
names = st.sampled_from(NAMES)


def key(name):
    return Key("NetworkSet", "ns1", name)


class Reader:
    """Somebody who is told differences, sooner or later, and keeps a state by them alone."""

    def __init__(self, present=()):
        self.backlog = Backlog(present)
        self.state = {}

    def tell_one(self, resources):
        for where, old, new in self.backlog.take(resources):
            assert self.state.get(where) == old
            assert old != new
            assert old is None or new is None or old.metadata.uid == new.metadata.uid
            self.state[where] = new
            if new is None:
                del self.state[where]


class Following(RuleBasedStateMachine):
    """A cache that is stepped by hand beside a datastore, with readers that lag behind it."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.datastore = CalicoDatastore(SQLiteKeyValue(None))
        self.faulty = Faulty(self.datastore)
        self.cache = Cache("NetworkSet")
        self.readers = [Reader()]
        self.states = {}
        self._open()
        self._remember()

    def teardown(self):
        self.faulty.fault = ""
        for _ in range(20):
            self.step()
        assert self.cache.behind == ""
        listed = self.datastore.list("NetworkSet")
        assert self.cache.revision.is_at_or_after(listed.revision)
        assert dict(self.cache.resources) == {each.key: each for each in listed.items}
        assert {str(each) for each in self.cache.snapshot().problems} == {str(each) for each in listed.problems}
        for reader in self.readers:
            while len(reader.backlog):
                reader.tell_one(self.cache.resources)
            assert reader.state == dict(self.cache.resources)
        self.syncer.close()
        self.datastore.close()

    def _open(self):
        self.syncer = DatastoreSyncer(self.faulty, ["NetworkSet"], clock=lambda: self.now)

    def _remember(self):
        listed = self.datastore.list("NetworkSet")
        self.states[str(listed.revision)] = {each.key: each for each in listed.items}

    @rule(name=names, number=st.integers(0, 9))
    def put(self, name, number):
        wanted = network_set(name, f"192.0.2.{number}/32")
        current = self.datastore.keyvalue.get(resource_path(key(name)))
        if current is None:
            self.datastore.create(wanted)
        else:
            self.datastore.apply(wanted.with_metadata(uid=f"uid-of-{current.create_revision}"))
        self._remember()

    @rule(name=names)
    def delete(self, name):
        try:
            self.datastore.delete(key(name))
        except NotFound:
            return
        self._remember()

    @rule(name=names)
    def spoil(self, name):
        self.datastore.keyvalue.put(resource_path(key(name)), b"{not json")
        self._remember()

    @rule()
    def write_elsewhere(self):
        self.datastore.keyvalue.put("/elsewhere", b"")
        self._remember()

    @rule()
    def compact(self):
        newest = self.datastore.keyvalue.revision
        if newest > self.datastore.keyvalue.statistics().compacted_revision:
            self.datastore.keyvalue.compact(newest)

    @rule(away=st.booleans())
    def interrupt(self, away):
        self.faulty.fault = "away" if away else ""

    @rule()
    def step(self):
        self.now += 0.6
        self._take(self.syncer.step())

    @rule()
    def catch_up(self):
        self._take(self.syncer.catch_up(NumberRevision(self.datastore.keyvalue.revision)))

    @rule()
    def start_over(self):
        self.syncer.close()
        self._open()
        self.cache.start_over("percale failed")

    @rule()
    def join(self):
        self.readers.append(Reader(self.cache.resources))

    @rule(which=st.integers(0, 3))
    def tell(self, which):
        reader = self.readers[which % len(self.readers)]
        if len(reader.backlog):
            reader.tell_one(self.cache.resources)

    @invariant()
    def shows_a_state_that_was(self):
        if self.cache.revision is None:
            assert not self.cache.resources
        else:
            assert dict(self.cache.resources) == self.states[str(self.cache.revision)]

    @invariant()
    def backlogs_are_bounded(self):
        for reader in self.readers:
            assert len(reader.backlog) <= len(reader.state.keys() | self.cache.resources.keys())

    def _take(self, events):
        differences = self.cache.take(events, self.syncer.revision)
        for reader in self.readers:
            reader.backlog.add(differences)


def test_cache_follows_the_datastore():
    """Each state that is shown is the datastore's at that revision; in the end cache, list and what was told agree."""
    run_state_machine_as_test(Following, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


def resource(name, version):
    return network_set(name, uid=f"uid-{name}", resource_version=str(version))


def update(name, version=None, problem=None):
    return SyncerUpdate(key(name), version and resource(name, version), NumberRevision(9), problem)


class TestCache:
    def test_nothing_before_in_sync(self):
        """The pages of a list are shown together, when the last of them is there."""
        cache = Cache("NetworkSet")
        assert cache.take([update("a", 1)], None) == ()
        assert (len(cache.resources), cache.revision) == (0, None)
        told = cache.take([update("b", 2), InSync(NumberRevision(2))], NumberRevision(2))
        assert [(where.name, old) for where, old, _ in told] == [("a", None), ("b", None)]

    def test_progress(self):
        """A step without events moves the revision."""
        cache = Cache("NetworkSet")
        cache.take([InSync(NumberRevision(2))], NumberRevision(2))
        before = cache.snapshot()
        assert cache.take([], NumberRevision(3)) == []
        assert cache.snapshot().revision == NumberRevision(3)
        assert before.revision == NumberRevision(2)

    def test_reason(self):
        """The newest reason to be behind is told, and counted by its sort."""
        cache = Cache("NetworkSet")
        for event, reason in (
            (Interrupted(("NetworkSet",), "away"), "away"),
            (Resync(("NetworkSet",), "lost"), "lost"),
        ):
            cache.take([event], None)
            assert cache.behind == reason
        assert (cache.interruptions, cache.resyncs) == (1, 1)

    def test_one_version_of_two_states(self):
        """After an older state of the datastore was restored, one version may be that of something else."""
        cache = Cache("NetworkSet")
        old, new = resource("a", 2), resource("a", 2).replace(spec=NetworkSetSpec(nets=("203.0.113.0/24",)))
        cache.take([SyncerUpdate(key("a"), old, NumberRevision(2)), InSync(NumberRevision(2))], NumberRevision(2))
        assert cache.take([SyncerUpdate(key("a"), new, NumberRevision(2))], NumberRevision(2)) == [
            Difference(key("a"), old, new)
        ]

    def test_unreadable_twice(self):
        """What was absent and stays absent is no difference."""
        cache = Cache("NetworkSet")
        problem = Problem("", "cannot be read")
        cache.take([InSync(NumberRevision(1))], NumberRevision(1))
        assert cache.take([update("a", problem=problem)], NumberRevision(2)) == []
        assert cache.take([update("a", problem=problem)], NumberRevision(3)) == []
        assert cache.snapshot().problems == (problem,)


class TestBacklog:
    def test_place(self):
        """A resource that changes again keeps its place."""
        backlog = Backlog()
        first, again, other = resource("a", 1), resource("a", 3), resource("b", 2)
        backlog.add([Difference(key("a"), None, first), Difference(key("b"), None, other)])
        backlog.add([Difference(key("a"), first, again)])
        now = {key("a"): again, key("b"): other}
        assert [list(backlog.take(now)) for _ in range(2)] == [
            [Difference(key("a"), None, again)],
            [Difference(key("b"), None, other)],
        ]

    def test_came_and_went(self):
        """What came and went untold leaves nothing, what was told before leaves its end."""
        backlog = Backlog()
        first = resource("a", 1)
        backlog.add([Difference(key("a"), None, first), Difference(key("a"), first, None)])
        assert len(backlog) == 0
        backlog.add([Difference(key("a"), first, None)])
        assert list(backlog.take({})) == [Difference(key("a"), first, None)]
