# SPDX-License-Identifier: Apache-2.0
"""The resources of address management: its configuration, and the records of blocks (spec/resources.md section 10)."""

from __future__ import annotations

import msgspec

from percale.resources.fields import Flag, Int32, Int64, Time, UInt64
from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = [
    "AllocationAttribute",
    "BlockAffinity",
    "BlockAffinitySpec",
    "IPAMBlock",
    "IPAMBlockSpec",
    "IPAMConfiguration",
    "IPAMConfigurationSpec",
    "IPAMHandle",
    "IPAMHandleSpec",
]


class IPAMConfigurationSpec(Value, frozen=True, kw_only=True):
    """How blocks are given to hosts; ``max_blocks_per_host`` 0 is no limit."""

    strict_affinity: bool = written(bool)
    max_blocks_per_host: Int32 = 0
    auto_allocate_blocks: bool = written(bool)
    kube_virt_vm_address_persistence: str | None = None
    ip_cooldown_seconds: Int32 = 0


class IPAMConfiguration(Resource, frozen=True, kw_only=True):
    """The one configuration of address management, named ``default``."""

    spec: IPAMConfigurationSpec = written(IPAMConfigurationSpec)


class BlockAffinitySpec(Value, frozen=True, kw_only=True):
    """Which host (or ``virtual`` owner) a block belongs to, and how firmly."""

    state: str = written(str)
    node: str = written(str)
    type: str = ""
    cidr: str = written(str)
    deleted: Flag = written(bool)


class BlockAffinity(Resource, frozen=True, kw_only=True):
    """The tie between a block and its owner."""

    spec: BlockAffinitySpec = written(BlockAffinitySpec)


class AllocationAttribute(Value, frozen=True, kw_only=True):
    """Who holds the addresses that refer to this entry."""

    handle_id: str | None = msgspec.field(default=None, name="handle_id")
    secondary: dict[str, str] = msgspec.field(default_factory=dict)
    alternate_owner_attrs: dict[str, str] = msgspec.field(default_factory=dict)
    released_at: Time | None = None


class IPAMBlockSpec(Value, frozen=True, kw_only=True):
    """A block: for each address its attribute or nothing, and the free addresses in order of reuse."""

    cidr: str = written(str)
    affinity: str | None = None
    affinity_claim_time: Time | None = None
    allocations: tuple[Int64 | None, ...] | None = written(lambda: None)
    unallocated: tuple[Int64, ...] | None = written(lambda: None)
    attributes: tuple[AllocationAttribute, ...] | None = written(lambda: None)
    sequence_number: UInt64 = written(int)
    sequence_number_for_allocation: dict[str, UInt64] | None = written(lambda: None)
    deleted: bool = written(bool)
    strict_affinity: bool = written(bool)


class IPAMBlock(Resource, frozen=True, kw_only=True):
    """A fixed-size part of a pool and what became of its addresses."""

    spec: IPAMBlockSpec = written(IPAMBlockSpec)


class IPAMHandleSpec(Value, frozen=True, kw_only=True):
    """How many addresses of each block one owner holds."""

    handle_id: str = written(str)
    block: dict[str, Int64] | None = written(lambda: None)
    deleted: bool = written(bool)


class IPAMHandle(Resource, frozen=True, kw_only=True):
    """The key that groups the addresses of one owner."""

    spec: IPAMHandleSpec = written(IPAMHandleSpec)
