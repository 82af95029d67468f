# SPDX-License-Identifier: Apache-2.0
"""What is asked of automatic assignment and what it answers (spec/ipam.md section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from percale.ipam.block import HostReserved
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Address, Network

__all__ = ["LOAD_BALANCER", "NOTHING", "Assigned", "AssignedAddress", "AutoRequest"]

LOAD_BALANCER = "LoadBalancer"


class AssignedAddress(NamedTuple):
    """An address and the prefix length of its block, printed together as ``10.0.0.5/26``."""

    address: Address
    prefix: int

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Assigned:
    """What one family of a request got: fewer than ``wanted`` is a shortfall, ``messages`` say why.

    An error leaves the addresses assigned that were found before it.
    """

    wanted: int = 0
    addresses: tuple[AssignedAddress, ...] = ()
    messages: tuple[str, ...] = ()
    error: IpamError | None = None

    @property
    def is_partial(self) -> bool:
        """Whether there are fewer addresses than were asked for."""
        return len(self.addresses) < self.wanted


NOTHING = Assigned()
"""What a family gets that nobody asked for."""


@dataclass(frozen=True, slots=True)
class AutoRequest:
    """Who wants how many addresses of each family, for what, under which handle, and from where.

    ``max_blocks`` 0 is the default limit of blocks per host; ``max_per_handle`` makes the request idempotent: a handle
    that has so many addresses of a family gets these.
    """

    host: str
    num4: int = 0
    num6: int = 0
    handle: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    pools4: tuple[Network, ...] = ()
    pools6: tuple[Network, ...] = ()
    use: str = "Workload"
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    max_blocks: int = 0
    max_per_handle: int = 0
    reserved: HostReserved | None = None

    @property
    def owner(self) -> str:
        """The owner string of the blocks that this request may use."""
        return f"virtual:{self.host}" if self.use == LOAD_BALANCER else f"host:{self.host}"

    @property
    def node(self) -> str:
        """The Node resource whose labels choose the pools; none for virtual owners."""
        return "" if self.use == LOAD_BALANCER else self.host

    def pools(self, version: int) -> tuple[Network, ...]:
        """Return the pools asked for in one family; raises IpamError if one is of the other."""
        networks = self.pools4 if version == 4 else self.pools6
        for network in networks:
            if network.version != version:
                raise IpamError(Reason.POOL_VERSION_MISMATCH, f"pool {network} is not an IPv{version} pool")
        return networks
