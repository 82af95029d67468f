# SPDX-License-Identifier: Apache-2.0
"""IP address management as its callers use it: addresses for workloads, blocks for hosts (spec/ipam.md)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from percale.datastore.keyvalue import KeyValue
from percale.datastore.seams import Datastore
from percale.errors import NotSupported
from percale.ipam.assignment import AutoAssignment
from percale.ipam.block import Attribute, Block, Release, block_problems
from percale.ipam.check import Comparison, HandleRecord, Use, compare
from percale.ipam.claims import Claims
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Address, Network, parse_address, parse_network, subnet, within
from percale.ipam.order import block_count
from percale.ipam.pools import Pool, enabled_pools, pool_of
from percale.ipam.records import IpamConfig
from percale.ipam.release import ReleaseOutcome, Releaser
from percale.ipam.request import NOTHING, Assigned, AutoRequest
from percale.ipam.store import IpamStore, Stored, block_write, handle_removal, handle_write, retrying
from percale.ipam.usage import PoolUsage, utilization

__all__ = ["Assignment", "Ipam"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """The answer to an automatic assignment, family by family; one that was not reached or not wanted is empty."""

    v4: Assigned = NOTHING
    v6: Assigned = NOTHING

    @property
    def error(self) -> IpamError | None:
        """What ended the request, None if nothing did; a shortfall is no error."""
        return self.v4.error or self.v6.error


class Ipam:
    """The allocator over one key-value store; any number of hosts and processes may use the same store at once."""

    def __init__(self, keyvalue: KeyValue, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._store = IpamStore(keyvalue, clock_ns=clock_ns)
        self._claims = Claims(self._store)
        self._releaser = Releaser(self._store, self._claims)

    @classmethod
    def of(cls, datastore: Datastore) -> Self:
        """Return the allocator in a datastore's own store of keys and values; raises NotSupported if it has none."""
        keyvalue = getattr(datastore, "keyvalue", None)
        if keyvalue is None:
            raise NotSupported("address assignment", "IPPool", reason="this datastore is no store of keys and values")
        return cls(keyvalue)

    # Addresses

    def auto_assign(self, request: AutoRequest) -> Assignment:
        """Assign addresses of the request's choice of pools, IPv4 first; an error ends it, what was found stays."""
        v4 = self._auto(request, 4, request.num4)
        if v4.error is not None:
            return Assignment(v4=v4)
        return Assignment(v4, self._auto(request, 6, request.num6))

    def _auto(self, request: AutoRequest, version: int, count: int) -> Assigned:
        return AutoAssignment(self._store, self._claims, request, version, count).run() if count else NOTHING

    def assign(
        self,
        address: Address,
        host: str,
        handle: str | None = None,
        attributes: Mapping[str, str] | None = None,
        *,
        use: str = "",
        max_per_handle: int = 0,
    ) -> None:
        """Assign this very address; its block becomes the host's if it does not exist yet.

        Raises IpamError: not in an enabled pool, use not allowed, already assigned, of another host's block where
        affinity is strict, more than the handle may have.
        """
        surroundings = self._store.surroundings(handle=handle)
        pool = pool_of(enabled_pools(surroundings.pools, address.version), parse_network(str(address)))
        if pool is None:
            raise IpamError(Reason.IP_NOT_IN_POOL, f"address {address} is in no enabled pool")
        if use and use not in pool.allowed_uses:
            raise IpamError(Reason.USE_NOT_ALLOWED, f"pool {pool.name} does not allow the use {use}")
        if max_per_handle and handle and self._has_its_share(address, handle, max_per_handle):
            return
        owner, config = f"host:{host}", surroundings.config
        network = pool.block_of(address)
        attribute = Attribute(handle or None, dict(attributes) if attributes else None)
        for _ in retrying(f"the assignment of {address}"):
            stored = self._store.block(network, config.cooldown_s) or self._claimed(owner, network, config)
            if stored is None:
                continue
            if config.strict_affinity:
                stored.value.require_owner(owner)
            block = stored.value.assigned(address, attribute)
            writes = [block_write(block, stored.revision)]
            if handle:
                writes.append(handle_write(handle, self._store.handle(handle), block))
            if self._store.commit(*writes):
                return

    def _claimed(self, owner: str, network: Network, config: IpamConfig) -> Stored[Block] | None:
        try:
            return self._claims.claim(owner, network, config.cooldown_s)
        except IpamError as error:
            if error.reason is not Reason.CLAIM_CONFLICT:
                raise
            return None

    def _has_its_share(self, address: Address, handle: str, limit: int) -> bool:
        """Report whether the handle has this address already; raises IpamError if it has others enough."""
        held = [item for item in self._addresses(handle) if item.version == address.version]
        if address in held:
            return True
        if len(held) >= limit:
            raise IpamError(Reason.MAX_ALLOC, f"handle {handle!r} has {len(held)} addresses and may have {limit}")
        return False

    def release(self, releases: Iterable[Release]) -> ReleaseOutcome:
        """Free addresses, on condition of their handle or sequence number where given; never raises IpamError."""
        return self._releaser.release(releases)

    def release_addresses(self, addresses: Iterable[str]) -> ReleaseOutcome:
        """Free addresses given as text (``192.0.2.1``) without any condition."""
        return self.release(Release(parse_address(address)) for address in addresses)

    def release_by_handle(self, handle: str) -> tuple[Address, ...]:
        """Free every address of a handle and return them; raises IpamError (not found) for an unknown handle."""
        return self._releaser.release_by_handle(handle)

    def addresses_of(self, handle: str) -> tuple[Address, ...]:
        """Return the addresses of a handle, ascending; raises IpamError (not found) for an unknown handle."""
        if self._store.handle(handle) is None:
            raise IpamError(Reason.NOT_FOUND, f"handle {handle!r} does not exist")
        return self._addresses(handle)

    def _addresses(self, handle: str) -> tuple[Address, ...]:
        stored = self._store.handle(handle)
        networks = [parse_network(cidr) for cidr in stored.value.blocks] if stored else []
        blocks = self._store.blocks_of(networks, self.config().cooldown_s)
        found = [address for block in blocks if block for address in block.value.addresses_of(handle)]
        return tuple(sorted(found, key=lambda address: (address.version, int(address))))

    def attributes_of(self, address: Address) -> Attribute:
        """Return who has an address; raises IpamError: not found if nobody, in cooldown if nobody any more."""
        attribute = self._block_of(address).value.attribute(address)
        if attribute is None:
            raise IpamError(Reason.NOT_FOUND, f"address {address} is not assigned")
        if attribute.released_at is not None:
            raise IpamError(Reason.IP_IN_COOLDOWN, f"address {address} was released and cools down")
        return attribute

    def set_owner(
        self, address: Address, handle: str, *, expected: Attribute | None = None, **changes: Mapping[str, str] | None
    ) -> None:
        """Replace what the owner of an address noted: ``secondary``, ``alternate``, or both; None clears.

        Raises IpamError: not found, wrong handle, conflict unless ``expected`` (its pod and namespace) holds.
        """
        for _ in retrying(f"the owner of {address}"):
            stored = self._block_of(address)
            attribute = stored.value.attribute(address)
            if attribute is None or attribute.released_at is not None:
                raise IpamError(Reason.NOT_FOUND, f"address {address} is not assigned")
            if attribute.canonical_handle != handle:
                raise IpamError(
                    Reason.WRONG_HANDLE, f"address {address} belongs to handle {attribute.canonical_handle!r}"
                )
            if expected is not None and not _same_owner(attribute.secondary, expected.secondary):
                raise IpamError(Reason.CONFLICT, f"address {address} has another owner than expected")
            block = stored.value.with_attribute(address, replace(attribute, **changes))  # type: ignore[arg-type]
            if self._store.commit(block_write(block, stored.revision)):
                return

    def _block_of(self, address: Address) -> Stored[Block]:
        surroundings = self._store.surroundings()
        pool = pool_of(enabled_pools(surroundings.pools, address.version), parse_network(str(address)))
        stored = self._store.block(pool.block_of(address), surroundings.config.cooldown_s) if pool else None
        if stored is None:
            raise IpamError(Reason.NOT_FOUND, f"address {address} is not assigned")
        return stored

    # Blocks

    def ensure_block(self, request: AutoRequest, version: int = 4) -> Network:
        """Make the request's host own a usable block and return its network; raises IpamError."""
        return AutoAssignment(self._store, self._claims, request, version, 0).ensure_block()

    def claim(self, network: Network, host: str) -> tuple[list[Network], list[Network]]:
        """Make the host own all blocks of a network; return those it has got and those that others have.

        Raises IpamError if the network is in no enabled pool, or smaller than a block.
        """
        surroundings = self._store.surroundings()
        pool = pool_of(enabled_pools(surroundings.pools, network.version), network)
        if pool is None:
            raise IpamError(Reason.CIDR_NOT_IN_POOL, f"{network} is in no enabled pool")
        claimed: list[Network] = []
        failed: list[Network] = []
        for block in _blocks_in(network, pool):
            got = self._claimed(f"host:{host}", block, surroundings.config)
            (failed if got is None else claimed).append(block)
        return claimed, failed

    def release_affinity(self, network: Network, host: str, *, must_be_empty: bool = False) -> None:
        """Take all blocks of a network from a host; those that are not its own are left alone.

        Raises IpamError if the network is in no pool or smaller than a block, or a block has addresses in use.
        """
        surroundings = self._store.surroundings()
        pool = pool_of(surroundings.pools, network)
        if pool is None:
            raise IpamError(Reason.CIDR_NOT_IN_POOL, f"{network} is in no pool")
        for block in _blocks_in(network, pool):
            self._claims.release_if_owned(
                f"host:{host}", block, surroundings.config.cooldown_s, must_be_empty=must_be_empty
            )

    def release_host(self, host: str, *, must_be_empty: bool = False) -> None:
        """Take all blocks from a host; raises the last IpamError after all have been tried."""
        owner = f"host:{host}"
        blocks = [network for version in (4, 6) for network, _ in self._store.affinities(owner, version)]
        self._release_all(((owner, network) for network in blocks), must_be_empty=must_be_empty)

    def release_pool(self, cidr: Network | str) -> None:
        """Take all blocks inside a pool's network from the hosts that own them; raises the last IpamError."""
        network = parse_network(str(cidr))
        owned = [(owner, block) for owner, block in self._store.host_affinities() if within(block, network)]
        self._release_all(owned, must_be_empty=False)

    def remove_host(self, host: str) -> None:
        """Take all blocks from a host that is gone and forget it; its addresses stay assigned."""
        self.release_host(host)
        self._store.remove_host_marker(host)

    def _release_all(self, owned: Iterable[tuple[str, Network]], *, must_be_empty: bool) -> None:
        cooldown_s = self.config().cooldown_s
        last: IpamError | None = None
        for owner, network in owned:
            try:
                self._claims.release_if_owned(owner, network, cooldown_s, must_be_empty=must_be_empty)
            except IpamError as error:
                last = error
        if last is not None:
            raise last

    # The whole

    def config(self) -> IpamConfig:
        """Return the configuration, or the defaults; reading never writes it."""
        return self._store.config()

    def set_config(self, config: IpamConfig) -> None:
        """Store the configuration; raises IpamError for combinations that are not allowed."""
        self._store.set_config(config)

    def pools(self) -> tuple[Pool, ...]:
        """Return every pool, enabled or not, in order of names."""
        return self._store.surroundings().pools

    def blocks(self) -> list[Block]:
        """Return every block, in order of keys."""
        return [stored.value for stored in self._store.blocks(self.config().cooldown_s)]

    def compare(self, uses: Iterable[Use]) -> Comparison:
        """Compare the records with who uses addresses; which of the two is right only their owners know."""
        cooldown_s = self.config().cooldown_s
        blocks = [_collected(block, self._store.now, cooldown_s) for block in self._store.blocks_as_stored()]
        handles = [HandleRecord(*found) for found in self._store.all_handles()]
        return compare(blocks, handles, self.pools(), uses)

    def forget_handle(self, record: HandleRecord) -> bool:
        """Delete the record of a handle unless it was changed since; report whether it was deleted."""
        return self._store.commit(handle_removal(record.handle, record.revision))

    def utilization(self, pools: Iterable[str] = ()) -> list[PoolUsage]:
        """Return the use of the named pools; of all of them, and of blocks outside any, if none is named."""
        surroundings = self._store.surroundings()
        names = set(pools)
        chosen = [pool for pool in surroundings.pools if not names or pool.name in names]
        return utilization(chosen, self.blocks(), surroundings.reservations, orphans=not names)


def _collected(block: Block, now: datetime, cooldown_s: int) -> Block:
    """A sane block without what has cooled down; a damaged one as it is, so that it can be told what is wrong."""
    return block if block_problems(block) else block.collected(now, cooldown_s)


def _blocks_in(network: Network, pool: Pool) -> Iterable[Network]:
    if network.prefixlen > pool.block_size:
        raise IpamError(Reason.CIDR_TOO_SMALL, f"{network} is smaller than a block of pool {pool.name}")
    count = block_count(network, pool.block_size)
    return (subnet(network, pool.block_size, index) for index in range(count))


def _same_owner(found: Mapping[str, str] | None, expected: Mapping[str, str] | None) -> bool:
    names = ("pod", "namespace")
    return [(found or {}).get(name) for name in names] == [(expected or {}).get(name) for name in names]
