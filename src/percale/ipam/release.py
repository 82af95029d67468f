# SPDX-License-Identifier: Apache-2.0
"""Giving addresses back, one by one or all of a handle (spec/ipam.md section 8)."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeAlias

from percale.ipam.block import Block, Release, Released
from percale.ipam.claims import Claims
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Address, Network, parse_network
from percale.ipam.pools import enabled_pools, pool_of
from percale.ipam.store import (
    IpamStore,
    Stored,
    Surroundings,
    Write,
    block_removal,
    block_write,
    handle_removal,
    handle_write,
    retrying,
)

__all__ = ["ReleaseOutcome", "Releaser"]

log = logging.getLogger(__name__)

Free: TypeAlias = Callable[[Block, datetime, int], Released]
"""What to free of a block, at which time, with how long a cooldown."""


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """What became of a release: one address per request dealt with, those that nobody had, the first refusal."""

    processed: tuple[Address, ...] = ()
    unallocated: tuple[Address, ...] = ()
    error: IpamError | None = None

    @property
    def released(self) -> tuple[Address, ...]:
        """The addresses that are free by this release."""
        return tuple(dict.fromkeys(address for address in self.processed if address not in self.unallocated))


class Releaser:
    """Releases over one store: block by block, each with its handles in one transaction."""

    def __init__(self, store: IpamStore, claims: Claims) -> None:
        self._store = store
        self._claims = claims

    def release(self, releases: Iterable[Release]) -> ReleaseOutcome:
        """Free the addresses; a block whose preconditions fail keeps all of its own, the other blocks go on."""
        surroundings = self._store.surroundings()
        cooldown_s = surroundings.config.cooldown_s
        by_block, unallocated = self._by_block(releases, surroundings)
        processed: list[Address] = []
        first_error: IpamError | None = None
        for network, wanted in by_block.items():
            addresses = [release.address for release in wanted]
            try:
                outcome = self._change(network, cooldown_s, partial(_free, wanted))
            except IpamError as error:
                first_error = first_error or error
                continue
            unallocated += dict.fromkeys(addresses) if outcome is None else outcome.unallocated
            processed += addresses
        return ReleaseOutcome(tuple(processed), tuple(unallocated), first_error)

    def release_by_handle(self, handle: str) -> tuple[Address, ...]:
        """Free every address of a handle and return them; raises IpamError (not found) for an unknown handle."""
        surroundings = self._store.surroundings(handle=handle)
        if surroundings.handle is None:
            raise IpamError(Reason.NOT_FOUND, f"handle {handle!r} does not exist")
        cooldown_s = surroundings.config.cooldown_s
        freed: list[Address] = []
        exact = True
        for cidr in surroundings.handle.value.blocks:
            outcome = self._change(parse_network(cidr), cooldown_s, partial(_free_handle, handle))
            if outcome is not None and outcome.addresses:
                freed += outcome.addresses
            else:
                exact = False
        if not exact:
            self._drop_leftover(handle, cooldown_s)
        return tuple(freed)

    def _drop_leftover(self, handle: str, cooldown_s: int) -> None:
        """Forget a handle whose counts were too high: no block has an address of it any more."""
        for _ in retrying(f"the handle {handle!r}"):
            stored = self._store.handle(handle)
            if stored is None:
                return
            blocks = self._store.blocks_of([parse_network(cidr) for cidr in stored.value.blocks], cooldown_s)
            used = any(block is not None and block.value.addresses_of(handle) for block in blocks)
            if used or self._store.commit(handle_removal(handle, stored.revision)):
                return

    def _by_block(
        self, releases: Iterable[Release], surroundings: Surroundings
    ) -> tuple[dict[Network, list[Release]], list[Address]]:
        """Sort the addresses by block; those outside every pool are looked for in all blocks, some have none."""
        by_block: dict[Network, list[Release]] = defaultdict(list)
        homeless: list[Release] = []
        for release in releases:
            pool = pool_of(surroundings.pools, parse_network(str(release.address)))
            if pool is None:
                homeless.append(release)
            else:
                by_block[pool.block_of(release.address)].append(release)
        lost = []
        networks = self._all_blocks() if homeless else ()
        for release in homeless:
            home = next((network for network in networks if release.address in network), None)
            if home is None:
                lost.append(release.address)
            else:
                by_block[home].append(release)
        return by_block, lost

    def _all_blocks(self) -> Collection[Network]:
        return self._store.existing_blocks(4) | self._store.existing_blocks(6)

    def _change(self, network: Network, cooldown_s: int, free: Free) -> Released | None:
        """Write what ``free`` makes of a block, None if the block does not exist."""
        for _ in retrying(f"the release from block {network}"):
            stored = self._store.block(network, cooldown_s)
            if stored is None:
                return None
            outcome = free(stored.value, self._store.now, cooldown_s)
            if not outcome.addresses or self._commit(stored, outcome):
                self._give_up_stray(outcome.block)
                return outcome
        raise AssertionError("retrying ends by itself")

    def _commit(self, stored: Stored[Block], outcome: Released) -> bool:
        block = outcome.block
        vanishes = block.affinity is None and block.is_empty
        change = block_removal(block, stored.revision) if vanishes else block_write(block, stored.revision)
        handles = self._handle_writes(outcome)
        together = self._store.max_writes - 1
        if not self._store.commit(change, *handles[:together]):
            return False
        for write in handles[together:]:
            if not self._store.commit(write):
                log.warning("handle count left too high: key=%s", write.key)
        return True

    def _handle_writes(self, outcome: Released) -> list[Write]:
        known = self._store.handles(outcome.handles)
        return [handle_write(handle, stored, outcome.block) for handle, stored in known.items() if stored is not None]

    def _give_up_stray(self, block: Block) -> None:
        """Release an empty block from a host that its pool does not select any more."""
        if not block.is_empty or block.host is None:
            return
        surroundings = self._store.surroundings(block.host)
        pool = pool_of(enabled_pools(surroundings.pools, block.network.version), block.network)
        if pool is None or surroundings.node_labels is None or pool.selects_node(surroundings.node_labels):
            return
        try:
            self._claims.release_if_owned(
                f"host:{block.host}", block.network, surroundings.config.cooldown_s, must_be_empty=True
            )
        except IpamError as error:
            log.warning("affinity to an empty block kept: block=%s reason=%s", block.network, error.reason)


def _free(releases: Iterable[Release], block: Block, now: datetime, cooldown_s: int) -> Released:
    return block.released(releases, now, cooldown_s)


def _free_handle(handle: str, block: Block, now: datetime, cooldown_s: int) -> Released:
    return block.released_by_handle(handle, now, cooldown_s)
