# SPDX-License-Identifier: Apache-2.0
"""IPPool: a range from which addresses are given out (spec/resources.md section 10)."""

from __future__ import annotations

from percale.resources.conditions import Conditions
from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = ["IPPool", "IPPoolSpec"]


class IPPoolSpec(Value, frozen=True, kw_only=True):
    """The range, how it is cut into blocks, who may use it, and how its traffic leaves the host."""

    cidr: str = written(str)
    vxlan_mode: str = ""
    ipip_mode: str = ""
    nat_outgoing: bool = False
    disabled: bool = False
    disable_bgp_export: bool = False
    block_size: int = 0
    node_selector: str = ""
    namespace_selector: str = ""
    allowed_uses: tuple[str, ...] = ()
    assignment_mode: str | None = None


class IPPool(Resource, frozen=True, kw_only=True):
    """A range from which addresses are given out."""

    spec: IPPoolSpec = written(IPPoolSpec)
    status: Conditions | None = None
