# SPDX-License-Identifier: Apache-2.0
"""A block: the state of every address in one slice of a pool, and the pure operations on it (spec/ipam.md section 3).

A block is a value: each operation returns a new one. Writing it by compare-and-swap is the store's task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Address, Network, Reservations

__all__ = ["WINDOWS_RESERVED_HANDLE", "Attribute", "Block", "HostReserved", "Release", "Released", "block_problems"]

WINDOWS_RESERVED_HANDLE = "windows-reserved-ipam-handle"


@dataclass(frozen=True, slots=True)
class Attribute:
    """Who has an address: the handle and what its owner noted, or since when it cools down."""

    handle: str | None = None
    secondary: Mapping[str, str] | None = None
    alternate: Mapping[str, str] | None = None
    released_at: datetime | None = None

    @property
    def canonical_handle(self) -> str | None:
        """The handle without what follows a carriage return, a malformation of old data."""
        return None if self.handle is None else self.handle.partition("\r")[0]


class HostReserved(NamedTuple):
    """How many addresses at both ends of a new block belong to its host, for whom, and why."""

    start: int
    end: int
    handle: str
    note: str = ""


class Release(NamedTuple):
    """One address to be given back; a handle or sequence number that is given must be the address's own."""

    address: Address
    handle: str | None = None
    sequence: int | None = None


