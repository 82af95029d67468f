# SPDX-License-Identifier: Apache-2.0
"""The twin: a dataplane without a kernel, that answers what would become of a packet.

It takes the very operations that the kernel would get, refuses what the kernel refuses, and walks packets through the
rules that result, whoever's they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from percale.dataplane.config import DataplaneConfig
from percale.dataplane.machine import Machine, Step
from percale.dataplane.memory_network import MemoryNetwork
from percale.dataplane.memory_nftables import MemoryNftables, MemoryTable
from percale.dataplane.packet import Hook, Packet
from percale.dataplane.reconciler import Reconciler
from percale.netlink.nftables.objects import Chain
from percale.netlink.rtnetlink.routes import Route

__all__ = ["TwinDataplane", "Walk"]


@dataclass(frozen=True, slots=True)
class Walk:
    """What became of a packet, and the rules that had a say in it, in order.

    ``translation`` is what source or destination NAT did, such as ``masquerade``, or empty.
    """

    verdict: Literal["accept", "drop"]
    trail: tuple[Step, ...]
    translation: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the packet got through."""
        return self.verdict == "accept"

    @property
    def decider(self) -> Step | None:
        """The rule that ended the packet, or the last that accepted it."""
        return self.trail[-1] if self.trail else None

    def __str__(self) -> str:
        return "\n".join((self.verdict, *(f"  {step}" for step in self.trail)))


class TwinDataplane(Reconciler):
    """A dataplane in memory; ``nftables`` and ``network`` are the imaginary host, open to tests."""

    def __init__(
        self,
        config: DataplaneConfig | None = None,
        *,
        nftables: MemoryNftables | None = None,
        network: MemoryNetwork | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.nftables = nftables if nftables is not None else MemoryNftables()
        self.network = network if network is not None else MemoryNetwork()
        super().__init__(config or DataplaneConfig(), self.nftables, self.network, clock=clock)

    @property
    def messages_sent(self) -> int:
        """How many batches nf_tables has been sent so far."""
        return self.nftables.batches

    def add_route(self, destination: str, interface: str, metric: int = 0) -> None:
        """Give the imaginary host a route of its own, such as the default route."""
        link = self.network.set_link(interface)
        self.network.add_foreign(Route(destination, link.index, metric=metric))

    def walk(self, packet: Packet) -> Walk:
        """Walk a packet through the hooks on its path; raises ValueError for what is not modelled."""
        trail: list[Step] = []
        translation = ""
        for hook in packet.path:
            for content, chain in self._base_chains(hook):
                if chain.type == "nat" and packet.ct != "new":
                    continue  # a connection's translation is settled by its first packet
                before = len(trail)
                if not Machine(content, self.network, hook, trail).run(chain, packet):
                    return Walk("drop", tuple(trail), translation)
                if chain.type == "nat" and len(trail) > before:
                    translation = trail[-1].outcome
        return Walk("accept", tuple(trail), translation)

    def _base_chains(self, hook: Hook) -> list[tuple[MemoryTable, Chain]]:
        """The base chains of a hook in the order of priority; ARP tables see no IP packets."""
        found = [
            (content, chain)
            for content in self.nftables.tables()
            if content.table.family == "inet"
            for chain in content.chains.values()
            if chain.hook == hook
        ]
        return sorted(found, key=lambda pair: pair[1].priority)
