# SPDX-License-Identifier: Apache-2.0
"""The allocator's view of a key-value store: records with their revisions, and writes that hold only if these do.

One `commit` is one transaction, so a handle and its block, or an affinity and its block, are never seen apart
(spec/ipam.md section 12 allows this; other implementations cannot tell).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from percale.datastore.keys import (
    HANDLES,
    IPAM_CONFIG,
    AffinityKey,
    BlockKey,
    HandleKey,
    KeyRange,
    affinity_range,
    block_range,
    ipam_host,
    parse,
    parse_affinity,
    resource_path,
    resource_range,
)
from percale.datastore.keyvalue import Compare, Delete, Get, Item, KeyValue, Operation, Put, Range
from percale.ipam.block import Block
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Network, Reservations, parse_network
from percale.ipam.pools import Pool
from percale.ipam.records import (
    Affinity,
    AffinityState,
    Handle,
    IpamConfig,
    decode_affinity,
    decode_block,
    decode_config,
    decode_handle,
    encode_affinity,
    encode_block,
    encode_config,
    encode_handle,
)
from percale.resources import Key, decode_json

__all__ = [
    "MAX_RETRIES",
    "IpamStore",
    "Stored",
    "Surroundings",
    "Write",
    "affinity_removal",
    "affinity_write",
    "block_removal",
    "block_write",
    "handle_removal",
    "handle_write",
    "retrying",
]

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_RETRIES = 100
"""How often a step is tried against other writers before the caller is told (spec/ipam.md section 12)."""


class Stored(NamedTuple, Generic[T]):
    """A record as read, and the revision that it had: what a write of it compares with."""

    value: T
    revision: int


class Write(NamedTuple):
    """One key's new value (None: gone), on condition that the key is still at ``expected`` (0: absent)."""

    key: str
    value: bytes | None
    expected: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an assignment depends on besides blocks, all of one revision; ``node_labels`` None is an unknown node."""

    config: IpamConfig
    pools: tuple[Pool, ...]
    reservations: Reservations
    node_labels: Mapping[str, str] | None
    affinities: tuple[tuple[Network, Stored[Affinity]], ...] = ()
    handle: Stored[Handle] | None = None


def retrying(what: str) -> Iterator[int]:
    """Count the tries of one step; raises IpamError when the last one is used up."""
    yield from range(MAX_RETRIES)
    raise IpamError(Reason.MAX_RETRIES, f"max retries: {what} was overtaken by others {MAX_RETRIES} times")


class IpamStore:
    """IPAM's records over any `KeyValue`; blocks come with everything freed whose cooldown has passed."""

    def __init__(self, keyvalue: KeyValue, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._keyvalue = keyvalue
        self._clock_ns = clock_ns

    @property
    def now(self) -> datetime:
        """The present time of the injected clock."""
        return datetime.fromtimestamp(self._clock_ns() / 1e9, UTC)

    def new_sequence(self) -> int:
        """Return the first sequence number of a new block: the time in nanoseconds."""
        return self._clock_ns()

    # Reading

    def surroundings(
        self, node: str = "", owner: str = "", version: int = 4, handle: str | None = None
    ) -> Surroundings:
        """Return configuration, pools, reservations, on request also a node's labels, an owner's blocks, a handle."""
        wanted = {
            "config": Get(IPAM_CONFIG),
            "pools": Get(*resource_range("IPPool")),
            "reservations": Get(*resource_range("IPReservation")),
        }
        if node:
            wanted["node"] = Get(resource_path(Key("Node", "", node)))
        if owner:
            wanted["affinities"] = Get(*_affinity_range(owner, version))
        if handle:
            wanted["handle"] = Get(_handle_path(handle))
        found = dict(zip(wanted, self._read(list(wanted.values())), strict=True))
        config, nodes, handles = found["config"], found.get("node"), found.get("handle")
        return Surroundings(
            config=decode_config(config[0].value if config else None),
            pools=tuple(pool for item in found["pools"] if (pool := _pool(item.value)) is not None),
            reservations=_reservations(tuple(item.value for item in found["reservations"])),
            node_labels=_labels(nodes[0].value) if nodes else None,
            affinities=tuple(_affinities(found.get("affinities", ()))),
            handle=Stored(decode_handle(handles[0].value), handles[0].mod_revision) if handles else None,
        )

    def config(self) -> IpamConfig:
        """Return the configuration, or the defaults; reading never writes it."""
        item = self._keyvalue.get(IPAM_CONFIG)
        return decode_config(item.value if item else None)

    def set_config(self, config: IpamConfig) -> None:
        """Store the configuration unless it is that already; raises IpamError for combinations that are not allowed."""
        config.check()
        for _ in retrying("the IPAM configuration"):
            item = self._keyvalue.get(IPAM_CONFIG)
            if decode_config(item.value if item else None) == config:
                return
            if self.commit(Write(IPAM_CONFIG, encode_config(config), item.mod_revision if item else 0)):
                return

    def block(self, network: Network, cooldown_s: int) -> Stored[Block] | None:
        """Return a block, None if it does not exist."""
        return self.blocks_of([network], cooldown_s)[0]

    def blocks_of(self, networks: Sequence[Network], cooldown_s: int) -> list[Stored[Block] | None]:
        """Return the blocks of several networks, in their order, None for those that do not exist."""
        answers = self._read([Get(_block_path(network)) for network in networks])
        return [self._block(items[0], cooldown_s) if items else None for items in answers]

    def blocks(self, cooldown_s: int, version: int | None = None) -> Iterator[Stored[Block]]:
        """Yield every block, of one IP version on request; one that can't be read is logged and left out."""
        for item in self._keyvalue.range(*block_range(version or 0)).items:
            try:
                yield self._block(item, cooldown_s)
            except IpamError as error:
                log.warning("unreadable block: key=%s error=%s", item.key, error)

    def blocks_as_stored(self) -> Iterator[Block]:
        """Yield every block as it is stored, nothing freed; one that can't be read is logged and left out."""
        for item in self._keyvalue.range(*block_range(0)).items:
            try:
                yield decode_block(item.value)
            except IpamError as error:
                log.warning("unreadable block: key=%s error=%s", item.key, error)

    def all_handles(self) -> Iterator[tuple[str, int]]:
        """Yield every handle that is stored, and the revision of its record."""
        for item in self._keyvalue.range(*KeyRange.prefix(HANDLES), keys_only=True).items:
            key = parse(item.key)
            if isinstance(key, HandleKey):
                yield key.handle, item.mod_revision

    def existing_blocks(self, version: int) -> set[Network]:
        """Return the networks of all blocks of an IP version."""
        items = self._keyvalue.range(*block_range(version), keys_only=True).items
        found = (parse(item.key) for item in items)
        return {parse_network(key.cidr) for key in found if isinstance(key, BlockKey)}

    def _block(self, item: Item, cooldown_s: int) -> Stored[Block]:
        return Stored(decode_block(item.value).collected(self.now, cooldown_s), item.mod_revision)

    def affinity(self, owner: str, network: Network) -> Stored[Affinity] | None:
        """Return the affinity of an owner to a block, None if there is none."""
        item = self._keyvalue.get(_affinity_path(owner, network))
        return Stored(decode_affinity(item.value), item.mod_revision) if item else None

    def affinity_and_block(
        self, owner: str, network: Network, cooldown_s: int
    ) -> tuple[Stored[Affinity] | None, Stored[Block] | None]:
        """Return the affinity of an owner to a block and the block, both of one revision."""
        affinity, block = self._read([Get(_affinity_path(owner, network)), Get(_block_path(network))])
        return (
            Stored(decode_affinity(affinity[0].value), affinity[0].mod_revision) if affinity else None,
            self._block(block[0], cooldown_s) if block else None,
        )

    def affinities(self, owner: str, version: int) -> list[tuple[Network, Stored[Affinity]]]:
        """Return the affinities of an owner, in order of keys."""
        (items,) = self._read([Get(*_affinity_range(owner, version))])
        return list(_affinities(items))

    def host_affinities(self) -> Iterator[tuple[str, Network]]:
        """Yield the owner and the block of every affinity of a host."""
        for item in self._keyvalue.range(*affinity_range(), keys_only=True).items:
            key = parse_affinity(item.key)
            if key is not None:
                yield f"{key.type}:{key.host}", parse_network(key.cidr)

    def handle(self, handle: str) -> Stored[Handle] | None:
        """Return the record of a handle, None if there is none."""
        item = self._keyvalue.get(_handle_path(handle))
        return Stored(decode_handle(item.value), item.mod_revision) if item else None

    def handles(self, handles: Sequence[str]) -> dict[str, Stored[Handle] | None]:
        """Return the records of several handles, None for those that do not exist."""
        answers = self._read([Get(_handle_path(handle)) for handle in handles])
        return {
            handle: Stored(decode_handle(items[0].value), items[0].mod_revision) if items else None
            for handle, items in zip(handles, answers, strict=True)
        }

    def _read(self, wanted: Sequence[Get]) -> list[tuple[Item, ...]]:
        answers: list[tuple[Item, ...]] = []
        limit = self._keyvalue.max_operations
        for first in range(0, len(wanted), limit):
            for response in self._keyvalue.txn(then=wanted[first : first + limit]).responses:
                assert isinstance(response, Range)
                answers.append(response.items)
        return answers

    # Writing

    @property
    def max_writes(self) -> int:
        """How many writes one commit may hold."""
        return self._keyvalue.max_operations

    def commit(self, *writes: Write) -> bool:
        """Do all the writes, or none if one of their keys has changed since; report which."""
        compares = [Compare(write.key, "mod_revision", "=", write.expected) for write in writes]
        changes: list[Operation] = [
            Delete(write.key) if write.value is None else Put(write.key, write.value) for write in writes
        ]
        return self._keyvalue.txn(compares, changes).succeeded

    def remove_host_marker(self, host: str) -> None:
        """Delete the obsolete marker of a host, if there is one."""
        self._keyvalue.delete(ipam_host(host))


def block_write(block: Block, expected: int) -> Write:
    """The write of a changed block, which gets the next sequence number; a new one (``expected`` 0) keeps its own."""
    return Write(_block_path(block.network), encode_block(block.bumped() if expected else block), expected)


def block_removal(block: Block, expected: int) -> Write:
    """The write that deletes a block."""
    return Write(_block_path(block.network), None, expected)


def affinity_write(owner: str, network: Network, state: AffinityState, expected: int) -> Write:
    """The write that brings an affinity into a state."""
    return Write(_affinity_path(owner, network), encode_affinity(state), expected)


def affinity_removal(owner: str, network: Network, expected: int) -> Write:
    """The write that deletes an affinity."""
    return Write(_affinity_path(owner, network), None, expected)


def handle_write(handle: str, stored: Stored[Handle] | None, block: Block) -> Write:
    """The write that brings a handle in line with what a block holds; without any address left the handle goes."""
    value, expected = stored or Stored(Handle(), 0)
    changed = value.with_count(block.cidr, len(block.addresses_of(handle)))
    return Write(_handle_path(handle), encode_handle(changed) if changed.blocks else None, expected)


def handle_removal(handle: str, expected: int) -> Write:
    """The write that deletes the record of a handle."""
    return Write(_handle_path(handle), None, expected)


def _block_path(network: Network) -> str:
    return BlockKey(str(network)).path


def _affinity_path(owner: str, network: Network) -> str:
    kind, _, name = owner.partition(":")
    return AffinityKey(str(network), name, kind).path


def _affinity_range(owner: str, version: int) -> KeyRange:
    kind, _, name = owner.partition(":")
    return affinity_range(kind, name, version)


def _handle_path(handle: str) -> str:
    return HandleKey(handle).path


def _affinities(items: Iterable[Item]) -> Iterator[tuple[Network, Stored[Affinity]]]:
    for item in items:
        key = parse_affinity(item.key)
        if key is not None:
            yield parse_network(key.cidr), Stored(decode_affinity(item.value), item.mod_revision)


# Pools, reservations and nodes hardly ever change; equal bytes are decoded once.


@lru_cache(maxsize=1024)
def _pool(value: bytes) -> Pool | None:
    try:
        return Pool.of(decode_json(value, "IPPool"))
    except ValueError as error:
        log.warning("pool left out, it cannot be read: error=%s", error)
        return None


@lru_cache(maxsize=16)
def _reservations(values: tuple[bytes, ...]) -> Reservations:
    networks: list[Network] = []
    for value in values:
        try:
            networks += Reservations.of(decode_json(value, "IPReservation").spec.reserved_cidrs).networks
        except ValueError as error:
            log.warning("reservation left out, it cannot be read: error=%s", error)
    return Reservations(tuple(networks))


@lru_cache(maxsize=64)
def _labels(value: bytes) -> Mapping[str, str]:
    labels: Mapping[str, str] = decode_json(value, "Node").labels
    return labels
