# SPDX-License-Identifier: Apache-2.0
"""Nested networks: of all networks in a set, those that no broader one of the set covers (spec/calculation.md R12).

The kernel's interval sets cannot hold a network inside another.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from percale.calc.networks import Network, after, supernet

__all__ = ["NestedNetworks", "Turn"]


class Turn(NamedTuple):
    """Which networks one change has brought to light and which it has hidden or removed."""

    shown: list[Network]
    hidden: list[Network]


class NestedNetworks:
    """Distinct networks in order: each stands right before those inside it, so that what it covers is one slice."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._ordered = sorted(networks)
        self._wide: dict[tuple[int, int], set[int]] = {}
        for network in self._ordered:
            self._note(network)

    def __iter__(self) -> Iterator[Network]:
        """Yield the networks that nothing covers."""
        return self._uncovered(0, len(self._ordered))

    @property
    def only_hosts(self) -> bool:
        """Whether all are single addresses, so that nothing can be covered."""
        return not self._wide

    def add(self, network: Network) -> Turn:
        """Add a network that is not there."""
        covered = self.covers(network)
        inside = [] if covered else self._inside(network)
        insort(self._ordered, network)
        self._note(network)
        return Turn([] if covered else [network], inside)

    def remove(self, network: Network) -> Turn:
        """Remove a network that is there."""
        del self._ordered[bisect_left(self._ordered, network)]
        if network.length < network.bits:
            level = self._wide[network.version, network.length]
            level.remove(network.number)
            if not level:
                del self._wide[network.version, network.length]
        if self.covers(network):
            return Turn([], [])
        return Turn(self._inside(network), [network])

    def covers(self, network: Network) -> bool:
        """Report whether a strictly broader network is there."""
        return any(
            version == network.version and length < network.length and supernet(network, length).number in level
            for (version, length), level in self._wide.items()
        )

    def _note(self, network: Network) -> None:
        if network.length < network.bits:
            self._wide.setdefault((network.version, network.length), set()).add(network.number)

    def _inside(self, network: Network) -> list[Network]:
        """The broadest networks inside an uncovered one."""
        if network.length == network.bits:
            return []
        start = bisect_left(self._ordered, network)
        return list(self._uncovered(start, bisect_left(self._ordered, after(network), start)))

    def _uncovered(self, start: int, end: int) -> Iterator[Network]:
        while start < end:
            network = self._ordered[start]
            yield network
            start += 1
            if network.length < network.bits:
                start = bisect_left(self._ordered, after(network), start)
