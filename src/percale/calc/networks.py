# SPDX-License-Identifier: Apache-2.0
"""Networks as members of IP sets: their canonical text, and values that sort before all that they contain."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import NamedTuple, TypeAlias

__all__ = ["IPAddress", "Network", "address_text", "canonical_cidr", "is_host", "network", "without_zero_length"]

IPAddress: TypeAlias = IPv4Address | IPv6Address

_BITS = {4: 32, 6: 128}
_HALVES = {"0.0.0.0/0": ("0.0.0.0/1", "128.0.0.0/1"), "::/0": ("::/1", "8000::/1")}


class Network(NamedTuple):
    """A network: family (4 or 6), first address as a number, prefix length. It sorts before the networks inside it."""

    version: int
    address: int
    length: int

    @property
    def after(self) -> Network:
        """The least of all networks that sort after everything inside this one."""
        return Network(self.version, self.address + (1 << _BITS[self.version] - self.length), 0)

    @property
    def is_host(self) -> bool:
        """Whether it is a single address."""
        return self.length == _BITS[self.version]

    @classmethod
    def of_address(cls, address: IPAddress) -> Network:
        """Return the network of one address."""
        return cls(address.version, int(address), address.max_prefixlen)

    def supernet(self, length: int) -> Network:
        """Return the network of a shorter prefix length that contains this one."""
        shift = _BITS[self.version] - length
        return Network(self.version, self.address >> shift << shift, length)

    def __str__(self) -> str:
        address = IPv4Address(self.address) if self.version == 4 else IPv6Address(self.address)
        return f"{address}/{self.length}"


def network(text: str) -> Network:
    """Return the network that a CIDR or an address spells; host bits are masked. Raises ValueError."""
    parsed = ip_interface(text).network
    return Network(parsed.version, int(parsed.network_address), parsed.prefixlen)


def canonical_cidr(text: str) -> str:
    """Return a CIDR or an address as CIDR text in canonical form, host bits masked (spec/calculation.md R9).

    IPv4 addresses, by far the most frequent, are taken as they are: dotted decimal has one spelling. Raises ValueError.
    """
    if text.endswith("/32") and ":" not in text:
        return text
    return _canonical_cidr(text)


@lru_cache(maxsize=1 << 14)
def _canonical_cidr(text: str) -> str:
    return str(network(text))


def address_text(cidr: str) -> str:
    """Return the address of a CIDR text without its prefix length."""
    return cidr.partition("/")[0]


def is_host(cidr: str) -> bool:
    """Report whether canonical CIDR text is a single address."""
    return (cidr.endswith("/32") and ":" not in cidr) or cidr.endswith("/128")


def without_zero_length(cidr: str) -> tuple[str, ...]:
    """Return the canonical CIDR, or its two halves where the prefix length is zero (spec/calculation.md R10)."""
    return _HALVES.get(cidr) or (cidr,)
