# SPDX-License-Identifier: Apache-2.0
"""nf_tables in memory: takes the very batches that the kernel gets and refuses what the kernel refuses.

Checked are names, kinds, references, overlaps, loops and the depth of jumps; the errors are the kernel's
(net/netfilter/nf_tables_api.c). A batch is applied whole or not at all.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from percale.dataplane.memory_set import MemorySet
from percale.netlink.nftables.connection import BatchError
from percale.netlink.nftables.expressions import VERDICT_REGISTER, Expression, Lookup, Masquerade, Nat, Reject, Verdict
from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table
from percale.netlink.nftables.operations import (
    Add,
    AddElements,
    Batch,
    Create,
    Delete,
    DeleteElements,
    Flush,
    Insert,
    Operation,
    Replace,
)
from percale.netlink.socket import NetlinkError

__all__ = ["MemoryNftables", "MemoryTable"]

_JUMP_DEPTH = 16  # NFT_JUMP_STACK_SIZE
_NAME_BYTES = 255  # NFT_NAME_MAXLEN less the final NUL
_REJECT_HOOKS = ("input", "forward", "output", "prerouting")


@dataclass(slots=True)
class MemoryTable:
    """One table: chains, their rules, sets with elements, and how often each chain and set is referred to."""

    table: Table
    chains: dict[str, Chain] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    sets: dict[str, MemorySet] = field(default_factory=dict)
    chain_uses: Counter[str] = field(default_factory=Counter)
    set_uses: Counter[str] = field(default_factory=Counter)

    def copy(self) -> MemoryTable:
        """A table of its own with the same content."""
        return MemoryTable(
            self.table,
            dict(self.chains),
            {name: list(rules) for name, rules in self.rules.items()},
            dict(self.sets),
            Counter(self.chain_uses),
            Counter(self.set_uses),
        )


class MemoryNftables:
    """The tables of one imaginary host; the same calls as ``NftSocket``."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], MemoryTable] = {}
        self._generation = 1
        self._next_handle = 1
        self.batches = 0

    def close(self) -> None:
        """Nothing needs closing."""

    def generation(self) -> int:
        """The number of the present generation; every commit raises it."""
        return self._generation

    def commit(self, batch: Batch) -> None:
        """Apply a batch whole or not at all; raises BatchError."""
        if not batch:
            return
        key = batch.table.family, batch.table.name
        old = self._tables.get(key)
        draft = _Draft(batch.table, old.copy() if old else None, self._next_handle)
        for position, operation in enumerate(batch.operations):
            try:
                draft.perform(operation)
            except NetlinkError as error:
                raise BatchError(error, operation, position, 1) from None
        try:
            draft.check_graph()
        except NetlinkError as error:
            raise BatchError(error, None, None, 1) from None
        if draft.content is None:
            self._tables.pop(key, None)
        else:
            self._tables[key] = draft.content
        self._next_handle = draft.next_handle
        self._generation += 1
        self.batches += 1

    def table(self, family: str, name: str) -> Table | None:
        """The table of that family and name, or None."""
        found = self._tables.get((family, name))
        return found.table if found else None

    def contents(self, family: str, name: str) -> MemoryTable | None:
        """All that a table holds, or None."""
        return self._tables.get((family, name))

    def tables(self) -> Iterator[MemoryTable]:
        """All tables with what they hold."""
        return iter(self._tables.values())

    def chains(self, table: Table) -> list[Chain]:
        """The chains of one table."""
        return list(self._of(table).chains.values())

    def sets(self, table: Table) -> list[Set]:
        """The sets and maps of one table, without their elements."""
        return [one.item for one in self._of(table).sets.values()]

    def rules(self, table: Table, chain: str = "") -> list[Rule]:
        """The rules of one table, or of one of its chains, in order."""
        rules = self._of(table).rules
        return [rule for name in ([chain] if chain else rules) for rule in rules[name]]

    def elements(self, table: Table, item: Set) -> list[Element]:
        """The elements of a set, in order of keys."""
        return list(self._of(table).sets[item.name])

    def _of(self, table: Table) -> MemoryTable:
        found = self._tables.get((table.family, table.name))
        if found is None:
            raise NetlinkError(errno.ENOENT, context=str(table))
        return found


