# SPDX-License-Identifier: Apache-2.0
"""Comparing what address management recorded with who uses addresses (spec/ipam.md section 11, *check*)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from percale.ipam.block import WINDOWS_RESERVED_HANDLE, Block, block_problems
from percale.ipam.networks import Address, parse_network
from percale.ipam.pools import Pool, pool_of

__all__ = ["Allocation", "Comparison", "HandleRecord", "Use", "compare"]


class Use(NamedTuple):
    """Somebody who uses an address: ``workload shop/web-1``."""

    address: Address
    owner: str


class HandleRecord(NamedTuple):
    """The record of a handle as it is stored, and the revision of that."""

    handle: str
    revision: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """One address as its block has it; ``owners`` are those who use it, ``cooling`` one was released already."""

    address: Address
    handle: str = ""
    sequence: int | None = None
    notes: Mapping[str, str] | None = None
    borrowed: bool = False
    cooling: bool = False
    owners: tuple[str, ...] = ()

    @property
    def is_leaked(self) -> bool:
        """Whether nobody uses the address although it is allocated; what a host reserved for itself is in use."""
        return not self.owners and not self.cooling and self.handle.lower() != WINDOWS_RESERVED_HANDLE


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found.

    ``outside`` are uses of addresses in no enabled pool, ``unallocated`` those of addresses that a pool has and nobody
    gave out; ``empty_handles`` have no address, ``missing_handles`` are named by addresses and not stored; ``damaged``
    says what is wrong inside blocks.
    """

    allocations: tuple[Allocation, ...]
    outside: tuple[Use, ...]
    unallocated: tuple[Use, ...]
    empty_handles: tuple[HandleRecord, ...]
    missing_handles: tuple[str, ...]
    damaged: tuple[str, ...]

    @property
    def leaks(self) -> tuple[Allocation, ...]:
        """The addresses that are allocated, and that nobody uses."""
        return tuple(allocation for allocation in self.allocations if allocation.is_leaked)

    @property
    def problems(self) -> int:
        """How many problems these are; a missing handle is none, since the next release does without it."""
        found = (self.leaks, self.outside, self.unallocated, self.empty_handles, self.damaged)
        return sum(map(len, found))


def compare(
    blocks: Iterable[Block], handles: Iterable[HandleRecord], pools: Iterable[Pool], uses: Iterable[Use]
) -> Comparison:
    """Return what is wrong between the records and the uses; all of them should be read one after the other."""
    owners: dict[Address, list[str]] = defaultdict(list)
    for use in uses:
        owners[use.address].append(use.owner)
    allocations: list[Allocation] = []
    damaged: list[str] = []
    for block in blocks:
        damaged += block_problems(block)
        allocations += _allocations(block, owners)
    active = [pool for pool in pools if pool.enabled]
    outside, unallocated = _without_allocation(owners, active, {allocation.address for allocation in allocations})
    named = {allocation.handle for allocation in allocations if allocation.handle}
    stored = list(handles)
    return Comparison(
        allocations=tuple(allocations),
        outside=tuple(outside),
        unallocated=tuple(unallocated),
        empty_handles=tuple(record for record in stored if record.handle not in named),
        missing_handles=tuple(sorted(named - {record.handle for record in stored} - {WINDOWS_RESERVED_HANDLE})),
        damaged=tuple(damaged),
    )


def _allocations(block: Block, owners: Mapping[Address, list[str]]) -> Iterator[Allocation]:
    for ordinal, index in enumerate(block.allocations):
        if index is None or not 0 <= index < len(block.attributes):
            continue
        attribute, address = block.attributes[index], block.address(ordinal)
        node = (attribute.secondary or {}).get("node")
        yield Allocation(
            address=address,
            handle=attribute.canonical_handle or "",
            sequence=block.sequences.get(ordinal),
            notes=attribute.secondary,
            borrowed=node is not None and node != block.host,
            cooling=attribute.released_at is not None,
            owners=tuple(owners.get(address, ())),
        )


def _without_allocation(
    owners: Mapping[Address, list[str]], active: list[Pool], allocated: set[Address]
) -> tuple[list[Use], list[Use]]:
    outside: list[Use] = []
    unallocated: list[Use] = []
    for address in sorted(owners, key=lambda address: (address.version, int(address))):
        found = [Use(address, owner) for owner in owners[address]]
        if pool_of(active, parse_network(str(address))) is None:
            outside += found
        elif address not in allocated:
            unallocated += found
    return outside, unallocated
