# SPDX-License-Identifier: Apache-2.0
"""Networks as members of IP sets: one text for each, and their order, in which each stands before all inside it."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from percale.resources.addresses import Network, parse_network

__all__ = [
    "IPAddress",
    "Network",
    "address_text",
    "after",
    "canonical_cidr",
    "is_host",
    "network",
    "network_of",
    "supernet",
    "without_zero_length",
]

IPAddress: TypeAlias = IPv4Address | IPv6Address

_HALVES = {"0.0.0.0/0": ("0.0.0.0/1", "128.0.0.0/1"), "::/0": ("::/1", "8000::/1")}


def network(text: str) -> Network:
    """Return the network that a CIDR or an address spells, host bits masked. Raises ValueError."""
    parsed = parse_network(text, bare=True)
    if parsed is None:
        raise ValueError(f"{text!r} is not a network")
    return parsed.masked


def network_of(address: IPAddress) -> Network:
    """Return the network of one address."""
    return Network(address.version, int(address), address.max_prefixlen)


def supernet(inner: Network, length: int) -> Network:
    """Return the network of a shorter prefix length that contains this one."""
    return Network(inner.version, inner.number, length).masked


def after(outer: Network) -> Network:
    """Return the least network that sorts after everything inside this one."""
    return Network(outer.version, outer.number + (1 << outer.bits - outer.length), 0)


@lru_cache(maxsize=1 << 14)
def _canonical_cidr(text: str) -> str:
    return str(network(text))


def canonical_cidr(text: str) -> str:
    """Return a CIDR or an address as CIDR text in canonical form, host bits masked (spec/calculation.md R9).

    IPv4 addresses, by far the most frequent, are taken as they are: dotted decimal has one spelling. Raises ValueError.
    """
    if text.endswith("/32") and ":" not in text:
        return text
    return _canonical_cidr(text)


def address_text(cidr: str) -> str:
    """Return the address of a CIDR text without its prefix length."""
    return cidr.partition("/")[0]


def is_host(cidr: str) -> bool:
    """Report whether canonical CIDR text is a single address."""
    return (cidr.endswith("/32") and ":" not in cidr) or cidr.endswith("/128")


def without_zero_length(cidr: str) -> tuple[str, ...]:
    """Return the canonical CIDR, or its two halves where the prefix length is zero (spec/calculation.md R10)."""
    return _HALVES.get(cidr) or (cidr,)
