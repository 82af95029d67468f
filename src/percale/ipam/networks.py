# SPDX-License-Identifier: Apache-2.0
"""Networks as ranges of integers: slices of a pool, and the addresses nobody may be given automatically."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

__all__ = ["Address", "Network", "Reservations", "parse_address", "parse_network", "subnet", "within"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=4096)
def parse_network(text: str) -> Network:
    """Return the network of a CIDR, host bits cut off; raises ValueError if it is none."""
    return ipaddress.ip_network(text, strict=False)


def parse_address(text: str) -> Address:
    """Return the address of a text, a prefix length after it is ignored; raises ValueError if it is none."""
    return ipaddress.ip_address(text.partition("/")[0])


def subnet(network: Network, prefix: int, index: int) -> Network:
    """Return slice number ``index`` of ``network`` cut into networks of that prefix length."""
    start = int(network.network_address) + (index << (network.max_prefixlen - prefix))
    kind = ipaddress.IPv4Network if network.version == 4 else ipaddress.IPv6Network
    return kind((start, prefix))


def within(inner: Network, outer: Network) -> bool:
    """Report whether every address of ``inner`` lies in ``outer``; families never mix."""
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def _bounds(network: Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address) + 1


@dataclass(frozen=True)
class Reservations:
    """The CIDRs of all IPReservations: addresses never handed out automatically (spec/ipam.md section 1)."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, cidrs: Iterable[str]) -> Reservations:
        """Return the reservations of these CIDRs; raises ValueError if one is none."""
        return cls(tuple(parse_network(cidr) for cidr in cidrs))

    @cached_property
    def _ranges(self) -> dict[int, tuple[list[int], list[int]]]:
        """Starts and ends of disjoint ascending ranges, by IP version."""
        merged: dict[int, tuple[list[int], list[int]]] = {4: ([], []), 6: ([], [])}
        for network in sorted(self.networks, key=lambda net: (net.version, _bounds(net))):
            starts, ends = merged[network.version]
            start, end = _bounds(network)
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        return merged

    def contains(self, address: Address) -> bool:
        """Report whether the address is reserved."""
        starts, ends = self._ranges[address.version]
        position = bisect_right(starts, int(address)) - 1
        return position >= 0 and int(address) < ends[position]

    def count_in(self, network: Network) -> int:
        """Return how many addresses of the network are reserved."""
        starts, ends = self._ranges[network.version]
        low, high = _bounds(network)
        total = 0
        for position in range(max(bisect_right(starts, low) - 1, 0), len(starts)):
            if starts[position] >= high:
                break
            total += max(min(high, ends[position]) - max(low, starts[position]), 0)
        return total

    def covers(self, network: Network) -> bool:
        """Report whether every address of the network is reserved."""
        return bool(self.networks) and self.count_in(network) == network.num_addresses
