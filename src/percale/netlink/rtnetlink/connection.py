# SPDX-License-Identifier: Apache-2.0
"""The connection to rtnetlink: perform requests, read back what is there, hear what changes."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from percale.netlink.attributes import u32
from percale.netlink.rtnetlink import addresses, links, neighbors, routes
from percale.netlink.rtnetlink.addresses import Address
from percale.netlink.rtnetlink.links import Link
from percale.netlink.rtnetlink.neighbors import ForwardingEntry, Neighbor
from percale.netlink.rtnetlink.routes import Route
from percale.netlink.socket import ROUTE, Connection, Message, NetlinkError, NetlinkSocket, Request

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["Event", "RouteMonitor", "RouteSocket"]

_GROUPS = {"link": (1,), "neighbor": (3,), "address": (5, 9), "route": (7, 11)}
_ROUTE_OIF = 4
_IPV4, _IPV6 = 2, 10

Item: TypeAlias = Link | Address | Route | Neighbor


class RouteSocket(Connection):
    """A connection to rtnetlink in the calling thread's network namespace; a context manager, for one thread."""

    def __init__(self) -> None:
        super().__init__(NetlinkSocket(ROUTE))

    def perform(self, request: Request, *, context: str = "") -> None:
        """Perform one request; raises NetlinkError, whose text begins with ``context``."""
        self._socket.request(*request, context=context)

    def perform_all(self, requests: Iterable[Request], *, context: str = "") -> dict[int, NetlinkError]:
        """Perform many requests with few system calls, each whatever becomes of the others.

        Returns what was refused, by position; empty if all went well.
        """
        return self._socket.pipeline(requests, context=context)

    def link(self, link: int | str) -> Link | None:
        """The link with this index or name, or None."""
        try:
            answer = self._socket.query(*links.get_link(link), context=f"link {link}")
        except NetlinkError as error:
            if error.errno in (errno.ENODEV, errno.ENOENT):
                return None
            raise
        return links.decode_link(answer.body)

    def links(self) -> list[Link]:
        """All links."""
        messages = self._socket.dump(links.GETLINK, links.HEADER.pack(0, 0, 0, 0, 0), context="links")
        return [links.decode_link(message.body) for message in messages]

    def addresses(self, interface: int = 0) -> list[Address]:
        """All addresses of one link, or of all links."""
        body = addresses.HEADER.pack(0, 0, 0, 0, interface)
        messages = self._socket.dump(addresses.GETADDR, body, context="addresses")
        return [addresses.decode_address(message.body) for message in messages]

    def routes(self, *, ipv6: bool = False, table: int = 254, protocol: int = 0, interface: int = 0) -> list[Route]:
        """The routes of one family and table; with a protocol or an interface only those, chosen by the kernel."""
        family = _IPV6 if ipv6 else _IPV4
        body = routes.HEADER.pack(family, 0, 0, 0, 0, protocol, 0, 0, 0) + u32(routes.TABLE_ATTRIBUTE, table)
        if interface:
            body += u32(_ROUTE_OIF, interface)
        try:
            messages = self._socket.dump(routes.GETROUTE, body, context="routes")
        except NetlinkError as error:
            if error.errno == errno.ENOENT:  # no such table yet
                return []
            raise
        return [routes.decode_route(message.body) for message in messages]

    def neighbors(self, interface: int = 0, *, proxy: bool = False) -> list[Neighbor]:
        """The neighbors of one link, or of all links, IPv4 and IPv6; with ``proxy`` only those, else all others."""
        body = neighbors.HEADER.pack(0, 0, 0, neighbors.FLAG_PROXY if proxy else 0, 0)
        body += u32(neighbors.INTERFACE, interface) if interface else b""
        messages = self._socket.dump(neighbors.GETNEIGH, body, context="neighbors")
        return [neighbors.decode_neighbor(one.body) for one in messages if one.body[0] in (_IPV4, _IPV6)]

    def forwarding_entries(self, interface: int) -> list[ForwardingEntry]:
        """The forwarding entries of a VXLAN device that name a remote host."""
        body = neighbors.HEADER.pack(neighbors.BRIDGE_FAMILY, interface, 0, 0, 0)
        messages = self._socket.dump(neighbors.GETNEIGH, body, context="forwarding entries")
        found = (neighbors.decode_forwarding_entry(message.body) for message in messages)
        return [entry for entry in found if entry is not None and entry.interface == interface]


@dataclass(frozen=True, slots=True)
class Event:
    """A notification: something is there, new or changed (``new``), or gone (``delete``), by the owner of a port id."""

    verb: Literal["new", "delete"]
    item: Item
    port_id: int


class RouteMonitor(Connection):
    """Notifications of rtnetlink in the calling thread's network namespace; a context manager.

    ``kinds`` chooses among link, address, route and neighbor.
    """

    def __init__(self, kinds: Iterable[Literal["link", "address", "route", "neighbor"]] = ("link", "route")) -> None:
        groups = [group for kind in kinds for group in _GROUPS[kind]]
        super().__init__(NetlinkSocket(ROUTE, groups, receive_buffer=8 << 20))

    def receive(self, timeout_s: float | None = None) -> list[Event]:
        """The next events, none after the timeout; raises NetlinkError (ENOBUFS) when some were lost."""
        found = (_event_of(message) for message in self._socket.receive(timeout_s))
        return [event for event in found if event is not None]


_DECODERS: dict[int, tuple[Literal["new", "delete"], Callable[[bytes], Item]]] = {
    links.NEWLINK: ("new", links.decode_link),
    links.DELLINK: ("delete", links.decode_link),
    addresses.NEWADDR: ("new", addresses.decode_address),
    addresses.DELADDR: ("delete", addresses.decode_address),
    routes.NEWROUTE: ("new", routes.decode_route),
    routes.DELROUTE: ("delete", routes.decode_route),
    neighbors.NEWNEIGH: ("new", neighbors.decode_neighbor),
    neighbors.DELNEIGH: ("delete", neighbors.decode_neighbor),
}


def _event_of(message: Message) -> Event | None:
    known = _DECODERS.get(message.kind)
    if known is None:
        return None
    verb, decode = known
    # A bridge's or VXLAN device's forwarding entry, and its port's link message, are other things of the same types.
    if decode is neighbors.decode_neighbor and message.body[0] not in (_IPV4, _IPV6):
        return None
    if decode is links.decode_link and message.body[0]:
        return None
    return Event(verb, decode(message.body), message.port_id)
