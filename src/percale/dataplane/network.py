# SPDX-License-Identifier: Apache-2.0
"""What the dataplane changes on a host beside nftables, as values, and the seam to the host that carries them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from percale.netlink.rtnetlink.links import Link
from percale.netlink.rtnetlink.neighbors import Neighbor
from percale.netlink.rtnetlink.routes import Route
from percale.netlink.socket import NetlinkError

__all__ = [
    "DropNeighbor",
    "DropRoute",
    "ForgetConnections",
    "HostNetwork",
    "NetworkOperation",
    "PutNeighbor",
    "PutRoute",
    "SetSysctl",
]


@dataclass(frozen=True, slots=True)
class PutRoute:
    """Add a route, or put it in the place of the one of this destination and metric."""

    route: Route

    def __str__(self) -> str:
        return f"route replace {_route_text(self.route)}"


@dataclass(frozen=True, slots=True)
class DropRoute:
    """Delete a route; one that is gone is fine."""

    route: Route

    def __str__(self) -> str:
        return f"route delete {_route_text(self.route)}"


@dataclass(frozen=True, slots=True)
class PutNeighbor:
    """Add a permanent neighbor, or change the one of this address."""

    neighbor: Neighbor

    def __str__(self) -> str:
        return f"neigh replace {self.neighbor.address} lladdr {self.neighbor.mac} dev #{self.neighbor.interface}"


@dataclass(frozen=True, slots=True)
class DropNeighbor:
    """Delete a neighbor; one that is gone is fine."""

    neighbor: Neighbor

    def __str__(self) -> str:
        return f"neigh delete {self.neighbor.address} dev #{self.neighbor.interface}"


@dataclass(frozen=True, slots=True)
class SetSysctl:
    """Write a value below /proc/sys; a path that is gone with its interface is fine.

    A failure of one that is not ``vital`` is passed over.
    """

    path: str
    value: str
    vital: bool = True

    def __str__(self) -> str:
        return f"sysctl {self.path} = {self.value}"


@dataclass(frozen=True, slots=True)
class ForgetConnections:
    """Delete the tracked connections whose original or reply source is one of these addresses."""

    addresses: tuple[str, ...]

    def __str__(self) -> str:
        return f"conntrack delete {' '.join(self.addresses)}"


NetworkOperation: TypeAlias = PutRoute | DropRoute | PutNeighbor | DropNeighbor | SetSysctl | ForgetConnections


class HostNetwork(Protocol):
    """A host's links, routes, neighbors, sysctls and tracked connections."""

    def links(self) -> list[Link]:
        """All links."""
        ...

    def routes(self) -> list[Route]:
        """The routes of the main table, IPv4 and IPv6."""
        ...

    def neighbors(self) -> list[Neighbor]:
        """All neighbors but proxies."""
        ...

    def sysctl(self, path: str) -> str | None:
        """The value of a sysctl, or None if there is none of that path."""
        ...

    def perform(self, operations: Sequence[NetworkOperation]) -> dict[int, OSError | NetlinkError]:
        """Carry the operations out in order, each whatever becomes of the others; return the failures by position."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def _route_text(route: Route) -> str:
    return f"{route.destination} dev #{route.interface} proto {route.protocol} metric {route.metric}"
