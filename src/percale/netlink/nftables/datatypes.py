# SPDX-License-Identifier: Apache-2.0
"""The data types of set keys, map data and comparisons: number, size and byte form of one value.

The numbers are those of libnftables (``enum datatypes`` in its datatype.h); the kernel only stores them, but with them
``nft list ruleset`` prints addresses, interface names and states instead of bytes.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal

__all__ = [
    "ARP_OP",
    "CT_ESTABLISHED",
    "CT_INVALID",
    "CT_NEW",
    "CT_RELATED",
    "CT_STATE",
    "CT_UNTRACKED",
    "ETHER_ADDR",
    "ICMPV6_TYPE",
    "ICMP_TYPE",
    "IFINDEX",
    "IFNAME",
    "INET_PROTO",
    "INET_SERVICE",
    "INTEGER",
    "IPV4_ADDR",
    "IPV6_ADDR",
    "MARK",
    "NF_PROTO",
    "VERDICT",
    "DataType",
    "concatenated_length",
    "concatenated_number",
    "padded",
    "types_of_number",
]

# Bits of ``ct state`` (NF_CT_STATE_BIT in linux/netfilter/nf_conntrack_common.h).
CT_INVALID, CT_ESTABLISHED, CT_RELATED, CT_NEW, CT_UNTRACKED = 0x01, 0x02, 0x04, 0x08, 0x40

_IFNAMSIZ = 16
_CT_STATE_NAMES = {
    CT_INVALID: "invalid",
    CT_ESTABLISHED: "established",
    CT_RELATED: "related",
    CT_NEW: "new",
    CT_UNTRACKED: "untracked",
}
_PROTOCOL_NAMES = {
    1: "icmp",
    4: "ipencap",
    6: "tcp",
    17: "udp",
    33: "dccp",
    58: "ipv6-icmp",
    132: "sctp",
    136: "udplite",
}


@dataclass(frozen=True, slots=True)
class DataType:
    """A libnftables data type: its name in ``nft``, its number, its size in bytes and the byte order of a value.

    ``size`` 0 means that a value has no fixed size (a verdict). Types are equal if name, number, size and order are.
    """

    name: str
    number: int
    size: int
    byteorder: str
    encode: Callable[[object], bytes] = field(compare=False, repr=False)
    """Turn one value (text, number or the bytes themselves) into its ``size`` bytes; raises ValueError."""
    format: Callable[[bytes], str] = field(compare=False, repr=False)
    """Turn ``size`` bytes into the text that ``nft list`` prints for them, or a close relative."""


def _integer(name: str, number: int, size: int, byteorder: str, names: dict[int, str] | None = None) -> DataType:
    order: Literal["little", "big"] = sys.byteorder if byteorder == "host" else "big"
    texts = names or {}
    numbers = {text: value for value, text in texts.items()}

    def encode(value: object) -> bytes:
        if isinstance(value, bytes):
            return _sized(name, size, value)
        if isinstance(value, str):
            value = numbers[value] if value in numbers else int(value, 0)
        if not isinstance(value, int) or value < 0 or value >> (8 * size):
            raise ValueError(f"{value!r} is not a {name}")
        return value.to_bytes(size, order)

    def text(raw: bytes) -> str:
        value = int.from_bytes(raw, order)
        return texts.get(value) or str(value)

    return DataType(name, number, size, byteorder, encode, text)


def _address(name: str, number: int, size: int, family: int) -> DataType:
    def encode(value: object) -> bytes:
        if isinstance(value, bytes):
            return _sized(name, size, value)
        try:
            return socket.inet_pton(family, str(value))
        except OSError:
            raise ValueError(f"{value!r} is not a {name}") from None

    return DataType(name, number, size, "big", encode, lambda raw: socket.inet_ntop(family, raw))


def _sized(name: str, size: int, value: bytes) -> bytes:
    if len(value) != size:
        raise ValueError(f"{value!r} is not a {name}: it has {len(value)} bytes, not {size}")
    return value


def _encode_ifname(value: object) -> bytes:
    raw = value if isinstance(value, bytes) else str(value).encode()
    if len(raw) == _IFNAMSIZ and isinstance(value, bytes):
        return raw
    if not 0 < len(raw) < _IFNAMSIZ:
        raise ValueError(f"{value!r} is not an interface name: it must have 1 to {_IFNAMSIZ - 1} bytes")
    return raw.ljust(_IFNAMSIZ, b"\0")


def _format_ifname(raw: bytes) -> str:
    name = raw.rstrip(b"\0").decode(errors="backslashreplace")
    # A comparison shorter than the register is how nft writes a wildcard.
    return f'"{name}*"' if len(raw) < _IFNAMSIZ and not raw.endswith(b"\0") else f'"{name}"'


def _encode_ether(value: object) -> bytes:
    raw = value if isinstance(value, bytes) else bytes.fromhex(str(value).replace(":", ""))
    return _sized("ether_addr", 6, raw)


def _refuse_verdict(value: object) -> bytes:
    raise ValueError(f"{value!r}: a verdict is a Verdict, not bytes")


VERDICT = DataType("verdict", 1, 0, "host", _refuse_verdict, bytes.hex)
NF_PROTO = _integer("nf_proto", 2, 1, "host", {2: "ipv4", 10: "ipv6"})
INTEGER = _integer("integer", 4, 4, "host")
IPV4_ADDR = _address("ipv4_addr", 7, 4, socket.AF_INET)
IPV6_ADDR = _address("ipv6_addr", 8, 16, socket.AF_INET6)
ETHER_ADDR = DataType("ether_addr", 9, 6, "big", _encode_ether, lambda raw: raw.hex(":"))
ARP_OP = _integer("arp_op", 11, 2, "big", {1: "request", 2: "reply"})
INET_PROTO = _integer("inet_proto", 12, 1, "big", _PROTOCOL_NAMES)
INET_SERVICE = _integer("inet_service", 13, 2, "big")
ICMP_TYPE = _integer("icmp_type", 14, 1, "big")
MARK = _integer("mark", 19, 4, "host")
IFINDEX = _integer("iface_index", 20, 4, "host")
CT_STATE = _integer("ct_state", 26, 4, "host", _CT_STATE_NAMES)
ICMPV6_TYPE = _integer("icmpv6_type", 29, 1, "big")
IFNAME = DataType("ifname", 41, _IFNAMSIZ, "host", _encode_ifname, _format_ifname)

_BY_NUMBER = {
    known.number: known
    for known in (
        VERDICT, NF_PROTO, INTEGER, IPV4_ADDR, IPV6_ADDR, ETHER_ADDR, ARP_OP, INET_PROTO, INET_SERVICE, ICMP_TYPE, MARK,
        IFINDEX, CT_STATE, ICMPV6_TYPE, IFNAME,
    )
}  # fmt: skip


def padded(length: int) -> int:
    """The room in bytes that one component of a concatenation takes: its size rounded up to 4."""
    return (length + 3) & ~3


def concatenated_length(components: tuple[DataType, ...]) -> int:
    """The length in bytes of a key or datum of these components; a single one is not padded."""
    if len(components) == 1:
        return components[0].size
    return sum(padded(component.size) for component in components)


def concatenated_number(components: tuple[DataType, ...]) -> int:
    """The number of a concatenated type: six bits per component (libnftables' TYPE_BITS)."""
    number = 0
    for component in components:
        number = number << 6 | component.number
    return number


def types_of_number(number: int, length: int) -> tuple[DataType, ...]:
    """The components of a type number read from the kernel; an unknown one is an ``integer`` of that length."""
    numbers: list[int] = []
    while number:
        numbers.append(number & 0x3F)
        number >>= 6
    found = tuple(_BY_NUMBER[one] for one in reversed(numbers) if one in _BY_NUMBER)
    if len(found) == len(numbers) and concatenated_length(found) == length:
        return found
    return (_integer("integer", 4, length, "host"),)