class _Draft:
    """What a table will be when the batch that is being applied has come to its end."""

    def __init__(self, table: Table, content: MemoryTable | None, next_handle: int) -> None:
        self.table, self.content, self.next_handle = table, content, next_handle
        self._copied: set[str] = set()
        self._graph_changed = False

    @cached_property
    def _performers(self) -> dict[type, Callable[[Any], None]]:
        return {
            Add: self._add,
            Create: self._create,
            Insert: self._insert,
            Replace: self._replace,
            Delete: self._delete,
            Flush: self._flush,
            AddElements: self._add_elements,
            DeleteElements: self._delete_elements,
        }

    def perform(self, operation: Operation) -> None:
        """Perform one operation; raises NetlinkError."""
        self._performers[type(operation)](operation)

    def check_graph(self) -> None:
        """Refuse loops and too deep jumps (EMLINK), and expressions on hooks that they are not made for."""
        if self._graph_changed and self.content is not None:
            _Graph(self.content).check()

    @property
    def _held(self) -> MemoryTable:
        if self.content is None:
            raise NetlinkError(errno.ENOENT, context=str(self.table))
        return self.content

    def _add(self, operation: Add) -> None:
        match operation.item:
            case Table():
                if self.content is None:
                    self.content = MemoryTable(replace(operation.item, handle=self._handle()))
            case Chain() as chain:
                self._add_chain(chain)
            case Set() as item:
                self._add_set(item)
            case Rule() as rule:
                rules = self._rules(rule.chain)
                place = _position(rules, operation.after) + 1 if operation.after else len(rules)
                self._put_rule(rules, place, rule)

    def _create(self, operation: Create) -> None:
        match operation.item:
            case Table():
                exists = self.content is not None
            case Chain(name=name):
                exists = name in self._held.chains
            case Set(name=name):
                exists = name in self._held.sets
        if exists:
            raise NetlinkError(errno.EEXIST, str(operation.item))
        self._add(Add(operation.item))

    def _add_chain(self, chain: Chain) -> None:
        _check_name(chain.name)
        present = self._held.chains.get(chain.name)
        if present is None:
            self._held.chains[chain.name] = replace(chain, handle=self._handle())
            self._held.rules[chain.name] = []
        elif chain.is_base and present != chain:
            raise NetlinkError(errno.EEXIST, f"chain {chain.name} is there and differs")

    def _add_set(self, item: Set) -> None:
        _check_name(item.name)
        present = self._held.sets.get(item.name)
        if present is None:
            self._held.sets[item.name] = MemorySet(replace(item, handle=self._handle()))
            self._copied.add(item.name)
        elif present.item != item:
            raise NetlinkError(errno.EEXIST, f"set {item.name} is there and differs")

    def _insert(self, operation: Insert) -> None:
        rules = self._rules(operation.item.chain)
        self._put_rule(rules, _position(rules, operation.before) if operation.before else 0, operation.item)

    def _replace(self, operation: Replace) -> None:
        rules = self._rules(operation.item.chain)
        place = _position(rules, operation.handle)
        self._put_rule(rules, place, operation.item)
        self._refer(rules.pop(place + 1), -1)

    def _delete(self, operation: Delete) -> None:
        match operation.item:
            case Table():
                self._held  # noqa: B018 - ENOENT if it is not there
                self.content = None
            case Chain(name=name):
                rules = self._rules(name)
                self._refer_all(rules, -1)
                if self._held.chain_uses[name]:
                    raise NetlinkError(errno.EBUSY, f"chain {name} is in use")
                del self._held.chains[name], self._held.rules[name]
            case Set(name=name):
                elements = self._set(name)
                if self._held.set_uses[name]:
                    raise NetlinkError(errno.EBUSY, f"set {name} is in use")
                for element in elements:
                    self._refer_verdict(element.data, -1)
                del self._held.sets[name]
            case Rule(chain=name, handle=handle):
                rules = self._rules(name)
                self._refer(rules.pop(_position(rules, handle)), -1)

    def _flush(self, operation: Flush) -> None:
        if isinstance(operation.item, Chain):
            rules = self._rules(operation.item.name)
            self._refer_all(rules, -1)
            rules.clear()
            return
        for element in self._set(operation.item.name):
            self._refer_verdict(element.data, -1)
        self._held.sets[operation.item.name] = MemorySet(self._held.sets[operation.item.name].item)

    def _add_elements(self, operation: AddElements) -> None:
        members = self._writable(operation.set.name)
        for element in _elements(operation.elements):
            if members.item.is_map != (element.data is not None):
                raise NetlinkError(errno.EINVAL, f"{members.item.name}: data do not suit the set")
            self._check_verdict(element.data)
            if members.add(element):
                self._refer_verdict(element.data, 1)

    def _delete_elements(self, operation: DeleteElements) -> None:
        members = self._writable(operation.set.name)
        for element in _elements(operation.elements):
            self._refer_verdict(members.remove(element).data, -1)

    def _rules(self, chain: str) -> list[Rule]:
        if chain not in self._held.rules:
            raise NetlinkError(errno.ENOENT, f"there is no chain {chain}")
        return self._held.rules[chain]

    def _set(self, name: str) -> MemorySet:
        if name not in self._held.sets:
            raise NetlinkError(errno.ENOENT, f"there is no set {name}")
        return self._held.sets[name]

    def _writable(self, name: str) -> MemorySet:
        members = self._set(name)
        if members.item.constant and self._held.set_uses[name]:
            raise NetlinkError(errno.EBUSY, f"set {name} is constant and in use")
        if name not in self._copied:
            self._copied.add(name)
            members = self._held.sets[name] = members.copy()
        return members

    def _put_rule(self, rules: list[Rule], place: int, rule: Rule) -> None:
        for expression in rule.expressions:
            if isinstance(expression, Verdict):
                self._check_verdict(expression)
            elif isinstance(expression, Lookup):
                self._check_lookup(expression)
        rules.insert(place, replace(rule, handle=self._handle()))
        self._refer(rule, 1)
        self._graph_changed = True

    def _check_lookup(self, lookup: Lookup) -> None:
        item = self._set(lookup.set_name).item
        if (lookup.destination is not None) > item.is_map:
            raise NetlinkError(errno.EINVAL, f"{item.name} is no map")
        if (lookup.destination == VERDICT_REGISTER) != item.is_verdict_map and lookup.destination is not None:
            raise NetlinkError(errno.EINVAL, f"{item.name}: data do not suit the register")

    def _check_verdict(self, verdict: Verdict | bytes | None) -> None:
        if isinstance(verdict, Verdict) and verdict.chain:
            if verdict.chain not in self._held.chains:
                raise NetlinkError(errno.ENOENT, f"there is no chain {verdict.chain}")
            if self._held.chains[verdict.chain].is_base:
                raise NetlinkError(errno.EOPNOTSUPP, f"chain {verdict.chain} is a base chain")

    def _refer(self, rule: Rule, count: int) -> None:
        for expression in rule.expressions:
            if isinstance(expression, Verdict):
                self._refer_verdict(expression, count)
            elif isinstance(expression, Lookup):
                self._held.set_uses[expression.set_name] += count

    def _refer_all(self, rules: Iterable[Rule], count: int) -> None:
        for rule in rules:
            self._refer(rule, count)

    def _refer_verdict(self, verdict: Verdict | bytes | None, count: int) -> None:
        if isinstance(verdict, Verdict) and verdict.chain:
            self._held.chain_uses[verdict.chain] += count
            self._graph_changed = True

    def _handle(self) -> int:
        self.next_handle += 1
        return self.next_handle - 1


