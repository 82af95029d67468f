# SPDX-License-Identifier: Apache-2.0
"""Addresses of links (linux/if_addr.h), and the text form of addresses that all rtnetlink values share."""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass

from percale.netlink.attributes import attribute, parse, u32
from percale.netlink.socket import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Request

__all__ = [
    "Address",
    "add_address",
    "address_text",
    "decode_address",
    "delete_address",
    "packed_address",
    "packed_prefix",
    "replace_address",
]

NEWADDR, DELADDR, GETADDR = 20, 21, 22

_ADDRESS, _LOCAL, _FLAGS = 1, 2, 8
_NO_DAD, _NO_PREFIX_ROUTE = 0x02, 0x200

# family, prefix length, flags, scope, link index
HEADER = struct.Struct("=BBBBI")


def packed_address(text: str) -> tuple[int, bytes]:
    """The address family and the bytes of an address; raises ValueError."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return family, socket.inet_pton(family, text)
    except OSError:
        raise ValueError(f"{text!r} is not an IP address") from None


def packed_prefix(text: str) -> tuple[int, bytes, int]:
    """The address family, the bytes of the address and the prefix length of ``address/length``; raises ValueError."""
    address, _, length = text.partition("/")
    family, packed = packed_address(address)
    if not length.isdecimal() or int(length) > len(packed) * 8:
        raise ValueError(f"{text!r} has no prefix length between 0 and {len(packed) * 8}")
    return family, packed, int(length)


def address_text(packed: bytes) -> str:
    """The text of an address of 4 or 16 bytes."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the link with index ``interface``: ``192.0.2.1/32`` or ``2001:db8::1/128``.

    ``scope`` 0 is global, 253 link, 254 host. ``no_prefix_route`` keeps the kernel from adding a route for the prefix,
    ``no_dad`` from probing for duplicates of an IPv6 address first.
    """

    interface: int
    address: str
    scope: int = 0
    no_prefix_route: bool = False
    no_dad: bool = False


def add_address(address: Address) -> Request:
    """The request to add an address; EEXIST if it is there."""
    return Request(NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _encode(address))


def replace_address(address: Address) -> Request:
    """The request to add an address or to renew it if it is there."""
    return Request(NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, _encode(address))


def delete_address(address: Address) -> Request:
    """The request to delete an address; EADDRNOTAVAIL if it is not there."""
    return Request(DELADDR, 0, _encode(address))


def _encode(address: Address) -> bytes:
    family, packed, length = packed_prefix(address.address)
    flags = _NO_PREFIX_ROUTE * address.no_prefix_route | _NO_DAD * address.no_dad
    head = HEADER.pack(family, length, 0, address.scope, address.interface)
    return head + attribute(_LOCAL, packed) + attribute(_ADDRESS, packed) + (u32(_FLAGS, flags) if flags else b"")


def decode_address(body: bytes) -> Address:
    """The address that a message's body describes."""
    _, length, flags, scope, interface = HEADER.unpack_from(body)
    attributes = parse(body, HEADER.size)
    flags = int.from_bytes(attributes.get(_FLAGS, bytes([flags])), sys.byteorder)
    # On a point-to-point link ADDRESS is the other end and LOCAL our own; IPv6 has only ADDRESS elsewhere.
    packed = attributes.get(_LOCAL) or attributes[_ADDRESS]
    text = f"{address_text(packed)}/{length}"
    return Address(interface, text, scope, bool(flags & _NO_PREFIX_ROUTE), bool(flags & _NO_DAD))
