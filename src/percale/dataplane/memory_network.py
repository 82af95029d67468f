# SPDX-License-Identifier: Apache-2.0
"""The network of an imaginary host: links that a test sets, and routes, neighbors and sysctls that it is given."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace

from percale.dataplane.network import (
    DropNeighbor,
    DropRoute,
    ForgetConnections,
    NetworkOperation,
    PutNeighbor,
    PutRoute,
    SetSysctl,
)
from percale.dataplane.prefix import Prefix
from percale.netlink.rtnetlink.links import Link
from percale.netlink.rtnetlink.neighbors import Neighbor
from percale.netlink.rtnetlink.routes import Route
from percale.netlink.socket import NetlinkError

__all__ = ["MemoryNetwork"]

_RouteKey = tuple[str, int, int]


class MemoryNetwork:
    """Links, routes, neighbors and sysctls in memory; ``forgotten`` lists the addresses whose connections were."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._routes: dict[_RouteKey, Route] = {}
        self._neighbors: dict[tuple[int, str], Neighbor] = {}
        self.sysctls: dict[str, str] = {}
        self.forgotten: list[str] = []
        self.operations = 0
        self._next_index = 1

    def set_link(self, name: str, *, up: bool = True) -> Link:
        """Make a link of this name, or bring the one there is up or down; a link that goes down loses its routes."""
        link = self._links.get(name)
        if link is None:
            link = Link(self._next_index, name)
            self._next_index += 1
        link = replace(link, up=up, running=up, state="up" if up else "down")
        self._links[name] = link
        if not up:
            self._lose(link)
        return link

    def remove_link(self, name: str) -> None:
        """Remove a link with all it held."""
        self._lose(self._links.pop(name))

    def add_foreign(self, route: Route) -> None:
        """A route that somebody else made."""
        self._routes[_route_key(route)] = route.reported()

    def links(self) -> list[Link]:
        """All links."""
        return list(self._links.values())

    def routes(self) -> list[Route]:
        """The routes of the main table, IPv4 and IPv6."""
        return list(self._routes.values())

    def neighbors(self) -> list[Neighbor]:
        """All neighbors but proxies."""
        return list(self._neighbors.values())

    def sysctl(self, path: str) -> str | None:
        """The value of a sysctl, empty if nobody has written it, or None for a path of an interface that is absent."""
        place = path.split("/")
        if len(place) == 5 and place[3] not in (*self._links, "all", "default"):
            return None
        return self.sysctls.get(path, "")

    def perform(self, operations: Sequence[NetworkOperation]) -> dict[int, OSError | NetlinkError]:
        """Carry the operations out in order, each whatever becomes of the others; return the failures by position."""
        failures: dict[int, OSError | NetlinkError] = {}
        for position, operation in enumerate(operations):
            try:
                self._perform(operation)
            except NetlinkError as error:
                failures[position] = error
        self.operations += len(operations)
        return failures

    def close(self) -> None:
        """Nothing needs closing."""

    def interface_towards(self, address: bytes) -> str:
        """The name of the interface over which the address is reached, empty without a route."""
        version = 4 if len(address) == 4 else 6
        wanted = Prefix(version, int.from_bytes(address, "big"), len(address) * 8)
        best: tuple[int, int, Route] | None = None
        for route in self._routes.values():
            prefix = Prefix.parse(route.destination)
            if prefix.version == version and wanted.widened(prefix.length) == prefix:
                rank = (prefix.length, -route.metric)
                if best is None or rank > best[:2]:
                    best = (*rank, route)
        return self._name_of(best[2].interface) if best else ""

    def index_of(self, interface: str) -> int:
        """The index of the interface, 0 if there is none."""
        link = self._links.get(interface)
        return link.index if link else 0

    def _perform(self, operation: NetworkOperation) -> None:
        match operation:
            case PutRoute(route):
                self._require(route.interface)
                self._routes[_route_key(route)] = route.reported()
            case DropRoute(route):
                self._routes.pop(_route_key(route), None)
            case PutNeighbor(neighbor):
                self._require(neighbor.interface)
                self._neighbors[neighbor.interface, neighbor.address] = neighbor
            case DropNeighbor(neighbor):
                self._neighbors.pop((neighbor.interface, neighbor.address), None)
            case SetSysctl(path, value):
                self.sysctls[path] = value
            case ForgetConnections(addresses):
                self.forgotten.extend(addresses)

    def _require(self, index: int) -> None:
        if not any(link.index == index and link.up for link in self._links.values()):
            raise NetlinkError(errno.ENODEV if not self._name_of(index) else errno.ENETDOWN)

    def _name_of(self, index: int) -> str:
        return next((link.name for link in self._links.values() if link.index == index), "")

    def _lose(self, link: Link) -> None:
        self._routes = {key: route for key, route in self._routes.items() if route.interface != link.index}
        self._neighbors = {key: one for key, one in self._neighbors.items() if one.interface != link.index}


def _route_key(route: Route) -> _RouteKey:
    return route.destination, route.reported().metric, route.table
