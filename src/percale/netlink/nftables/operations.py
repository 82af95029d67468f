# SPDX-License-Identifier: Apache-2.0
"""What to change in one table, as values: operations in nft's verbs, and the batch applied whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table

__all__ = [
    "Add",
    "AddElements",
    "Batch",
    "Create",
    "Delete",
    "DeleteElements",
    "Flush",
    "Insert",
    "Members",
    "Operation",
    "Replace",
]

Members: TypeAlias = Sequence[Element] | Sequence[bytes]
"""Elements, or the bare keys of a set without data and intervals (the quick form for many)."""


@dataclass(frozen=True, slots=True)
class Add:
    """Add an object; a table, chain or set that is there already stays as it is. A rule goes to the end of its chain.

    A rule with ``after`` (a handle) goes behind that rule.
    """

    item: Table | Chain | Set | Rule
    after: int = 0


@dataclass(frozen=True, slots=True)
class Create:
    """Add a table, chain or set that must not be there yet (else EEXIST)."""

    item: Table | Chain | Set


@dataclass(frozen=True, slots=True)
class Insert:
    """Put a rule at the head of its chain, or before the rule with handle ``before``."""

    item: Rule
    before: int = 0


@dataclass(frozen=True, slots=True)
class Replace:
    """Put a rule in the place of the one with this handle."""

    item: Rule
    handle: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object (else ENOENT); a rule is found by its handle. A chain or set must not be in use (else EBUSY)."""

    item: Table | Chain | Set | Rule


@dataclass(frozen=True, slots=True)
class Flush:
    """Delete all rules of a chain, or all elements of a set."""

    item: Chain | Set


@dataclass(frozen=True, slots=True)
class AddElements:
    """Add elements to a set; an element that is there already stays, but other data for its key are EEXIST."""

    set: Set
    elements: Members


@dataclass(frozen=True, slots=True)
class DeleteElements:
    """Delete elements from a set; one that is not there fails the batch (ENOENT)."""

    set: Set
    elements: Members


Operation: TypeAlias = Add | Create | Insert | Replace | Delete | Flush | AddElements | DeleteElements


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations on one table, in order, that the kernel applies whole or not at all; prints as ``nft`` text."""

    table: Table
    operations: tuple[Operation, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def __str__(self) -> str:
        from percale.netlink.nftables.text import batch_text  # it imports this module

        return batch_text(self)
