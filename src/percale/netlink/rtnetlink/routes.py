# SPDX-License-Identifier: Apache-2.0
"""Routes (linux/rtnetlink.h): values, and the requests to add, replace and delete them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from percale.netlink.attributes import attribute, parse, u32
from percale.netlink.rtnetlink.addresses import address_text, packed_address, packed_prefix
from percale.netlink.socket import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Request

if TYPE_CHECKING:
    from typing import Literal

    RouteType = Literal["unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit"]

__all__ = [
    "PROTOCOL_BOOT",
    "SCOPE_GLOBAL",
    "SCOPE_LINK",
    "TABLE_MAIN",
    "Route",
    "add_route",
    "decode_route",
    "delete_route",
    "replace_route",
]

NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
TABLE_MAIN, PROTOCOL_BOOT, SCOPE_GLOBAL, SCOPE_LINK = 254, 3, 0, 253

_DESTINATION, _INTERFACE, _GATEWAY, _METRIC, _PREFERRED_SOURCE, _MULTIPATH = 1, 4, 5, 6, 7, 9
TABLE_ATTRIBUTE = 15
_ONLINK = 0x4
_TYPES = (
    "unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
    "nat", "xresolve",
)  # fmt: skip

_IPV4, _IPV6 = 2, 10
_IPV6_DEFAULT_METRIC = 1024
_LOOPBACK = 1

# family, destination length, source length, tos, table, protocol, scope, type, flags
HEADER = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Route:
    """A route to ``destination`` (``10.65.0.1/32``, ``::/0``) over the link with index ``interface``, 0 for none.

    ``protocol`` tells who made it (3 is boot), ``scope`` is 0 global, 253 link. ``multipath`` marks a foreign route
    with several next hops, which are not modelled. IPv6 knows no scopes: compare ``reported()`` forms.
    """

    destination: str
    interface: int = 0
    gateway: str = ""
    preferred_source: str = ""
    metric: int = 0
    table: int = TABLE_MAIN
    protocol: int = PROTOCOL_BOOT
    scope: int = SCOPE_GLOBAL
    type: RouteType = "unicast"
    onlink: bool = False
    multipath: bool = False

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 route."""
        return ":" in self.destination

    def reported(self) -> Route:
        """The same route as the kernel reports it: for IPv6 without scope, with a metric, refusals on the loopback."""
        if not self.is_ipv6:
            return self
        refuses = self.type in ("blackhole", "unreachable", "prohibit")
        interface = _LOOPBACK if refuses else self.interface
        return replace(self, scope=0, metric=self.metric or _IPV6_DEFAULT_METRIC, interface=interface)


def add_route(route: Route) -> Request:
    """The request to add a route; EEXIST if the kernel has one of that destination, table and metric."""
    return Request(NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, _encode(route))


def replace_route(route: Route) -> Request:
    """The request to add a route, or to put it in the place of that of equal destination, table and metric at once."""
    return Request(NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _encode(route))


def delete_route(route: Route) -> Request:
    """The request to delete a route that equals this one in all that is given; ESRCH if there is none."""
    return Request(DELROUTE, 0, _encode(route))


def _encode(route: Route) -> bytes:
    family, destination, length = packed_prefix(route.destination)
    # The byte of the header holds tables up to 255 only; the attribute holds all.
    table = route.table if route.table < 256 else 0
    flags = _ONLINK if route.onlink else 0
    kind = _TYPES.index(route.type)
    body = HEADER.pack(family, length, 0, 0, table, route.protocol, route.scope, kind, flags)
    body += attribute(_DESTINATION, destination) + u32(TABLE_ATTRIBUTE, route.table)
    if route.interface:
        body += u32(_INTERFACE, route.interface)
    if route.gateway:
        body += attribute(_GATEWAY, packed_address(route.gateway)[1])
    if route.metric:
        body += u32(_METRIC, route.metric)
    if route.preferred_source:
        body += attribute(_PREFERRED_SOURCE, packed_address(route.preferred_source)[1])
    return body


def decode_route(body: bytes) -> Route:
    """The route that a message's body describes."""
    family, length, _, _, table, protocol, scope, kind, flags = HEADER.unpack_from(body)
    attributes = parse(body, HEADER.size)
    destination = attributes.get(_DESTINATION) or bytes(16 if family == _IPV6 else 4)
    gateway, source = attributes.get(_GATEWAY), attributes.get(_PREFERRED_SOURCE)
    return Route(
        f"{address_text(destination)}/{length}",
        _number(attributes.get(_INTERFACE)),
        address_text(gateway) if gateway else "",
        address_text(source) if source else "",
        _number(attributes.get(_METRIC)),
        _number(attributes.get(TABLE_ATTRIBUTE)) or table,
        protocol,
        scope,
        _TYPES[kind],  # type: ignore[arg-type]
        bool(flags & _ONLINK),
        _MULTIPATH in attributes,
    )


def _number(value: bytes | None) -> int:
    return _U32.unpack(value)[0] if value else 0
