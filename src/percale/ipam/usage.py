# SPDX-License-Identifier: Apache-2.0
"""How much of the pools and blocks is in use (spec/ipam.md section 8, *utilization*)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from percale.ipam.block import Block
from percale.ipam.networks import Network, Reservations
from percale.ipam.pools import Pool, pool_of

__all__ = ["BlockUsage", "PoolUsage", "utilization"]

_LIMIT = (1 << 63) - 1
"""IPv6 pools can be larger than what readers of these numbers can hold."""


@dataclass(frozen=True, slots=True)
class BlockUsage:
    """The addresses of one block; cooling and host-reserved ones are in use."""

    network: Network
    capacity: int
    in_use: int
    reserved: int
    available: int


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """The addresses of one pool with its blocks; ``network`` is None for the group of blocks outside all pools."""

    name: str
    network: Network | None
    capacity: int
    in_use: int
    reserved: int
    available: int
    blocks: tuple[BlockUsage, ...] = ()


def utilization(
    pools: Iterable[Pool], blocks: Iterable[Block], reservations: Reservations, *, orphans: bool = True
) -> list[PoolUsage]:
    """Return the use of each pool, with blocks of no pool in a last group if ``orphans``."""
    pools = list(pools)
    by_pool: dict[str | None, list[BlockUsage]] = {}
    for block in blocks:
        pool = pool_of(pools, block.network)
        by_pool.setdefault(pool.name if pool else None, []).append(_block_usage(block, reservations))
    usages = [_pool_usage(pool, by_pool.get(pool.name, []), reservations) for pool in pools]
    if orphans:
        usages.append(PoolUsage("", None, 0, 0, 0, 0, tuple(by_pool.get(None, ()))))
    return usages


def _block_usage(block: Block, reservations: Reservations) -> BlockUsage:
    capacity = block.network.num_addresses
    return BlockUsage(
        network=block.network,
        capacity=capacity,
        in_use=capacity - len(block.unallocated),
        reserved=reservations.count_in(block.network),
        available=len(block.free_ordinals(reservations)),
    )


def _pool_usage(pool: Pool, blocks: list[BlockUsage], reservations: Reservations) -> PoolUsage:
    capacity = pool.network.num_addresses
    reserved = reservations.count_in(pool.network)
    outside = capacity - sum(block.capacity for block in blocks)
    reserved_outside = reserved - sum(block.reserved for block in blocks)
    available = sum(block.available for block in blocks) + outside - reserved_outside
    return PoolUsage(
        name=pool.name,
        network=pool.network,
        capacity=min(capacity, _LIMIT),
        in_use=sum(block.in_use for block in blocks),
        reserved=min(reserved, _LIMIT),
        available=min(available, _LIMIT),
        blocks=tuple(blocks),
    )
