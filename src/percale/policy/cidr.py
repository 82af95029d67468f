# SPDX-License-Identifier: Apache-2.0
"""CIDR text against an address; each text is read once."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network

from percale.calc.networks import IPAddress

__all__ = ["covers", "shares_family"]


def covers(cidr: str, address: IPAddress) -> bool:
    """Say whether a network contains an address, which one of the other family never does.

    Raises ValueError for a text that is no CIDR.
    """
    version, first, mask = _network(cidr)
    return version == address.version and int(address) & mask == first


def shares_family(cidr: str, address: IPAddress) -> bool:
    """Say whether a network and an address are of one family; raises ValueError for a text that is no CIDR."""
    return _network(cidr)[0] == address.version


@lru_cache(maxsize=65536)
def _network(cidr: str) -> tuple[int, int, int]:
    network = ip_network(cidr, strict=False)
    return network.version, int(network.network_address), int(network.netmask)
