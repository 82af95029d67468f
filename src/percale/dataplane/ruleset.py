# SPDX-License-Identifier: Apache-2.0
"""What a table holds, and the shortest way from one content to another in place.

A `Ruleset` is the desired content with a journal: it remembers what each touched object was, so that the operations of
one change are found without looking at the rest. `difference` compares two whole contents, at start and after drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table
from percale.netlink.nftables.operations import Add, AddElements, Delete, DeleteElements, Flush, Operation

__all__ = ["Changes", "Contents", "Ruleset", "difference"]

_InAndOut: TypeAlias = tuple[AbstractSet[Element], AbstractSet[Element]]

_NO_ELEMENTS: frozenset[Element] = frozenset()


@dataclass(slots=True)
class Contents:
    """A table's chains with their rules, and its sets with their elements, all by name."""

    table: Table
    chains: dict[str, Chain] = field(default_factory=dict)
    rules: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    sets: dict[str, Set] = field(default_factory=dict)
    elements: dict[str, set[Element]] = field(default_factory=dict)


@dataclass(slots=True)
class _ElementChanges:
    added: set[Element] = field(default_factory=set)
    removed: set[Element] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Changes:
    """What becomes of chains, sets and elements; ``operations`` puts it into the order that the kernel needs."""

    new_sets: tuple[Set, ...] = ()
    new_chains: tuple[Chain, ...] = ()
    rewritten: tuple[tuple[Chain, bool, tuple[Rule, ...]], ...] = ()
    """Chain, whether it has rules to flush, its new rules."""
    removed_elements: tuple[tuple[Set, tuple[Element, ...]], ...] = ()
    added_elements: tuple[tuple[Set, tuple[Element, ...]], ...] = ()
    dead_chains: tuple[tuple[Chain, bool], ...] = ()
    dead_sets: tuple[Set, ...] = ()

    def operations(self) -> tuple[Operation, ...]:
        """The operations: sets, empty chains, rules, elements out, elements in, dead chains, dead sets.

        Elements leave before others come, because an interval that makes room, or the old verdict of a key, must be
        gone first; both become visible in the same instant.
        """
        return tuple(self._in_order())

    def transactions(self) -> tuple[tuple[Operation, ...], ...]:
        """The operations for a table in use: first what nothing refers to yet, in a transaction of its own.

        The kernel shows new elements of an interval set a moment after the rules that look them up, and a packet
        under way, sent to a chain that is new in this transaction, would find it empty. So new sets and chains are
        complete before anything leads to them; what has an effect remains one transaction.
        """
        if any(chain.hook for chain in self.new_chains):
            # A base chain acts as soon as it is there: it comes with all that belongs to it.
            return (self.operations(),)
        sets, chains = {one.name for one in self.new_sets}, {one.name for one in self.new_chains}
        prepared = Changes(
            new_sets=self.new_sets,
            new_chains=self.new_chains,
            rewritten=tuple(one for one in self.rewritten if one[0].name in chains),
            added_elements=tuple(one for one in self.added_elements if one[0].name in sets),
        )
        switched = replace(
            self,
            new_sets=(),
            new_chains=(),
            rewritten=tuple(one for one in self.rewritten if one[0].name not in chains),
            added_elements=tuple(one for one in self.added_elements if one[0].name not in sets),
        )
        return tuple(found for found in (prepared.operations(), switched.operations()) if found)

    def _in_order(self) -> Iterator[Operation]:
        yield from map(Add, self.new_sets)
        yield from map(Add, self.new_chains)
        for chain, has_rules, rules in self.rewritten:
            if has_rules:
                yield Flush(chain)
            yield from map(Add, rules)
        for its_set, elements in self.removed_elements:
            yield DeleteElements(its_set, elements)
        for its_set, elements in self.added_elements:
            yield AddElements(its_set, elements)
        for chain, has_rules in self.dead_chains:
            if has_rules:
                yield Flush(chain)
        for chain, _ in self.dead_chains:
            yield Delete(chain)
        yield from map(Delete, self.dead_sets)