class _Graph:
    """The jumps of a table, from its base chains on."""

    def __init__(self, content: MemoryTable) -> None:
        self._content = content
        self._depths: dict[str, int] = {}
        self._open: set[str] = set()

    def check(self) -> None:
        for chain in self._content.chains.values():
            if chain.is_base and self._depth(chain.name) > _JUMP_DEPTH:
                raise NetlinkError(errno.EMLINK, f"jumps from {chain.name} go deeper than {_JUMP_DEPTH}")
        for chain in self._content.chains.values():
            if chain.is_base:
                self._check_expressions(chain)

    def _depth(self, name: str) -> int:
        """How many chains deep the walk from this one can go."""
        if name in self._open:
            raise NetlinkError(errno.EMLINK, f"chain {name} leads back to itself")
        if name not in self._depths:
            self._open.add(name)
            self._depths[name] = 1 + max(map(self._depth, self._next(name)), default=0)
            self._open.discard(name)
        return self._depths[name]

    def _next(self, name: str) -> set[str]:
        return {verdict.chain for rule in self._content.rules[name] for verdict in self._verdicts(rule)}

    def _verdicts(self, rule: Rule) -> Iterator[Verdict]:
        for expression in rule.expressions:
            if isinstance(expression, Verdict) and expression.chain:
                yield expression
            elif isinstance(expression, Lookup) and expression.destination == VERDICT_REGISTER:
                for element in self._content.sets[expression.set_name]:
                    if isinstance(element.data, Verdict) and element.data.chain:
                        yield element.data

    def _check_expressions(self, chain: Chain) -> None:
        for name in self._reachable(chain.name):
            for rule in self._content.rules[name]:
                for expression in rule.expressions:
                    if not _suits(expression, chain):
                        raise NetlinkError(errno.EOPNOTSUPP, f"{expression} does not suit {chain}")

    def _reachable(self, name: str) -> set[str]:
        found, pending = {name}, [name]
        while pending:
            for following in self._next(pending.pop()) - found:
                found.add(following)
                pending.append(following)
        return found


def _suits(expression: Expression, chain: Chain) -> bool:
    match expression:
        case Masquerade():
            return chain.type == "nat" and chain.hook == "postrouting"
        case Nat(kind="snat"):
            return chain.type == "nat" and chain.hook in ("postrouting", "input")
        case Nat(kind="dnat"):
            return chain.type == "nat" and chain.hook in ("prerouting", "output")
        case Reject():
            return chain.hook in _REJECT_HOOKS
    return True


def _check_name(name: str) -> None:
    if not 0 < len(name.encode()) <= _NAME_BYTES:
        raise NetlinkError(errno.ENAMETOOLONG if name else errno.EINVAL, name)


def _position(rules: list[Rule], handle: int) -> int:
    for position, rule in enumerate(rules):
        if rule.handle == handle:
            return position
    raise NetlinkError(errno.ENOENT, f"there is no rule with handle {handle}")


def _elements(members: Iterable[Element] | Iterable[bytes]) -> Iterator[Element]:
    return (Element(one) if isinstance(one, bytes) else one for one in members)
