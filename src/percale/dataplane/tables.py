# SPDX-License-Identifier: Apache-2.0
"""Our tables in nf_tables: read back, compared with what is desired, and programmed in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from percale.dataplane.layout import LAYOUT, LAYOUT_PREFIX
from percale.dataplane.ruleset import Contents, Ruleset, difference
from percale.errors import Refused
from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table
from percale.netlink.nftables.operations import Add, Batch, Delete

__all__ = ["Nftables", "Tables", "read_contents"]

_READ_ATTEMPTS = 8


class Nftables(Protocol):
    """nf_tables, of the kernel (``NftSocket``) or in memory."""

    def generation(self) -> int:
        """A number that every commit of anybody raises."""
        ...

    def table(self, family: str, name: str, /) -> Table | None:
        """The table of that family and name, or None."""
        ...

    def chains(self, table: Table, /) -> list[Chain]:
        """The chains of one table."""
        ...

    def sets(self, table: Table, /) -> list[Set]:
        """The sets and maps of one table, without their elements."""
        ...

    def rules(self, table: Table, /) -> list[Rule]:
        """The rules of one table, in order."""
        ...

    def elements(self, table: Table, item: Set, /) -> list[Element]:
        """The elements of a set."""
        ...

    def commit(self, batch: Batch, /) -> None:
        """Apply a batch whole or not at all; raises BatchError."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def read_contents(nftables: Nftables, table: Table) -> Contents | None:
    """All that a table holds at one moment, or None if there is no such table; raises NetlinkError."""
    for _ in range(_READ_ATTEMPTS):
        generation = nftables.generation()
        found = nftables.table(table.family, table.name)
        contents = _read(nftables, found) if found is not None else None
        if nftables.generation() == generation:
            return contents
    raise Refused(f"{table} could not be read: somebody else changes nftables all the time; find out who")


def _read(nftables: Nftables, table: Table) -> Contents:
    contents = Contents(table)
    contents.chains = {chain.name: chain for chain in nftables.chains(table)}
    # Anonymous sets come and go with the rule that uses them, which is no rule of ours.
    contents.sets = {one.name: one for one in nftables.sets(table) if not one.name.startswith("__")}
    contents.elements = {name: set(nftables.elements(table, one)) for name, one in contents.sets.items()}
    by_chain: dict[str, list[Rule]] = {name: [] for name in contents.chains}
    for rule in nftables.rules(table):
        by_chain[rule.chain].append(rule)
    contents.rules = {name: tuple(rules) for name, rules in by_chain.items()}
    return contents


class Tables:
    """The tables of some rulesets, kept equal to them.

    As long as nothing failed, what the kernel holds is what was last sent, so a plan is the rulesets' own journal.
    After ``distrust`` the next plan reads the tables back and compares them whole.
    """

    def __init__(self, nftables: Nftables, rulesets: Sequence[Ruleset], *, force: bool = False) -> None:
        self._nftables, self._rulesets, self._force = nftables, rulesets, force
        self._trusted = False
        self._realised: list[Contents | None] | None = None
        self.rereads = 0

    def read(self) -> None:
        """Read back what is there; raises Refused if a table of our name is somebody else's."""
        self._trusted = False
        self._realised = [read_contents(self._nftables, ruleset.table) for ruleset in self._rulesets]
        self.rereads += 1
        for contents in self._realised:
            if contents is not None and not self._force and not contents.table.comment.startswith(LAYOUT_PREFIX):
                raise Refused(
                    f"{contents.table} is not ours: its comment is {contents.table.comment!r}, not {LAYOUT!r};"
                    " choose another table name, or use force to replace it"
                )

    def distrust(self) -> None:
        """The tables may differ from what was sent last."""
        self._trusted = False
        self._realised = None

    def plan(self) -> tuple[Batch, ...]:
        """The batches that make the tables what the rulesets say; the journals start anew. Raises as ``read``."""
        if self._trusted:
            return tuple(
                Batch(one.table, operations)
                for one in self._rulesets
                for operations in one.take_changes().transactions()
            )
        if self._realised is None:
            self.read()
        assert self._realised is not None
        found = [_whole(old, new) for old, new in zip(self._realised, self._rulesets, strict=True)]
        for ruleset in self._rulesets:
            ruleset.take_changes()
        return tuple(batch for batches in found for batch in batches)

    def commit(self, batches: Iterable[Batch]) -> None:
        """Program the batches that ``plan`` gave; raises BatchError, after which the next plan reads all back."""
        try:
            for batch in batches:
                self._nftables.commit(batch)
        except BaseException:
            self.distrust()
            raise
        self._trusted, self._realised = True, None

    def uninstall(self) -> tuple[Batch, ...]:
        """The batches that remove our tables, as far as they are there and ours."""
        self.read()
        assert self._realised is not None
        present = [contents.table for contents in self._realised if contents is not None]
        return tuple(Batch(table, (Delete(table),)) for table in present)


def _whole(old: Contents | None, ruleset: Ruleset) -> tuple[Batch, ...]:
    """The batches from one content to the desired one; of another layout, or a stranger's, the table is replaced."""
    table = ruleset.table
    changes = difference(old, ruleset.contents) if old is not None and old.table.comment == LAYOUT else None
    if changes is not None:
        return tuple(Batch(table, operations) for operations in changes.transactions())
    whole = difference(Contents(table), ruleset.contents)
    assert whole is not None
    head = (Add(table),) if old is None else (Delete(old.table), Add(table))
    return (Batch(table, (*head, *whole.operations())),)
