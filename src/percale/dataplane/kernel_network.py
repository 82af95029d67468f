# SPDX-License-Identifier: Apache-2.0
"""The network of the host that we run on: rtnetlink, /proc/sys and ctnetlink."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from itertools import groupby

from percale.dataplane.network import (
    DropNeighbor,
    DropRoute,
    ForgetConnections,
    NetworkOperation,
    PutNeighbor,
    PutRoute,
    SetSysctl,
)
from percale.netlink.conntrack import ConntrackSocket
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Link
from percale.netlink.rtnetlink.neighbors import Neighbor, delete_neighbor, replace_neighbor
from percale.netlink.rtnetlink.routes import Route, delete_route, replace_route
from percale.netlink.socket import NetlinkError, Request

__all__ = ["KernelNetwork"]


class KernelNetwork:
    """The network namespace of the thread that makes it."""

    def __init__(self) -> None:
        self._routes = RouteSocket()
        self._conntrack = ConntrackSocket()

    @property
    def port_ids(self) -> tuple[int, ...]:
        """The numbers by which notifications name what we did."""
        return (self._routes.port_id,)

    def link(self, name: str) -> Link | None:
        """A link as it is now, or None if there is none of that name."""
        return self._routes.link(name)

    def links(self) -> list[Link]:
        """All links."""
        return self._routes.links()

    def routes(self) -> list[Route]:
        """The routes of the main table, IPv4 and IPv6."""
        return self._routes.routes() + self._routes.routes(ipv6=True)

    def neighbors(self) -> list[Neighbor]:
        """All neighbors but proxies."""
        return self._routes.neighbors()

    def sysctl(self, path: str) -> str | None:
        """The value of a sysctl, or None if there is none of that path."""
        try:
            with open(f"/proc/sys/{path}") as file:
                return file.read().strip()
        except OSError:
            return None

    def perform(self, operations: Sequence[NetworkOperation]) -> dict[int, OSError | NetlinkError]:
        """Carry the operations out in order, each whatever becomes of the others; return the failures by position.

        Runs of routes and neighbors share their system calls.
        """
        failures: dict[int, OSError | NetlinkError] = {}
        for is_request, run in groupby(enumerate(operations), lambda numbered: type(numbered[1]) in _REQUESTS):
            if is_request:
                failures.update(self._perform_requests(list(run)))
                continue
            for position, operation in run:
                try:
                    self._perform_one(operation)
                except OSError as error:
                    failures[position] = error
        return failures

    def close(self) -> None:
        """Close the sockets."""
        self._routes.close()
        self._conntrack.close()

    def _perform_requests(self, run: list[tuple[int, NetworkOperation]]) -> dict[int, OSError | NetlinkError]:
        refused = self._routes.perform_all(_REQUESTS[type(operation)](operation) for _, operation in run)
        return {
            run[number][0]: error
            for number, error in refused.items()
            if not (error.is_not_found and isinstance(run[number][1], DropRoute | DropNeighbor))
        }

    def _perform_one(self, operation: NetworkOperation) -> None:
        if isinstance(operation, ForgetConnections):
            self._conntrack.forget(operation.addresses)
        elif isinstance(operation, SetSysctl):
            _write(operation)


_REQUESTS: dict[type, Callable[[NetworkOperation], Request]] = {
    PutRoute: lambda operation: replace_route(operation.route),  # type: ignore[union-attr]
    DropRoute: lambda operation: delete_route(operation.route),  # type: ignore[union-attr]
    PutNeighbor: lambda operation: replace_neighbor(operation.neighbor),  # type: ignore[union-attr]
    DropNeighbor: lambda operation: delete_neighbor(operation.neighbor),  # type: ignore[union-attr]
}


def _write(sysctl: SetSysctl) -> None:
    try:
        with open(f"/proc/sys/{sysctl.path}", "w") as file:
            file.write(sysctl.value)
    except OSError as error:
        if error.errno != errno.ENOENT and sysctl.vital:
            raise
