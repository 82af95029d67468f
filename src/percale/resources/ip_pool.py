# SPDX-License-Identifier: Apache-2.0
"""IPPool: a range from which addresses are given out (spec/resources.md section 10)."""

from __future__ import annotations

from percale.resources.conditions import Conditions
from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = ["IPPool", "IPPoolSpec"]


class IPPoolSpec(Value, frozen=True, kw_only=True):
    """The range, how it is cut into blocks, who may use it, and how its traffic leaves the host."""

    cidr: str = written(str)  #: The range from which addresses are given out; it cannot be changed.
    #: When traffic to other nodes travels in VXLAN: Never (the default), Always, or CrossSubnet for nodes in other
    #: subnets only.
    vxlan_mode: str = ""
    #: When traffic to other nodes travels in IP-in-IP: Never (the default), Always, or CrossSubnet for nodes in other
    #: subnets only.
    ipip_mode: str = ""
    #: Whether traffic from the pool to addresses outside all pools gets the node's source address.
    nat_outgoing: bool = False
    disabled: bool = False  #: Whether the pool gives out no new address; those in use stay.
    disable_bgp_export: bool = False  #: Whether BGP does not announce the pool's routes.
    #: The prefix length of the blocks that nodes get: 26 for IPv4 and 122 for IPv6 unless given; it cannot be changed.
    block_size: int = 0
    node_selector: str = ""  #: The nodes that may use the pool, by their labels; all() unless given.
    namespace_selector: str = ""  #: The namespaces whose workloads may use the pool, by their labels; all unless given.
    #: What addresses are for: Workload, Tunnel (the nodes' own), LoadBalancer (services); the first two unless given.
    allowed_uses: tuple[str, ...] = ()
    #: Who gets addresses: anybody (Automatic, the default), or only those who ask for the pool (Manual).
    assignment_mode: str | None = None


class IPPool(Resource, frozen=True, kw_only=True):
    """A range from which addresses are given out."""

    spec: IPPoolSpec = written(IPPoolSpec)
    #: What controllers observed: Allocatable is False where the pool gives out no addresses.
    status: Conditions | None = None
