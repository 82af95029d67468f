# SPDX-License-Identifier: Apache-2.0
"""IPPool: a range from which addresses are given out (spec/resources.md section 10)."""

from __future__ import annotations

from percale.resources.conditions import Conditions
from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = ["IPPool", "IPPoolSpec"]


class IPPoolSpec(Value, frozen=True, kw_only=True):
    """The range, how it is cut into blocks, who may use it, and how its traffic leaves the host."""

    cidr: str = written(str)  #: The range; it can not be changed.
    vxlan_mode: str = ""  #: When traffic to other nodes travels in VXLAN.
    ipip_mode: str = ""  #: When traffic to other nodes travels in IP-in-IP.
    nat_outgoing: bool = False  #: Translate the source of what leaves the pools.
    disabled: bool = False  #: Give out no new address.
    disable_bgp_export: bool = False  #: Do not announce the routes by BGP.
    block_size: int = 0  #: Prefix length of the blocks that nodes get: 26 or 122 unless given; can not be changed.
    node_selector: str = ""  #: Nodes that may use the pool; all() unless given.
    namespace_selector: str = ""  #: Namespaces whose pods may use the pool.
    allowed_uses: tuple[str, ...] = ()  #: What addresses are for; Workload and Tunnel unless given.
    assignment_mode: str | None = None  #: Automatic, or Manual: only for those who ask for the pool.


class IPPool(Resource, frozen=True, kw_only=True):
    """A range from which addresses are given out."""

    spec: IPPoolSpec = written(IPPoolSpec)
    status: Conditions | None = None
