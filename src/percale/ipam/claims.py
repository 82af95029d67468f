# SPDX-License-Identifier: Apache-2.0
"""Who owns a block: finding one for a host, claiming it, giving it up (spec/ipam.md sections 6 and 7)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

from percale.ipam.block import Block, HostReserved
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Network, Reservations
from percale.ipam.order import blocks_in_order
from percale.ipam.pools import Pool
from percale.ipam.records import AffinityState
from percale.ipam.store import (
    IpamStore,
    Stored,
    affinity_removal,
    affinity_write,
    block_removal,
    block_write,
    retrying,
)

__all__ = ["Claims"]

log = logging.getLogger(__name__)

TAKEOVER_AGE = timedelta(seconds=60)
"""How long an empty block of another host is left alone after it was claimed."""

_READ_AT_ONCE = 64


class Claims:
    """The claim protocol over one store; an affinity and its block change in one transaction."""

    def __init__(self, store: IpamStore) -> None:
        self._store = store

    def claim(
        self, owner: str, network: Network, cooldown_s: int, reserved: HostReserved | None = None
    ) -> Stored[Block]:
        """Make ``owner`` the owner of a block, created if need be, and return it; asking again changes nothing.

        Raises IpamError (claim conflict) if it is somebody else's or nobody's any more.
        """
        for _ in retrying(f"the claim of block {network}"):
            affinity, stored = self._store.affinity_and_block(owner, network, cooldown_s)
            expected = affinity.revision if affinity else 0
            confirmed = affinity_write(owner, network, AffinityState.CONFIRMED, expected)
            if stored is None:
                block = Block.create(network, owner, self._store.now, self._store.new_sequence(), reserved)
                done = self._store.commit(confirmed, block_write(block, 0))
            elif stored.value.affinity != owner:
                self._drop_stale(owner, network, expected)
                raise IpamError(
                    Reason.CLAIM_CONFLICT, f"block {network} belongs to {stored.value.affinity or 'nobody'}"
                )
            elif affinity is not None and affinity.value.is_confirmed:
                return stored
            else:
                # Writing the block as well makes everybody fail who read it before it was confirmed.
                done = self._store.commit(confirmed, block_write(stored.value, stored.revision))
            if done and (found := self._store.block(network, cooldown_s)) is not None:
                return found
        raise AssertionError("retrying ends by itself")

    def release(
        self,
        owner: str,
        network: Network,
        cooldown_s: int,
        *,
        must_be_empty: bool = False,
        sequence: int | None = None,
    ) -> None:
        """Take a block from its owner: an empty one vanishes, a used one stays without owner.

        Raises IpamError: not found; conflict if ``sequence`` is not the block's; claim conflict if the block is
        somebody else's; block not empty.
        """
        for _ in retrying(f"the release of block {network}"):
            affinity, stored = self._store.affinity_and_block(owner, network, cooldown_s)
            if affinity is None or stored is None:
                raise IpamError(Reason.NOT_FOUND, f"{owner} has no affinity to block {network}")
            block = stored.value
            if sequence is not None and block.sequence != sequence:
                raise IpamError(Reason.CONFLICT, f"block {network} has changed")
            if block.affinity != owner:
                self._drop_stale(owner, network, affinity.revision)
                raise IpamError(Reason.CLAIM_CONFLICT, f"block {network} belongs to {block.affinity or 'nobody'}")
            if must_be_empty and not block.is_empty:
                raise IpamError(Reason.BLOCK_NOT_EMPTY, f"block {network} has addresses in use")
            change = (
                block_removal(block, stored.revision)
                if block.is_empty
                else block_write(block.without_owner(), stored.revision)
            )
            if self._store.commit(affinity_removal(owner, network, affinity.revision), change):
                return

    def release_if_owned(self, owner: str, network: Network, cooldown_s: int, *, must_be_empty: bool = False) -> None:
        """Take a block from its owner; one that is gone or somebody else's is left alone."""
        try:
            self.release(owner, network, cooldown_s, must_be_empty=must_be_empty)
        except IpamError as error:
            if error.reason not in (Reason.NOT_FOUND, Reason.CLAIM_CONFLICT):
                raise

    def find_and_claim(
        self,
        owner: str,
        pools: Iterable[Pool],
        reservations: Reservations,
        cooldown_s: int,
        reserved: HostReserved | None = None,
    ) -> Stored[Block] | None:
        """Give ``owner`` one more block with a free address, None if no pool has one left."""
        pools = tuple(pools)
        for _ in retrying(f"the search of a block for {owner}"):
            network = self._find(owner, pools, reservations, cooldown_s)
            if network is None:
                return None
            try:
                return self.claim(owner, network, cooldown_s, reserved)
            except IpamError as error:
                if error.reason is not Reason.CLAIM_CONFLICT:
                    raise
                log.debug("another host was quicker: block=%s owner=%s", network, owner)
        return None

    def _find(self, owner: str, pools: Iterable[Pool], reservations: Reservations, cooldown_s: int) -> Network | None:
        idle: list[Block] = []
        for candidate, stored in self._candidates(owner, pools, reservations, cooldown_s):
            if stored is None:
                return candidate
            block = stored.value
            if not block.free_ordinals(reservations):
                continue
            if block.affinity == owner:
                return candidate
            if block.is_empty and block.affinity is not None:
                idle.append(block)
        return next((block.network for block in idle if self._take_over(block, cooldown_s)), None)

    def _candidates(
        self, owner: str, pools: Iterable[Pool], reservations: Reservations, cooldown_s: int
    ) -> Iterator[tuple[Network, Stored[Block] | None]]:
        """Yield each block of the pools in the owner's order, with what is stored, None where nothing is.

        Blocks are read many at once, but not beyond the first one that does not exist: mostly that one is taken.
        """
        existing: dict[int, set[Network]] = {}
        for pool in pools:
            version = pool.network.version
            if version not in existing:
                existing[version] = self._store.existing_blocks(version)
            known = existing[version]
            order = usable_blocks(pool, owner, reservations, self._store.new_sequence())
            while batch := _up_to_first_new(order, known):
                present = [network for network in batch if network in known]
                found = dict(zip(present, self._store.blocks_of(present, cooldown_s), strict=True))
                yield from ((network, found.get(network)) for network in batch)

    def _take_over(self, block: Block, cooldown_s: int) -> bool:
        """Take an empty block from a host that has had it for a while, if it is still as it was read."""
        assert block.affinity is not None
        if block.claim_time is not None and self._store.now - block.claim_time < TAKEOVER_AGE:
            return False
        try:
            self.release(block.affinity, block.network, cooldown_s, must_be_empty=True, sequence=block.sequence)
        except IpamError as error:
            log.debug("empty block not taken over: block=%s reason=%s", block.network, error.reason)
            return False
        return True

    def _drop_stale(self, owner: str, network: Network, revision: int) -> None:
        if revision:
            self._store.commit(affinity_removal(owner, network, revision))


def usable_blocks(pool: Pool, owner: str, reservations: Reservations, time_seed: int) -> Iterator[Network]:
    """Yield the blocks of a pool in the owner's order without those that are reserved as a whole.

    Blocks of one address come in an order seeded by the time.
    """
    if reservations.covers(pool.network):
        return
    name = owner.partition(":")[2]
    seed = time_seed if pool.block_size == pool.network.max_prefixlen else None
    for network in blocks_in_order(pool.network, pool.block_size, name, seed):
        if not reservations.covers(network):
            yield network


def _up_to_first_new(order: Iterator[Network], known: set[Network]) -> list[Network]:
    batch = []
    for network in islice(order, _READ_AT_ONCE):
        batch.append(network)
        if network not in known:
            break
    return batch