class Released(NamedTuple):
    """What a release made: the new block, the addresses freed and those that nobody had, the handles that lost some."""

    block: Block
    addresses: tuple[Address, ...] = ()
    unallocated: tuple[Address, ...] = ()
    handles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One aligned slice of a pool; ``unallocated`` is a queue: taken from the head, given back at the tail.

    ``affinity`` is ``host:<node>``, ``virtual:<name>`` or None; ``sequences`` holds, by ordinal, the block's sequence
    number at the time of the allocation.
    """

    network: Network
    affinity: str | None
    claim_time: datetime | None
    allocations: tuple[int | None, ...]
    unallocated: tuple[int, ...]
    attributes: tuple[Attribute, ...] = ()
    sequence: int = 0
    sequences: Mapping[int, int] = field(default_factory=dict)
    deleted: bool = False

    @classmethod
    def create(
        cls,
        network: Network,
        affinity: str | None,
        now: datetime,
        sequence: int,
        reserved: HostReserved | None = None,
    ) -> Block:
        """Return a new block whose addresses are all free, except those at its ends that the host reserves."""
        size = network.num_addresses
        taken: set[int] = set()
        attributes: tuple[Attribute, ...] = ()
        if reserved is not None:
            taken = {*range(reserved.start), *range(size - reserved.end, size)}
            attributes = (Attribute(reserved.handle, {"note": reserved.note}),)
        return cls(
            network=network,
            affinity=affinity,
            claim_time=now.replace(microsecond=0) if affinity is not None else None,
            allocations=tuple(0 if ordinal in taken else None for ordinal in range(size)),
            unallocated=tuple(ordinal for ordinal in range(size) if ordinal not in taken),
            attributes=attributes,
            sequence=sequence,
        )

    # Reading

    @property
    def cidr(self) -> str:
        """The block's network as text."""
        return str(self.network)

    @property
    def host(self) -> str | None:
        """The owner's name if the owner is a host."""
        kind, _, name = (self.affinity or "").partition(":")
        return name if kind == "host" else None

    @property
    def is_empty(self) -> bool:
        """Whether no address is in use; cooling ones are, those reserved for Windows are not."""
        return all(
            index is None or (self.attributes[index].handle or "").lower() == WINDOWS_RESERVED_HANDLE
            for index in self.allocations
        )

    def address(self, ordinal: int) -> Address:
        """Return the address of an ordinal."""
        return self.network.network_address + ordinal

    def ordinal(self, address: Address) -> int:
        """Return the place of an address in this block; raises ValueError if it lies outside."""
        if address.version != self.network.version or address not in self.network:
            raise ValueError(f"{address} is not in block {self.network}")
        return int(address) - int(self.network.network_address)

    def attribute(self, address: Address) -> Attribute | None:
        """Return who has the address, None if it is free."""
        index = self.allocations[self.ordinal(address)]
        return None if index is None else self.attributes[index]

    def addresses_of(self, handle: str) -> list[Address]:
        """Return the addresses in use under a handle, ascending."""
        ours = {index for index, item in enumerate(self.attributes) if item.canonical_handle == handle}
        return [self.address(ordinal) for ordinal, index in enumerate(self.allocations) if index in ours]

    def free_ordinals(self, reservations: Reservations) -> list[int]:
        """Return the free ordinals that are not reserved, in order of use."""
        if not reservations.networks:
            return list(self.unallocated)
        return [ordinal for ordinal in self.unallocated if not reservations.contains(self.address(ordinal))]

    def require_owner(self, owner: str) -> None:
        """Raise IpamError unless ``owner`` has this block."""
        if self.affinity is None:
            raise IpamError(Reason.NO_AFFINITY, f"block {self.network} has no owner, {owner} asked for it")
        if self.affinity != owner:
            raise IpamError(
                Reason.AFFINITY_MISMATCH, f"block {self.network} belongs to {self.affinity}, not to {owner}"
            )

    # Allocation

    def auto_assigned(self, count: int, owner: Attribute, reservations: Reservations) -> tuple[Block, list[Address]]:
        """Return the block with up to ``count`` free addresses given to ``owner``, and these in order of use."""
        ordinals = self.free_ordinals(reservations)[:count]
        if not ordinals:
            return self, []
        return self._allocated(ordinals, owner), [self.address(ordinal) for ordinal in ordinals]

    def assigned(self, address: Address, owner: Attribute) -> Block:
        """Return the block with this very address given to ``owner``; raises IpamError if it is taken."""
        ordinal = self.ordinal(address)
        if self.allocations[ordinal] is not None:
            raise IpamError(Reason.ALREADY_EXISTS, f"address {address} is already assigned in block {self.network}")
        return self._allocated([ordinal], owner)

    def _allocated(self, ordinals: Sequence[int], owner: Attribute) -> Block:
        attributes, index = self._with_attribute(owner)
        allocations = list(self.allocations)
        for ordinal in ordinals:
            allocations[ordinal] = index
        taken = set(ordinals)
        return replace(
            self,
            allocations=tuple(allocations),
            unallocated=tuple(ordinal for ordinal in self.unallocated if ordinal not in taken),
            attributes=attributes,
            sequences={**self.sequences, **dict.fromkeys(ordinals, self.sequence)},
        )

    def _with_attribute(self, owner: Attribute) -> tuple[tuple[Attribute, ...], int]:
        for index, known in enumerate(self.attributes):
            if known == owner:
                return self.attributes, index
        return (*self.attributes, owner), len(self.attributes)

    # Release

    def released(self, releases: Iterable[Release], now: datetime, cooldown_s: int = 0) -> Released:
        """Return the block without these addresses; what nobody has is reported, not an error.

        Raises IpamError if a handle or sequence number is not the address's own; then nothing is released.
        """
        unallocated: list[Address] = []
        ordinals: set[int] = set()
        for release in releases:
            ordinal = self.ordinal(release.address)
            attribute = self.attribute(release.address)
            if attribute is None or attribute.released_at is not None:
                unallocated.append(release.address)
                continue
            self._require_match(release, ordinal, attribute)
            ordinals.add(ordinal)
        return self._freed(ordinals, now, cooldown_s)._replace(unallocated=tuple(dict.fromkeys(unallocated)))

    def released_by_handle(self, handle: str, now: datetime, cooldown_s: int = 0) -> Released:
        """Return the block without the addresses of a handle; the same block if there is none."""
        return self._freed({self.ordinal(address) for address in self.addresses_of(handle)}, now, cooldown_s)

    def _require_match(self, release: Release, ordinal: int, attribute: Attribute) -> None:
        if release.sequence is not None and release.sequence != self.sequences.get(ordinal, 0):
            raise IpamError(
                Reason.BAD_SEQUENCE_NUMBER,
                f"address {release.address} was given out again since: its sequence number is "
                f"{self.sequences.get(ordinal, 0)}, not {release.sequence}",
            )
        if release.handle is not None and release.handle != attribute.canonical_handle:
            raise IpamError(
                Reason.BAD_HANDLE,
                f"address {release.address} belongs to handle {attribute.canonical_handle!r}, not {release.handle!r}",
            )

    def _freed(self, ordinals: set[int], now: datetime, cooldown_s: int) -> Released:
        if not ordinals:
            return Released(self)
        ascending = sorted(ordinals)
        owners = (self.attributes[index] for ordinal in ascending if (index := self.allocations[ordinal]) is not None)
        handles = tuple(dict.fromkeys(owner.canonical_handle for owner in owners if owner.canonical_handle))
        cooling = replace(
            self,
            attributes=(*self.attributes, Attribute(released_at=now.replace(microsecond=0))),
            allocations=tuple(
                len(self.attributes) if ordinal in ordinals else index for ordinal, index in enumerate(self.allocations)
            ),
            sequences={**self.sequences, **dict.fromkeys(ascending, self.sequence)},
        )
        addresses = tuple(self.address(ordinal) for ordinal in ascending)
        return Released(cooling.collected(now, cooldown_s), addresses, handles=handles)

    def collected(self, now: datetime, cooldown_s: int = 0) -> Block:
        """Return the block with cooled addresses free again, at the tail of the queue, and unused attributes gone.

        Done after every read: it is the only way for an address to become free. A negative cooldown frees all.
        """
        limit = timedelta(seconds=cooldown_s)
        due = {
            index
            for index, item in enumerate(self.attributes)
            if item.released_at is not None and (cooldown_s < 0 or now - item.released_at >= limit)
        }
        freed = [ordinal for ordinal, index in enumerate(self.allocations) if index in due] if due else []
        used = {index for index in self.allocations if index is not None} - due
        if not freed and len(used) == len(self.attributes):
            return self
        number = {old: new for new, old in enumerate(sorted(used))}
        gone = set(freed)
        return replace(
            self,
            allocations=tuple(None if index is None else number.get(index) for index in self.allocations),
            unallocated=(*self.unallocated, *freed),
            attributes=tuple(self.attributes[old] for old in sorted(used)),
            sequences={ordinal: value for ordinal, value in self.sequences.items() if ordinal not in gone},
        )

    # The block as a whole

    def bumped(self) -> Block:
        """Return the block with the next sequence number, as every update of a stored block must have."""
        return replace(self, sequence=self.sequence + 1)

    def without_owner(self) -> Block:
        """Return the block with its affinity given up."""
        return replace(self, affinity=None, claim_time=None)

    def with_attribute(self, address: Address, attribute: Attribute) -> Block:
        """Return the block with another attribute for one address in use; what nobody refers to then is dropped."""
        ordinal = self.ordinal(address)
        attributes, index = self._with_attribute(attribute)
        allocations = (*self.allocations[:ordinal], index, *self.allocations[ordinal + 1 :])
        used = sorted({number for number in allocations if number is not None})
        renumbered = {old: new for new, old in enumerate(used)}
        return replace(
            self,
            attributes=tuple(attributes[old] for old in used),
            allocations=tuple(None if number is None else renumbered[number] for number in allocations),
        )


def block_problems(block: Block) -> list[str]:
    """Return what is wrong inside a stored block, a sentence each; empty for a sane one (spec/ipam.md section 2.1)."""
    size = block.network.num_addresses
    problems = []
    if len(block.allocations) != size:
        problems.append(f"block {block.network} has {len(block.allocations)} allocations for {size} addresses")
    used = {index for index in block.allocations if index is not None}
    if any(not 0 <= index < len(block.attributes) for index in used):
        problems.append(f"block {block.network} has an allocation without attribute")
    if len(used & set(range(len(block.attributes)))) != len(block.attributes):
        problems.append(f"block {block.network} has an attribute without allocation")
    free = block.unallocated
    if len(set(free)) != len(free):
        problems.append(f"block {block.network} lists a free address twice")
    if any(not 0 <= ordinal < size for ordinal in free):
        problems.append(f"block {block.network} lists a free address outside itself")
    elif any(block.allocations[ordinal] is not None for ordinal in free if ordinal < len(block.allocations)):
        problems.append(f"block {block.network} lists an address as free that is allocated")
    if len(free) + sum(index is not None for index in block.allocations) != size:
        problems.append(f"block {block.network} loses addresses: free and used ones together are not {size}")
    return problems
