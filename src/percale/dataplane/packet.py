# SPDX-License-Identifier: Apache-2.0
"""A packet as the in-memory dataplane sees it: its headers in bytes, its interfaces and its connection's state."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Literal, TypeAlias

from percale.netlink.nftables.datatypes import CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, CT_UNTRACKED

__all__ = ["CtState", "Hook", "Packet"]

CtState: TypeAlias = Literal["new", "established", "related", "invalid", "untracked"]
Hook: TypeAlias = Literal["prerouting", "input", "forward", "output", "postrouting"]

_CT_BITS: dict[CtState, int] = {
    "new": CT_NEW,
    "established": CT_ESTABLISHED,
    "related": CT_RELATED,
    "invalid": CT_INVALID,
    "untracked": CT_UNTRACKED,
}
_ICMP, _ICMPV6 = 1, 58
_PATHS: dict[tuple[bool, bool], tuple[Hook, ...]] = {
    (True, True): ("prerouting", "forward", "postrouting"),
    (True, False): ("prerouting", "input"),
    (False, True): ("output", "postrouting"),
}


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet; without ``oif`` it is for the host itself, without ``iif`` it comes from there.

    Ports are those of the transport header, ``icmp_type`` and ``icmp_code`` of ICMP's or ICMPv6's.
    """

    source: str
    destination: str
    protocol: int = 6
    source_port: int = 40000
    destination_port: int = 0
    icmp_type: int = 0
    icmp_code: int = 0
    iif: str = ""
    oif: str = ""
    ct: CtState = "new"
    mark: int = 0

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 packet."""
        return ":" in self.destination

    @property
    def ct_bit(self) -> int:
        """The bit of ``ct state``."""
        return _CT_BITS[self.ct]

    @property
    def path(self) -> tuple[Hook, ...]:
        """The hooks that the packet passes; raises ValueError if it has no interface at all."""
        path = _PATHS.get((bool(self.iif), bool(self.oif)))
        if path is None:
            raise ValueError("a packet needs an incoming or an outgoing interface")
        return path

    @property
    def source_bytes(self) -> bytes:
        """The source address."""
        return _address(self.source)

    @property
    def destination_bytes(self) -> bytes:
        """The destination address."""
        return _address(self.destination)

    def network_header(self) -> bytes:
        """The IPv4 header without options (RFC 791) or the IPv6 header (RFC 8200)."""
        addresses = self.source_bytes + self.destination_bytes
        if self.is_ipv6:
            return b"\x60\0\0\0" + b"\0\x08" + bytes((self.protocol, 64)) + addresses
        return b"\x45\0\0\x1c\0\0\0\0" + bytes((64, self.protocol, 0, 0)) + addresses

    def transport_header(self) -> bytes:
        """The first eight bytes behind the network header."""
        if self.protocol in (_ICMP, _ICMPV6):
            return bytes((self.icmp_type, self.icmp_code)) + bytes(6)
        return self.source_port.to_bytes(2, "big") + self.destination_port.to_bytes(2, "big") + bytes(4)


def _address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
