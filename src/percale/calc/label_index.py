# SPDX-License-Identifier: Apache-2.0
"""The label index: which endpoints and network sets each watched selector matches, kept up to date.

Changes are collected and take effect at `flush`, one by one where they are few, by set algebra over all slots where
they are many; both ways lead to the same result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from pyroaring import BitMap

from percale.calc.columns import LabelColumns
from percale.calc.labels import Labels, effective_labels
from percale.calc.postings import Posting, add_slot, as_bitmap, discard_slot
from percale.calc.watched import Files, LabelChange, Test, Watched, anchors
from percale.selectors import Selector
from percale.selectors.nodes import Comparison

__all__ = ["LabelIndex", "MatchChange"]

K = TypeVar("K", bound=Hashable)

_SlotsByLabel: TypeAlias = defaultdict[str, defaultdict[str, list[int]]]

_FEW = 64
"""Up to so many changes are always applied one by one."""

_TEXT_TEST_SHARE = 8
"""A text test is guessed to hold for one in so many of those that have the label."""


class MatchChange(NamedTuple):
    """Which slots a selector has begun to match and which it no longer matches."""

    joined: Sequence[int]
    left: Sequence[int]


class LabelIndex(Generic[K]):
    """Items with labels and profiles, each in a numbered slot, and the selectors that somebody watches.

    A slot that became free is given to another item only after the flush that reported its leaving.
    """

    def __init__(self) -> None:
        self._slots: dict[K, int] = {}
        self._items: list[K] = []
        self._own: list[Labels | None] = []
        self._profiles: list[tuple[str, ...]] = []
        self._free: list[int] = []
        self._columns = LabelColumns()
        self._profile_labels: dict[str, Labels] = {}
        self._members: dict[str, Posting] = {}
        self._watched: dict[str, Watched] = {}
        self._anchored = Files()
        self._dependent = Files()
        self._unanchored: set[Watched] = set()
        # What each changed slot looked like at the last flush, None for new ones.
        self._before: dict[int, Labels | None] = {}
        self._gone: dict[K, int] = {}

    # Items

    def slot(self, item: K) -> int | None:
        """Return the slot of an item, None where there is no such item."""
        return self._slots.get(item)

    def item(self, slot: int) -> K:
        """Return the item of a slot, also one that left since the last flush."""
        return self._items[slot]

    def put(self, item: K, labels: Labels, profiles: tuple[str, ...] = ()) -> int:
        """Take an item's own labels and its profiles as they are now, and return its slot."""
        slot = self._slots.get(item)
        if slot is None:
            slot = self._new_slot(item)
        elif (self._own[slot] is labels or self._own[slot] == labels) and self._profiles[slot] == profiles:
            return slot
        else:
            self._touch(slot)
            self._leave_profiles(slot)
        self._own[slot] = labels
        self._profiles[slot] = profiles
        for name in _distinct(profiles):
            add_slot(self._members, name, slot)
        return slot

    def remove(self, item: K) -> int:
        """Take an item out and return the slot that it had; raises KeyError."""
        slot = self._slots.pop(item)
        self._touch(slot)
        self._leave_profiles(slot)
        self._own[slot] = None
        self._gone[item] = slot
        return slot

    def set_profile(self, name: str, labels: Labels) -> None:
        """Take the labels that a profile gives, none for a profile that does not exist."""
        if labels == self._profile_labels.get(name, _NO_LABELS):
            return
        for slot in as_bitmap(self._members.get(name)):
            self._touch(slot)
        if labels:
            self._profile_labels[name] = labels
        else:
            del self._profile_labels[name]

    def labels(self, slot: int) -> Labels:
        """Return the effective labels of a slot in use."""
        own = self._own[slot]
        assert own is not None
        return effective_labels(own, self._profiles[slot], self._profile_labels)

    def _new_slot(self, item: K) -> int:
        slot = self._gone.pop(item, None)
        if slot is None:
            if self._free:
                slot = self._free.pop()
                self._items[slot] = item
            else:
                slot = len(self._own)
                self._items.append(item)
                self._own.append(None)
                self._profiles.append(())
            self._before[slot] = None
        self._slots[item] = slot
        return slot

    def _touch(self, slot: int) -> None:
        """Note how the slot was at the last flush, before the first change since then."""
        if slot not in self._before:
            self._before[slot] = self.labels(slot)

    def _leave_profiles(self, slot: int) -> None:
        for name in _distinct(self._profiles[slot]):
            discard_slot(self._members, name, slot)
        self._profiles[slot] = ()

    # Selectors

    def watch(self, selector: Selector) -> BitMap:
        """Keep a selector's matches from now on; each call needs one `unwatch`.

        Returns the matching slots as of the last flush: the live bitmap, to be read only.
        """
        watched = self._watched.get(selector.uid)
        if watched is None:
            watched = Watched(selector, self._columns.select(selector.node), anchors(selector.node, self._cost))
            self._watched[selector.uid] = watched
            self._file(watched)
        watched.interest += 1
        return watched.slots

    def unwatch(self, uid: str) -> None:
        """Give back one `watch` of a selector by its unique ID."""
        watched = self._watched[uid]
        watched.interest -= 1
        if watched.interest:
            return
        del self._watched[uid]
        for test in watched.dependencies:
            self._dependent.discard(test, watched)
        for test in watched.anchors or ():
            self._anchored.discard(test, watched)
        self._unanchored.discard(watched)

    def matching(self, labels: Labels) -> Iterator[Selector]:
        """Yield the watched selectors that match some effective labels, of an item or of none."""
        return (selector for selector in self.candidates(labels) if selector.matches(labels))

    def candidates(self, labels: Labels) -> Iterator[Selector]:
        """Yield the watched selectors that are worth evaluating for some effective labels: all others do not match."""
        return (watched.selector for watched in self._anchored.passed(labels) | self._unanchored)

    def _file(self, watched: Watched) -> None:
        for test in watched.dependencies:
            self._dependent.add(test, watched)
        if watched.anchors is None:
            self._unanchored.add(watched)
        for test in watched.anchors or ():
            self._anchored.add(test, watched)

    def _cost(self, test: Test) -> int:
        # A label that all endpoints have is a cheap anchor for one selector but not for the thousand after it.
        key, token = test
        if isinstance(token, Comparison):
            frequency = self._columns.count(key) // _TEXT_TEST_SHARE
        else:
            frequency = self._columns.count(key, token)
        return (1 + frequency) * (1 + self._anchored.count(test))

    # Changes

    def flush(self, *, together: bool | None = None) -> Mapping[str, MatchChange]:
        """Apply all changes since the last flush; return by unique ID which watched selectors match differently.

        ``together`` chooses between the two ways; by default it depends on how many changes there are.
        """
        if not self._before:
            return {}
        if together is None:
            together = len(self._before) > max(_FEW, len(self._watched) // 2)
        changes = self._flush_together() if together else self._flush_singly()
        self._free.extend(self._gone.values())
        self._gone.clear()
        self._before.clear()
        return changes

    def _now(self, slot: int) -> Labels | None:
        own = self._own[slot]
        return None if own is None else effective_labels(own, self._profiles[slot], self._profile_labels)

    def _flush_singly(self) -> dict[str, MatchChange]:
        changes: dict[str, tuple[list[int], list[int]]] = {}
        for slot, old in self._before.items():
            new = self._now(slot)
            if old is None and new is None:
                continue
            changed = _difference(old or _NO_LABELS, new or _NO_LABELS)
            self._enter(slot, changed, is_there=new is not None)
            for watched in self._concerned(old, new, changed):
                slots = watched.slots
                matches = new is not None and watched.selector.matches(new)
                if matches is (slot in slots):
                    continue
                joined, left = changes.get(watched.uid) or changes.setdefault(watched.uid, ([], []))
                if matches:
                    slots.add(slot)
                    joined.append(slot)
                else:
                    slots.remove(slot)
                    left.append(slot)
        return {uid: MatchChange(*change) for uid, change in changes.items()}

    def _enter(self, slot: int, changed: Iterable[LabelChange], *, is_there: bool) -> None:
        columns = self._columns
        for key, old, new in changed:
            if old is not None:
                columns.discard(slot, key, old, is_last_of_key=new is None)
            if new is not None:
                columns.add(slot, key, new, is_new_key=old is None)
        if is_there:
            columns.everyone.add(slot)
        else:
            columns.everyone.discard(slot)

    def _concerned(self, old: Labels | None, new: Labels | None, changed: list[LabelChange]) -> set[Watched]:
        """The selectors that may match differently: all that do are among them."""
        if old is None or new is None:
            return self._anchored.passed(old or new or _NO_LABELS) | self._unanchored
        candidates = self._dependent.flipped(changed)
        if len(candidates) <= len(new):
            return candidates
        # Too many depend on what changed; those that can match this item at all are perhaps fewer.
        possible = self._anchored.passed(new) | self._anchored.passed(old) | self._unanchored
        return candidates & possible

    def _flush_together(self) -> dict[str, MatchChange]:
        added, removed = self._collect()
        for key, values in removed.items():
            self._columns.discard_many(key, values)
        for key, values in added.items():
            self._columns.add_many(key, values)
        changed = chain(
            ((key, None, value) for key in added if self._dependent.concerns(key) for value in added[key]),
            ((key, value, None) for key in removed if self._dependent.concerns(key) for value in removed[key]),
        )
        changes: dict[str, MatchChange] = {}
        for watched in self._dependent.flipped(changed) | self._unanchored:
            now = self._columns.select(watched.selector.node)
            joined, left = now - watched.slots, watched.slots - now
            if joined or left:
                watched.slots |= joined
                watched.slots -= left
                changes[watched.uid] = MatchChange(joined.to_array(), left.to_array())
        return changes

    def _collect(self) -> tuple[_SlotsByLabel, _SlotsByLabel]:
        """All labels that slots got and lost, and bring the columns' list of slots up to date."""
        added: _SlotsByLabel = defaultdict(_no_slots_by_value)
        removed: _SlotsByLabel = defaultdict(_no_slots_by_value)
        # New items with one label set and one profile list have the same effective labels: worked out once.
        alike: defaultdict[tuple[int, tuple[str, ...]], list[int]] = defaultdict(list)
        gone: list[int] = []
        for slot, old in self._before.items():
            own = self._own[slot]
            if old is None and own is not None:
                alike[id(own), self._profiles[slot]].append(slot)
            elif old is not None:
                for key, lost, got in _difference(old, self._now(slot) or _NO_LABELS):
                    if lost is not None:
                        removed[key][lost].append(slot)
                    if got is not None:
                        added[key][got].append(slot)
                if own is None:
                    gone.append(slot)
        for fresh in alike.values():
            self._columns.everyone.update(fresh)
            for key, value in self.labels(fresh[0]).items():
                added[key][value] += fresh
        self._columns.everyone.difference_update(BitMap(gone))
        return added, removed


def _no_slots_by_value() -> defaultdict[str, list[int]]:
    return defaultdict(list)


_NO_LABELS: Labels = {}


def _distinct(profiles: tuple[str, ...]) -> Iterable[str]:
    return profiles if len(profiles) < 2 else set(profiles)


def _difference(old: Labels, new: Labels) -> list[LabelChange]:
    if not old:
        return [(key, None, value) for key, value in new.items()]
    changed: list[LabelChange] = [(key, old.get(key), value) for key, value in new.items() if old.get(key) != value]
    changed += [(key, value, None) for key, value in old.items() if key not in new]
    return changed
