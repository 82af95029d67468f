# SPDX-License-Identifier: Apache-2.0
"""A plan: all that one change does to a host, as a value that can be printed, compared and carried out."""

from __future__ import annotations

from dataclasses import dataclass

from percale.dataplane.network import NetworkOperation
from percale.netlink.nftables.operations import Batch

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Transactions on tables, then operations on routes, neighbors, sysctls and connections, all in order."""

    batches: tuple[Batch, ...] = ()
    network: tuple[NetworkOperation, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.batches or self.network)

    def __len__(self) -> int:
        """The number of operations."""
        return sum(map(len, self.batches)) + len(self.network)

    def __str__(self) -> str:
        return "\n".join(str(part).rstrip("\n") for part in (*self.batches, *self.network))
