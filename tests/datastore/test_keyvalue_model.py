# SPDX-License-Identifier: Apache-2.0
"""Random transactions, compactions, reads and watches: every store answers as the naive model does."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from tests.datastore.model import Model

from percale.datastore.keyvalue import EVERYTHING, Compare, Delete, Get, Put, Txn, is_empty_range
from percale.datastore.sqlite import SQLiteKeyValue
from percale.errors import Compacted

KEYS = ["/a", "/a/x", "/a/y", "/b", "/ü"]
keys = st.sampled_from(KEYS)
values = st.binary(max_size=3)
ranges = st.one_of(
    st.tuples(keys, st.just("")), st.tuples(keys, keys), st.just(("/a/", "/a0")), st.just(("/", EVERYTHING))
)
compares = st.one_of(
    st.builds(Compare, keys, st.just("value"), st.sampled_from(["=", "!=", "<", ">"]), values),
    st.builds(
        Compare,
        keys,
        st.sampled_from(["version", "create_revision", "mod_revision"]),
        st.sampled_from(["=", "!=", "<", ">"]),
        st.integers(0, 12),
    ),
)
puts = st.builds(Put, keys, values)
deletes = ranges.map(lambda pair: Delete(*pair))
gets = st.builds(lambda pair, limit, only: Get(*pair, limit, only), ranges, st.integers(0, 3), st.booleans())


def branches(nested):
    return st.lists(st.one_of(puts, deletes, gets, *nested), max_size=3).map(tuple)


def txns(*nested):
    return st.builds(Txn, st.lists(compares, max_size=2).map(tuple), branches(nested), branches(nested))


class Agreement(RuleBasedStateMachine):
    """The store under test beside the model."""

    watches = Bundle("watches")
    keeps_border = True

    def __init__(self, open_store):
        super().__init__()
        self.store = open_store()
        self.model = Model(states={self.store.revision: {}})
        self.first = self.model.revision
        self.watching = []

    def teardown(self):
        for watch in self.watching:
            watch.close()

    @rule(txn=txns(txns()))
    def transact(self, txn):
        try:
            result = self.store.txn(txn.compares, txn.then, txn.orelse)
        except ValueError:
            return  # what is refused is the contract suite's matter; here it must only change nothing
        assert self.model.txn(txn) == result

    @rule(key=keys, value=values)
    def put(self, key, value):
        assert self.store.put(key, value) == self.model.txn(Txn((), (Put(key, value),))).revision

    @rule(pair=ranges, back=st.integers(0, 12), limit=st.integers(0, 3))
    def read(self, pair, back, limit):
        revision = max(self.model.revision - back, self.model.compacted, self.first)
        assert self.model.range(*pair, revision, limit) == self.store.range(*pair, revision=revision, limit=limit)

    @rule(back=st.integers(0, 6))
    def compact(self, back):
        revision = self.model.revision - back
        if revision > max(self.model.compacted, self.first):
            self.store.compact(revision)
            self.model.compacted = revision

    @rule(
        target=watches,
        pair=ranges.filter(lambda pair: not is_empty_range(*pair)),
        back=st.integers(-1, 6),
        previous=st.booleans(),
    )
    def watch(self, pair, back, previous):
        start = max(self.model.revision - back, self.first + 1)
        watch = self.store.watch(*pair, start_revision=start, previous=previous)
        self.watching.append(watch)
        return [watch, pair, start, previous]

    @rule(state=watches)
    def poll(self, state):
        """Take what is due; events come late only from a server, so waiting is bounded by what is missing."""
        watch, pair, start, previous = state
        while missing := self.model.events_from(start, *pair):
            batch = self._poll(state, 10)
            if batch is None:
                return
            expected = [event for event in missing if event.item.mod_revision <= batch.revision]
            assert [event.item for event in expected] == [event.item for event in batch.events]
            for ours, theirs in zip(batch.events, expected, strict=True):
                if not previous:
                    assert ours.previous is None
                elif ours.item.mod_revision > self.model.compacted:
                    assert ours.previous == theirs.previous
                else:
                    assert ours.previous in (None, theirs.previous)
            start = state[2] = max(start, batch.revision + 1)
        if not watch.closed:
            batch = self._poll(state, 0)
            assert batch is None or batch.events == ()

    def _poll(self, state, timeout_s):
        watch, start = state[0], state[2]
        try:
            return watch.poll(timeout_s)
        except Compacted as error:
            told = error.revision
        watch.close()
        assert start - (not self.keeps_border) < told <= self.model.compacted  # a server said so when it began
        return None

    @rule(state=consumes(watches))
    def close_watch(self, state):
        state[0].close()

    @invariant()
    def newest_state_is_the_same(self):
        assert self.model.range("/", EVERYTHING) == self.store.range("/", EVERYTHING)


class AgreementOfEtcd(Agreement):
    """What was deleted in the compacted revision itself may be gone, so a watch from there is told Compacted."""

    keeps_border = False


def check(open_store, examples, machine=Agreement):
    wanted = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.function_scoped_fixture,
        ],
    )
    run_state_machine_as_test(lambda: machine(open_store), settings=wanted)


@pytest.mark.parametrize("where", ["memory", "file"])
def test_embedded_store_agrees_with_the_model(where):
    """Whatever is done to the embedded store, it answers like the model."""
    with tempfile.TemporaryDirectory() as folder:
        stores = []

        def open_store():
            while stores:
                stores.pop().close()
            place = Path(folder, uuid.uuid4().hex) if where == "file" else None
            stores.append(SQLiteKeyValue(place))
            return stores[0]

        try:
            check(open_store, 60)
        finally:
            stores[0].close()


def test_etcd_agrees_with_the_model(etcd):
    """The model is right about etcd too."""

    def open_store():
        etcd.delete("\0", EVERYTHING)
        return etcd

    check(open_store, 15, AgreementOfEtcd)
