# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of matches: each function gives the expressions for one condition, in the order that ``nft`` uses.

Header offsets: RFC 791 section 3.1, RFC 8200 section 3; ports lie at 0 and 2 of the transport header for TCP, UDP,
UDP-Lite, SCTP and DCCP alike.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from percale.dataplane.prefix import Prefix
from percale.netlink.nftables.datatypes import ICMP_TYPE, ICMPV6_TYPE, IPV4_ADDR, IPV6_ADDR, DataType
from percale.netlink.nftables.expressions import (
    Bitwise,
    Cmp,
    Expression,
    Lookup,
    Meta,
    Payload,
    Range,
    register,
)

__all__ = [
    "DESTINATION",
    "FAMILIES",
    "SOURCE",
    "V4",
    "V6",
    "Family",
    "Match",
    "Side",
    "address_in_set",
    "address_port_in_set",
    "family_is",
    "icmp_is",
    "interface_and_address_in_set",
    "interface_begins",
    "net_is",
    "port_between",
    "port_in_set",
    "protocol_in_set",
    "protocol_is",
]

Match: TypeAlias = tuple[Expression, ...]


class Family(NamedTuple):
    """What differs between IPv4 and IPv6 for a rule."""

    version: int
    nfproto: bytes
    source_offset: int
    destination_offset: int
    size: int
    icmp: int
    address: DataType
    icmp_type: DataType


V4 = Family(4, b"\x02", 12, 16, 4, 1, IPV4_ADDR, ICMP_TYPE)
V6 = Family(6, b"\x0a", 8, 24, 16, 58, IPV6_ADDR, ICMPV6_TYPE)
FAMILIES = {4: V4, 6: V6}


class Side(NamedTuple):
    """One end of a packet: whether it is the source, and where its port lies in the transport header."""

    is_source: bool
    port_offset: int

    def address(self, family: Family, to_register: int = 1) -> Payload:
        """Load this end's address."""
        offset = family.source_offset if self.is_source else family.destination_offset
        return Payload("network", offset, family.size, to_register)

    def port(self, to_register: int = 1) -> Payload:
        """Load this end's port."""
        return Payload("transport", self.port_offset, 2, to_register)


SOURCE, DESTINATION = Side(True, 0), Side(False, 2)


def _op(negate: bool) -> Literal["eq", "neq"]:
    return "neq" if negate else "eq"


def family_is(family: Family) -> Match:
    """The packet is of this IP version; must precede whatever looks into its network header."""
    return Meta("nfproto"), Cmp("eq", family.nfproto)


def protocol_is(number: int, *, negate: bool = False) -> Match:
    """The transport protocol is (or is not) ``number``."""
    return Meta("l4proto"), Cmp(_op(negate), bytes((number,)))


def protocol_in_set(set_name: str) -> Match:
    """The transport protocol is in the set."""
    return Meta("l4proto"), Lookup(set_name)


def net_is(side: Side, prefix: Prefix, family: Family, *, negate: bool = False) -> Match:
    """The address lies (or does not lie) in the prefix."""
    op = _op(negate)
    load = side.address(family)
    if prefix.is_host:
        return load, Cmp(op, prefix.first)
    return load, Bitwise(prefix.mask, bytes(family.size)), Cmp(op, prefix.first)


def address_in_set(side: Side, set_name: str, family: Family, *, negate: bool = False) -> Match:
    """The address is (or is not) in the set."""
    return side.address(family), Lookup(set_name, invert=negate)


def address_port_in_set(side: Side, set_name: str, family: Family, *, negate: bool = False) -> Match:
    """The address, protocol and port together are (or are not) in the set."""
    words = family.size // 4
    return (
        side.address(family),
        Meta("l4proto", register(words)),
        side.port(register(words + 1)),
        Lookup(set_name, invert=negate),
    )


def port_between(side: Side, first: int, last: int, *, negate: bool = False) -> Match:
    """The port lies (or does not lie) between two, both included."""
    op = _op(negate)
    if first == last:
        return side.port(), Cmp(op, first.to_bytes(2, "big"))
    return side.port(), Range(op, first.to_bytes(2, "big"), last.to_bytes(2, "big"))


def port_in_set(side: Side, set_name: str, *, negate: bool = False) -> Match:
    """The port is (or is not) in the set."""
    return side.port(), Lookup(set_name, invert=negate)


def icmp_is(family: Family, type_: int, code: int | None, *, negate: bool = False) -> Match:
    """The ICMP type, and the code unless None, are (or are not both) these."""
    op = _op(negate)
    data = bytes((type_,)) if code is None else bytes((type_, code))
    return (*protocol_is(family.icmp), Payload("transport", 0, len(data)), Cmp(op, data))


def interface_begins(key: str, prefix: str) -> Match:
    """The interface's name (``iifname`` or ``oifname``) begins with ``prefix``."""
    return Meta(key), Cmp("eq", prefix.encode())


def interface_and_address_in_set(key: str, side: Side, set_name: str, family: Family, *, negate: bool = False) -> Match:
    """The interface's name and the address together are (or are not) in the set."""
    return Meta(key), side.address(family, register(4)), Lookup(set_name, invert=negate)