class Ruleset:
    """The desired contents of one table, changed object by object; ``take_changes`` ends a batch of changes."""

    def __init__(self, table: Table) -> None:
        self.contents = Contents(table)
        self._old_chains: dict[str, tuple[Chain | None, tuple[Rule, ...]]] = {}
        self._old_sets: dict[str, Set | None] = {}
        self._elements: dict[str, _ElementChanges] = {}

    @property
    def table(self) -> Table:
        """The table itself."""
        return self.contents.table

    def put_chain(self, chain: Chain, rules: tuple[Rule, ...]) -> None:
        """Create the chain or replace its rules."""
        self._remember_chain(chain.name)
        self.contents.chains[chain.name] = chain
        self.contents.rules[chain.name] = rules

    def drop_chain(self, name: str) -> None:
        """Remove the chain with its rules."""
        self._remember_chain(name)
        del self.contents.chains[name]
        del self.contents.rules[name]

    def put_set(self, new: Set, elements: Iterable[Element] = ()) -> None:
        """Create a set or map with these elements."""
        self._old_sets.setdefault(new.name, self.contents.sets.get(new.name))
        self.contents.sets[new.name] = new
        self.contents.elements.setdefault(new.name, set())
        for element in elements:
            self.add(new.name, element)

    def drop_set(self, name: str) -> None:
        """Remove a set or map with its elements."""
        self._old_sets.setdefault(name, self.contents.sets.get(name))
        changes = self._elements.setdefault(name, _ElementChanges())
        changes.removed |= self.contents.elements[name] - changes.added
        changes.added.clear()
        del self.contents.sets[name]
        del self.contents.elements[name]

    def add(self, set_name: str, element: Element) -> None:
        """Add an element; one that is present changes nothing."""
        elements = self.contents.elements[set_name]
        if element in elements:
            return
        elements.add(element)
        changes = self._elements.setdefault(set_name, _ElementChanges())
        if element in changes.removed:
            changes.removed.discard(element)
        else:
            changes.added.add(element)

    def discard(self, set_name: str, element: Element) -> None:
        """Remove an element; one that is absent changes nothing."""
        elements = self.contents.elements[set_name]
        if element not in elements:
            return
        elements.discard(element)
        changes = self._elements.setdefault(set_name, _ElementChanges())
        if element in changes.added:
            changes.added.discard(element)
        else:
            changes.removed.add(element)

    def take_changes(self) -> Changes:
        """What changed since the last call; the journal starts anew."""
        elements = {name: (one.added, one.removed) for name, one in self._elements.items()}
        changes = _changes(self.contents, self._old_chains, self._old_sets, elements)
        self._old_chains, self._old_sets, self._elements = {}, {}, {}
        return changes

    def _remember_chain(self, name: str) -> None:
        if name not in self._old_chains:
            self._old_chains[name] = self.contents.chains.get(name), self.contents.rules.get(name, ())


def difference(old: Contents, new: Contents) -> Changes | None:
    """What makes ``old`` equal ``new`` in place; None if an object of one name changed its nature.

    Then only replacing the table helps (spec/dataplane.md section 5.4, 3).
    """
    chain_names = old.chains.keys() | new.chains.keys()
    set_names = old.sets.keys() | new.sets.keys()
    if any(old.chains[name] != new.chains[name] for name in old.chains.keys() & new.chains.keys()):
        return None
    if any(old.sets[name] != new.sets[name] for name in old.sets.keys() & new.sets.keys()):
        return None
    chains = {name: (old.chains.get(name), old.rules.get(name, ())) for name in sorted(chain_names)}
    sets = {name: old.sets.get(name) for name in sorted(set_names)}
    return _changes(new, chains, sets, {name: _element_difference(old, new, name) for name in sorted(set_names)})


def _element_difference(old: Contents, new: Contents, name: str) -> _InAndOut:
    before, after = old.elements.get(name, _NO_ELEMENTS), new.elements.get(name, _NO_ELEMENTS)
    return after - before, before - after


def _changes(
    new: Contents,
    old_chains: dict[str, tuple[Chain | None, tuple[Rule, ...]]],
    old_sets: dict[str, Set | None],
    elements: Mapping[str, _InAndOut],
) -> Changes:
    """The changes of what was touched: what it was before, against what it is in ``new``."""
    chains = [
        (old_chain, bool(old_rules), new.chains.get(name), old_rules != new.rules.get(name, ()))
        for name, (old_chain, old_rules) in old_chains.items()
    ]
    kept = [(name, *in_and_out) for name, in_and_out in elements.items() if name in new.sets]
    return Changes(
        new_sets=tuple(new.sets[name] for name, old in old_sets.items() if old is None and name in new.sets),
        new_chains=tuple(chain for old, _, chain, _ in chains if chain is not None and old is None),
        rewritten=tuple(
            (chain, has_rules, new.rules[chain.name])
            for _, has_rules, chain, differs in chains
            if chain is not None and differs
        ),
        removed_elements=tuple((new.sets[name], _in_order(gone)) for name, _, gone in kept if gone),
        added_elements=tuple((new.sets[name], _in_order(come)) for name, come, _ in kept if come),
        dead_chains=tuple((old, has_rules) for old, has_rules, chain, _ in chains if chain is None and old is not None),
        dead_sets=tuple(old for name, old in old_sets.items() if old is not None and name not in new.sets),
    )


def _in_order(elements: AbstractSet[Element]) -> tuple[Element, ...]:
    return tuple(sorted(elements, key=lambda element: element.key))
