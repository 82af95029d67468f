# SPDX-License-Identifier: Apache-2.0
"""Netlink attributes: type-length-value records, padded to 4 bytes, that may hold others (RFC 3549, linux/netlink.h).

     0        2        4                      4 + n   padding to 4
    +--------+--------+----------------------+------+
    | length | type   | payload (n bytes)    | 0    |      length = 4 + n, in host byte order
    +--------+--------+----------------------+------+

Bit 15 of the type (``NESTED``) says that the payload is a list of attributes.
"""

from __future__ import annotations

import struct

__all__ = [
    "NESTED",
    "attribute",
    "be16",
    "be32",
    "be64",
    "nested",
    "pairs",
    "parse",
    "string",
    "text_of",
    "u8",
    "u16",
    "u32",
]

NESTED = 0x8000
_TYPE_MASK = 0x3FFF  # bit 14 tells the payload's byte order and is never set by what we read

_HEADER = struct.Struct("=HH")
_U8 = struct.Struct("=HHB3x")
_U16 = struct.Struct("=HHH2x")
_U32 = struct.Struct("=HHI")
_BE16_PAYLOAD = struct.Struct(">H2x")
_BE32_PAYLOAD = struct.Struct(">I")
_BE64_PAYLOAD = struct.Struct(">Q")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

_pack_header = _HEADER.pack
_unpack_header = _HEADER.unpack_from


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute with its padding; the payload has at most 65531 bytes (struct.error above)."""
    length = len(payload)
    return _pack_header(length + 4, kind) + payload + _PADDING[length & 3]


def nested(kind: int, *parts: bytes) -> bytes:
    """One attribute that holds others, which are given packed."""
    payload = b"".join(parts)
    return _pack_header(len(payload) + 4, kind | NESTED) + payload


def string(kind: int, value: str) -> bytes:
    """One attribute with a text in UTF-8 and its closing zero."""
    return attribute(kind, value.encode() + b"\0")


def u8(kind: int, value: int) -> bytes:
    """One attribute with an 8-bit number."""
    return _U8.pack(5, kind, value)


def u16(kind: int, value: int) -> bytes:
    """One attribute with a 16-bit number in host byte order."""
    return _U16.pack(6, kind, value)


def u32(kind: int, value: int) -> bytes:
    """One attribute with a 32-bit number in host byte order."""
    return _U32.pack(8, kind, value)


def be16(kind: int, value: int) -> bytes:
    """One attribute with a 16-bit number in network byte order, as nfnetlink has them."""
    return _pack_header(6, kind) + _BE16_PAYLOAD.pack(value)


def be32(kind: int, value: int) -> bytes:
    """One attribute with a 32-bit number in network byte order; a negative one in two's complement."""
    return _pack_header(8, kind) + _BE32_PAYLOAD.pack(value & 0xFFFFFFFF)


def be64(kind: int, value: int) -> bytes:
    """One attribute with a 64-bit number in network byte order."""
    return _pack_header(12, kind) + _BE64_PAYLOAD.pack(value)


def pairs(buffer: bytes, offset: int = 0) -> list[tuple[int, bytes]]:
    """The attributes from ``offset`` on as (type without flag bits, payload) in order; a torn one ends the list."""
    found = []
    end = len(buffer) - 4
    while offset <= end:
        length, kind = _unpack_header(buffer, offset)
        if length < 4:
            break
        found.append((kind & _TYPE_MASK, buffer[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found


def parse(buffer: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes from ``offset`` on by type; of several with one type the last counts."""
    return dict(pairs(buffer, offset))


def text_of(payload: bytes) -> str:
    """The text of a string attribute, without its closing zero; bytes that are not UTF-8 are kept visible."""
    return payload.rstrip(b"\0").decode(errors="backslashreplace")
