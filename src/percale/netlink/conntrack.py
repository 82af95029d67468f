# SPDX-License-Identifier: Apache-2.0
"""Tracked connections: list them, and forget those of an address that has moved.

The attributes of one connection (linux/netfilter/nfnetlink_conntrack.h), whose tuples are its two directions:

    TUPLE_ORIG (1), TUPLE_REPLY (2), nested
        TUPLE_IP (1)     { V4_SRC (1), V4_DST (2) | V6_SRC (3), V6_DST (4) }
        TUPLE_PROTO (2)  { NUM (1, 8 bits), SRC_PORT (2), DST_PORT (3) }
    ID (12), ZONE (18)

A dump may be narrowed by one of the tuples and FILTER (25) { ORIG_FLAGS (1), REPLY_FLAGS (2) }.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from percale.netlink.attributes import NESTED, attribute, nested, parse, u32
from percale.netlink.rtnetlink.addresses import address_text, packed_address
from percale.netlink.socket import NETFILTER, Connection, Message, NetlinkSocket, Request

__all__ = ["ConntrackSocket", "TrackedConnection"]

_GET, _DELETE, _GET_STATISTICS = 0x101, 0x102, 0x105
_ORIGINAL, _REPLY, _ID, _ZONE, _FILTER = 1, 2, 12, 18, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_PROTO_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_ENTRIES = 1
_FILTER_SOURCE = 1  # CTA_FILTER_F_CTA_IP_SRC: compare the source address of the tuple, and nothing else

_UNSPECIFIED, _IPV4, _IPV6 = 0, 2, 10
_FEW = 5000
_GENERIC = struct.Struct(">BBH")
_HEADER_LENGTH = 4


@dataclass(frozen=True, slots=True)
class TrackedConnection:
    """A connection as its first packet showed it, and the two ends of the packets that answer.

    Ports are 0 where the protocol (an IP protocol number) has none.
    """

    protocol: int
    source: str
    destination: str
    source_port: int
    destination_port: int
    reply_source: str
    reply_destination: str


class ConntrackSocket(Connection):
    """A connection to ctnetlink in the calling thread's network namespace; a context manager, for one thread."""

    def __init__(self) -> None:
        super().__init__(NetlinkSocket(NETFILTER))

    def count(self) -> int:
        """The number of tracked connections of all families."""
        answer = self._socket.query(_GET_STATISTICS, 0, _GENERIC.pack(0, 0, 0), context="connection count")
        return int.from_bytes(parse(answer.body, _HEADER_LENGTH)[_ENTRIES], "big")

    def connections(self, *, ipv6: bool = False) -> list[TrackedConnection]:
        """All tracked connections of one family."""
        return [_connection_of(message) for message in self._dump(_IPV6 if ipv6 else _IPV4, b"")]

    def forget(self, addresses: Collection[str]) -> int:
        """Delete each connection whose original source or reply source is one of the addresses; returns how many.

        No other connection is touched, and one that has gone by itself meanwhile is no error. Raises ValueError for
        what is no address, and NetlinkError.
        """
        wanted = {packed_address(address) for address in addresses}
        count = self.count() if wanted else 0
        if not count:
            return 0
        by_family = {family: {packed for its, packed in wanted if its == family} for family in (_IPV4, _IPV6)}
        # Each dump walks the whole hash table, which takes longer than to look at a few thousand connections.
        if count <= _FEW:
            messages = self._dump(_UNSPECIFIED, b"")
        else:
            messages = [one for family, packed in by_family.items() for one in self._candidates(family, packed)]
        return self._delete(messages, by_family)

    def _delete(self, messages: Iterable[Message], wanted: dict[int, set[bytes]]) -> int:
        # Keyed by tuple and identity, since both dumps for one address may show the same connection.
        doomed: dict[bytes, Request] = {}
        for message in messages:
            family = message.body[0]
            addresses = wanted.get(family, ())
            attributes = parse(message.body, _HEADER_LENGTH)
            # The kernel's own filter is not relied upon: one that does not know it answers with everything.
            if _source_of(attributes[_ORIGINAL]) in addresses or _source_of(attributes[_REPLY]) in addresses:
                body = _GENERIC.pack(family, 0, 0) + _identity(attributes)
                doomed[body] = Request(_DELETE, 0, body)
        refused = self._socket.pipeline(doomed.values(), context="forgetting connections")
        for error in refused.values():
            if not error.is_not_found:
                raise error
        return len(doomed) - len(refused)

    def _candidates(self, family: int, addresses: set[bytes]) -> Iterator[Message]:
        if len(addresses) > 1:  # two dumps per address would cost more than one of everything
            yield from self._dump(family, b"")
            return
        for address in addresses:
            for tuple_kind in (_ORIGINAL, _REPLY):
                yield from self._dump(family, _source_filter(tuple_kind, address))

    def _dump(self, family: int, wanted: bytes) -> list[Message]:
        return self._socket.dump(_GET, _GENERIC.pack(family, 0, 0) + wanted, context="connections")


def _source_filter(tuple_kind: int, address: bytes) -> bytes:
    source = attribute(1 if len(address) == 4 else 3, address)
    flags = (u32(kind, _FILTER_SOURCE if kind == tuple_kind else 0) for kind in (_ORIGINAL, _REPLY))
    return nested(tuple_kind, nested(_TUPLE_IP, source)) + nested(_FILTER, *flags)


def _identity(attributes: dict[int, bytes]) -> bytes:
    """What names exactly one connection: its tuple, its id and, outside the default one, its zone."""
    zone = attribute(_ZONE, attributes[_ZONE]) if _ZONE in attributes else b""
    return attribute(_ORIGINAL | NESTED, attributes[_ORIGINAL]) + attribute(_ID, attributes[_ID]) + zone


def _source_of(tuple_payload: bytes) -> bytes:
    return _ends_of(tuple_payload)[0]


def _ends_of(tuple_payload: bytes) -> tuple[bytes, bytes]:
    ends = parse(parse(tuple_payload)[_TUPLE_IP])
    return ends.get(1) or ends[3], ends.get(2) or ends[4]


def _connection_of(message: Message) -> TrackedConnection:
    attributes = parse(message.body, _HEADER_LENGTH)
    source, destination = map(address_text, _ends_of(attributes[_ORIGINAL]))
    reply_source, reply_destination = map(address_text, _ends_of(attributes[_REPLY]))
    protocol = parse(parse(attributes[_ORIGINAL])[_TUPLE_PROTO])
    source_port = int.from_bytes(protocol.get(_SOURCE_PORT, b""), "big")
    destination_port = int.from_bytes(protocol.get(_DESTINATION_PORT, b""), "big")
    number = protocol[_PROTO_NUMBER][0]
    return TrackedConnection(
        number, source, destination, source_port, destination_port, reply_source, reply_destination
    )
