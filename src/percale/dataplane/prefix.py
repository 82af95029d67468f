# SPDX-License-Identifier: Apache-2.0
"""Prefixes and set members as numbers and bytes: the quick forms behind CIDR text."""

from __future__ import annotations

import socket
from typing import NamedTuple

from percale.netlink.nftables.objects import Element

__all__ = ["Prefix", "port_member"]

_BITS = {4: 32, 6: 128}
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58, "udplite": 136}


class Prefix(NamedTuple):
    """A CIDR: IP version, first address as a number, and length."""

    version: int
    start: int
    length: int

    @classmethod
    def parse(cls, text: str) -> Prefix:
        """Return the prefix of CIDR or address text, host bits cleared; raises ValueError."""
        address, slash, length_text = text.partition("/")
        try:
            if ":" in address:
                version, raw = 6, socket.inet_pton(socket.AF_INET6, address)
            else:
                version, raw = 4, socket.inet_pton(socket.AF_INET, address)
        except OSError:
            raise ValueError(f"{text!r} is not a CIDR") from None
        bits = _BITS[version]
        length = int(length_text) if slash else bits
        if not 0 <= length <= bits:
            raise ValueError(f"{text!r} is not a CIDR: the length of an IPv{version} prefix is 0 to {bits}")
        rest = bits - length
        return cls(version, int.from_bytes(raw, "big") >> rest << rest, length)

    @property
    def is_host(self) -> bool:
        """Whether the prefix is a single address."""
        return self.length == _BITS[self.version]

    @property
    def first(self) -> bytes:
        """The first address as bytes."""
        return self.start.to_bytes(_BITS[self.version] // 8, "big")

    @property
    def last(self) -> bytes:
        """The last address as bytes."""
        return self.stop.to_bytes(_BITS[self.version] // 8, "big")

    @property
    def stop(self) -> int:
        """The last address as a number."""
        return self.start | ((1 << (_BITS[self.version] - self.length)) - 1)

    @property
    def mask(self) -> bytes:
        """The network mask as bytes."""
        bits = _BITS[self.version]
        return ((1 << bits) - (1 << (bits - self.length))).to_bytes(bits // 8, "big")

    def widened(self, length: int) -> Prefix:
        """The enclosing prefix of a shorter ``length``."""
        rest = _BITS[self.version] - length
        return Prefix(self.version, self.start >> rest << rest, length)

    def element(self) -> Element:
        """The prefix as an element of a set."""
        return Element(self.first) if self.is_host else Element.between(self.first, self.last)

    def halves(self) -> tuple[Prefix, ...]:
        """The prefix itself, or of one with length 0 both its halves (spec/calculation.md R10)."""
        if self.length:
            return (self,)
        return Prefix(self.version, 0, 1), Prefix(self.version, 1 << (_BITS[self.version] - 1), 1)

    def __str__(self) -> str:
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        return f"{socket.inet_ntop(family, self.first)}/{self.length}"


def port_member(text: str) -> tuple[int, bytes]:
    """The IP version and the set key (address . protocol . port) of a member such as ``10.0.0.1,tcp:80``."""
    address, _, service = text.rpartition(",")
    protocol, _, port = service.rpartition(":")
    family, version = (socket.AF_INET6, 6) if ":" in address else (socket.AF_INET, 4)
    number = _PROTOCOLS[protocol] if protocol in _PROTOCOLS else int(protocol)
    key = socket.inet_pton(family, address.partition("/")[0]) + bytes((number, 0, 0, 0)) + int(port).to_bytes(2, "big")
    return version, key + b"\0\0"
