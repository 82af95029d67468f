# SPDX-License-Identifier: Apache-2.0
"""In which order a host tries the blocks of a pool: from a start that its name decides (spec/ipam.md section 6.1).

The start comes from Go's math/rand seeded by the name, so that hosts of both implementations meet the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from percale.ipam.networks import Network, subnet
from percale.ipam.prng_table import seed_words

__all__ = ["GoRandom", "block_count", "blocks_in_order", "host_seed", "in_host_order", "start_index"]

_WORDS, _LAG = 607, 273
_MASK64 = (1 << 64) - 1
_PRIME31 = (1 << 31) - 1


def host_seed(name: str) -> int:
    """Return the 32-bit FNV-1 hash of a host's name."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value


def _step(x: int) -> int:
    """One step of the Lehmer generator 48271 x mod 2^31 - 1, by Schrage's method as Go writes it."""
    high, low = divmod(x, 44488)
    x = 48271 * low - 3399 * high
    return x + _PRIME31 if x < 0 else x


class GoRandom:
    """Go's additive lagged Fibonacci source: equal seeds give equal sequences, in Go and here."""

    def __init__(self, seed: int) -> None:
        x = seed % _PRIME31 or 89482311
        for _ in range(20):
            x = _step(x)
        self._words = []
        for constant in seed_words():
            x = _step(x)
            word = x << 40
            x = _step(x)
            word ^= x << 20
            x = _step(x)
            self._words.append((word ^ x ^ constant) & _MASK64)
        self._tap, self._feed = 0, _WORDS - _LAG

    def uint64(self) -> int:
        """Return the next 64 random bits."""
        self._tap = (self._tap - 1) % _WORDS
        self._feed = (self._feed - 1) % _WORDS
        word = (self._words[self._feed] + self._words[self._tap]) & _MASK64
        self._words[self._feed] = word
        return word

    def uint32(self) -> int:
        """Return the next 32 random bits, the upper ones of 63."""
        return (self.uint64() & (_MASK64 >> 1)) >> 31

    def below(self, limit: int) -> int:
        """Return a number in ``[0, limit)`` of any size, as Go's big.Int does: words drawn again until they fit."""
        words = (limit.bit_length() + 63) // 64
        mask = (1 << limit.bit_length()) - 1
        while True:
            value = 0
            for position in range(words):
                value |= (self.uint32() | self.uint32() << 32) << (64 * position)
            value &= mask
            if value < limit:
                return value


@lru_cache(maxsize=256)
def start_index(host: str, count: int) -> int:
    """Return the number of the block, of ``count``, that this host tries first."""
    return GoRandom(host_seed(host)).below(count)


def block_count(pool: Network, block_size: int) -> int:
    """Return how many blocks of that prefix length a pool has."""
    return 1 << max(block_size - pool.prefixlen, 0)


def blocks_in_order(pool: Network, block_size: int, host: str, seed: int | None = None) -> Iterator[Network]:
    """Yield every block of a pool once, from the host's own start on; a ``seed`` takes the place of the name."""
    count = block_count(pool, block_size)
    start = start_index(host, count) if seed is None else GoRandom(seed).below(count)
    for step in range(count):
        yield subnet(pool, block_size, (start + step) % count)


def in_host_order(networks: Iterable[Network], pool: Network, block_size: int, host: str) -> list[Network]:
    """Return blocks of a pool in the order in which `blocks_in_order` meets them."""
    count = block_count(pool, block_size)
    start = start_index(host, count)
    base, shift = int(pool.network_address), pool.max_prefixlen - block_size

    def steps(network: Network) -> int:
        return (((int(network.network_address) - base) >> shift) - start) % count

    return sorted(networks, key=steps)
