# SPDX-License-Identifier: Apache-2.0
"""An IP address in the three forms that matching needs, worked out once."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

__all__ = ["Address", "address"]


class Address(NamedTuple):
    """An IP address: its canonical text, its family (4 or 6), and its number."""

    text: str
    version: int
    number: int

    def is_inside(self, cidr: str) -> bool:
        """Say whether a network of the same family contains the address; raises ValueError for a bad CIDR."""
        version, first, mask = _network(cidr)
        return version == self.version and self.number & mask == first

    def shares_family(self, cidr: str) -> bool:
        """Say whether a network is of the address's family; raises ValueError for a bad CIDR."""
        return _network(cidr)[0] == self.version

    def __str__(self) -> str:
        return self.text


def address(text: str) -> Address:
    """Return the address that a text spells; raises ValueError."""
    parsed = ip_address(text)
    return Address(str(parsed), parsed.version, int(parsed))


@lru_cache(maxsize=65536)
def _network(cidr: str) -> tuple[int, int, int]:
    network = ip_network(cidr, strict=False)
    return network.version, int(network.network_address), int(network.netmask)
