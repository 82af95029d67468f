# SPDX-License-Identifier: Apache-2.0
"""The label index against evaluating every selector for every item."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pyroaring import BitMap
from tests.selectors.trees import LABELS, TREES, meaning

from percale.calc.label_index import LabelIndex
from percale.calc.labels import effective_labels
from percale.selectors import Selector, parse

ITEMS = st.integers(0, 12)
PROFILES = st.sampled_from(["p1", "p2", "p3"])
PROFILE_LISTS = st.lists(PROFILES, max_size=3).map(tuple)
SELECTORS = TREES.map(Selector)


class _Machine(RuleBasedStateMachine):
    """Puts and removes at random; after each flush compares with the model, and the changes told with both sides."""

    together = st.booleans()

    def __init__(self):
        super().__init__()
        self.index = LabelIndex()
        self.items, self.profiles, self.watched = {}, {}, {}
        self.told, self.settled = {}, True

    @initialize(trees=st.lists(SELECTORS, max_size=8))
    def begin(self, trees):
        for selector in trees:
            self.watch(selector)

    @rule(selector=SELECTORS)
    def watch(self, selector):
        slots = self.index.watch(selector)
        uid = selector.uid
        if uid not in self.watched:
            self.told[uid] = set(slots)
        self.watched.setdefault(uid, []).append(selector)

    @rule(data=st.data())
    def unwatch(self, data):
        if self.watched:
            uid = data.draw(st.sampled_from(sorted(self.watched)))
            self.index.unwatch(uid)
            self.watched[uid].pop()
            if not self.watched[uid]:
                del self.watched[uid], self.told[uid]

    @rule(item=ITEMS, labels=LABELS, profiles=PROFILE_LISTS)
    def put(self, item, labels, profiles):
        self.index.put(item, labels, profiles)
        self.items[item] = labels, profiles
        self.settled = False

    @rule(items=st.dictionaries(ITEMS, st.tuples(LABELS, PROFILE_LISTS)))
    def put_several(self, items):
        for item, (labels, profiles) in items.items():
            self.put(item, labels, profiles)

    @rule(data=st.data())
    def remove(self, data):
        if self.items:
            item = data.draw(st.sampled_from(sorted(self.items)))
            self.index.remove(item)
            del self.items[item]
            self.settled = False

    @rule(name=PROFILES, labels=LABELS)
    def set_profile(self, name, labels):
        self.index.set_profile(name, labels)
        self.profiles[name] = labels
        self.settled = False

    @rule(data=st.data())
    def flush(self, data):
        for uid, change in self.index.flush(together=data.draw(self.together)).items():
            joined, left = set(change.joined), set(change.left)
            assert len(joined) == len(change.joined)
            assert len(left) == len(change.left)
            assert not joined & self.told[uid]
            assert left <= self.told[uid]
            self.told[uid] = (self.told[uid] | joined) - left
        self.settled = True

    @invariant()
    def matches_are_right(self):
        if not self.settled:
            return
        labels = {item: effective_labels(own, profiles, self.profiles) for item, (own, profiles) in self.items.items()}
        for uid, (selector, *_) in self.watched.items():
            right = {self.index.slot(item) for item in labels if meaning(selector.node, labels[item])}
            assert self.told[uid] == right
            assert self.index.watch(selector) == BitMap(right)
            self.index.unwatch(uid)

    @invariant()
    def matching_finds_what_matches(self):
        for own, profiles in self.items.values():
            labels = effective_labels(own, profiles, self.profiles)
            right = {uid for uid, (selector, *_) in self.watched.items() if meaning(selector.node, labels)}
            assert {selector.uid for selector in self.index.matching(labels)} == right


class _SinglyMachine(_Machine):
    together = st.just(False)


class _TogetherMachine(_Machine):
    together = st.just(True)


TestMixed = _Machine.TestCase
TestSingly = _SinglyMachine.TestCase
TestTogether = _TogetherMachine.TestCase


def _flushed(index, **options):
    return {uid: (sorted(change.joined), sorted(change.left)) for uid, change in index.flush(**options).items()}


@settings(max_examples=50)
@given(
    items=st.lists(st.tuples(LABELS, PROFILE_LISTS), min_size=70, max_size=90), trees=st.lists(SELECTORS, max_size=5)
)
def test_a_large_batch_is_told_as_many_small_ones(items, trees):
    """However changes are applied, the same items join the same selectors."""
    one, other = LabelIndex(), LabelIndex()
    for index in (one, other):
        for selector in trees:
            index.watch(selector)
        index.set_profile("p1", {"a": "x"})
        for number, (labels, profiles) in enumerate(items):
            index.put(number, labels, profiles)
    assert _flushed(one) == _flushed(other, together=False)


def test_the_first_profile_that_supplies_a_label_wins():
    """An own label beats every profile, and an earlier profile a later one."""
    assert effective_labels({"a": "own"}, ("p", "q"), {"p": {"a": "p", "b": "p"}, "q": {"b": "q", "c": "q"}}) == {
        "a": "own",
        "b": "p",
        "c": "q",
    }


def test_a_freed_slot_is_given_away_only_after_the_flush():
    """Who leaves is told by slot, so the slot keeps its owner until then."""
    index = LabelIndex()
    match = index.watch(parse("has(a)"))
    first = index.put("one", {"a": "x"})
    index.flush()
    index.remove("one")
    assert index.put("two", {}) != first
    index.flush()
    assert not match
    assert index.put("three", {"a": "y"}) == first


def test_an_unchanged_item_changes_nothing():
    """Putting what is there already is no change."""
    index = LabelIndex()
    index.watch(parse("has(a)"))
    index.put("one", {"a": "x"}, ("p",))
    index.flush()
    index.put("one", {"a": "x"}, ("p",))
    assert not index.flush()


def test_a_label_that_many_selectors_share_is_not_everybodys_anchor():
    """Selectors spread over their literals, so that an endpoint meets few candidates."""
    index = LabelIndex()
    for number in range(100):
        index.watch(parse(f'alpha == "beta" && has(set-{number})'))
    assert len(list(index.candidates({"alpha": "beta", "set-7": "true"}))) <= 3
