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

    #: Whether a host takes addresses from its own blocks only, never from another host's; false unless given.
    strict_affinity: bool = written(bool)
    max_blocks_per_host: Int32 = 0  #: The most blocks that one host may hold; 0 is no limit.
    #: Whether a host that runs out of addresses gets another block by itself; true unless given.
    auto_allocate_blocks: bool = written(bool)
    #: Whether a KubeVirt virtual machine keeps its addresses when it restarts or moves: Enabled, the default, or
    #: Disabled.
    kube_virt_vm_address_persistence: str | None = None
    ip_cooldown_seconds: Int32 = 0  #: The seconds for which a released address is not given out again; 0 is none.


class IPAMConfiguration(Resource, frozen=True, kw_only=True):
    """The one configuration of address management, named ``default``."""

    spec: IPAMConfigurationSpec = written(IPAMConfigurationSpec)


class BlockAffinitySpec(Value, frozen=True, kw_only=True):
    """Which host (or ``virtual`` owner) a block belongs to, and how firmly."""

    state: str = written(str)  #: How firm the tie is: pending, confirmed or pendingDeletion; empty counts as confirmed.
    node: str = written(str)  #: The host, or the virtual owner, to which the block belongs.
    type: str = ""  #: What kind of owner it is: host or virtual.
    cidr: str = written(str)  #: The block.
    deleted: Flag = written(bool)  #: Whether the tie is being deleted; only the store's own programs set it.


class BlockAffinity(Resource, frozen=True, kw_only=True):
    """The tie between a block and its owner."""

    spec: BlockAffinitySpec = written(BlockAffinitySpec)


class AllocationAttribute(Value, frozen=True, kw_only=True):
    """Who holds the addresses that refer to this entry."""

    handle_id: str | None = msgspec.field(default=None, name="handle_id")  #: The handle of the addresses' owner.
    #: Facts about the owner, such as its pod, namespace and node.
    secondary: dict[str, str] = msgspec.field(default_factory=dict)
    #: Facts about a second owner, to which the addresses pass when a virtual machine moves to another host.
    alternate_owner_attrs: dict[str, str] = msgspec.field(default_factory=dict)
    #: When the addresses were released and their cooldown began; absent while they are in use.
    released_at: Time | None = None


class IPAMBlockSpec(Value, frozen=True, kw_only=True):
    """A block: for each address its attribute or nothing, and the free addresses in order of reuse."""

    cidr: str = written(str)  #: The range of the block.
    affinity: str | None = None  #: The block's owner: host: or virtual: and its name; absent where it has none.
    affinity_claim_time: Time | None = None  #: When the owner got the block.
    #: For each address of the block, the index of its entry in attributes, or null for one that is free.
    allocations: tuple[Int64 | None, ...] | None = written(lambda: None)
    #: The free addresses by their position in the block, in the order in which they will be given out.
    unallocated: tuple[Int64, ...] | None = written(lambda: None)
    #: Who holds addresses; allocations refer to the entries by index.
    attributes: tuple[AllocationAttribute, ...] | None = written(lambda: None)
    sequence_number: UInt64 = written(int)  #: A number that every change of the block increases.
    #: For each address by its position, the sequence number at which it was given out.
    sequence_number_for_allocation: dict[str, UInt64] | None = written(lambda: None)
    deleted: bool = written(bool)  #: Whether the block is being deleted.
    #: An older place of the setting of the IPAMConfiguration; kept, and not looked at.
    strict_affinity: bool = written(bool)


class IPAMBlock(Resource, frozen=True, kw_only=True):
    """A fixed-size part of a pool and what became of its addresses."""

    spec: IPAMBlockSpec = written(IPAMBlockSpec)


class IPAMHandleSpec(Value, frozen=True, kw_only=True):
    """How many addresses of each block one owner holds."""

    handle_id: str = written(str)  #: The handle: any text that names one owner.
    #: How many addresses the owner holds in each block, by the block's CIDR.
    block: dict[str, Int64] | None = written(lambda: None)
    deleted: bool = written(bool)  #: Whether the handle is being deleted.


class IPAMHandle(Resource, frozen=True, kw_only=True):
    """The key that groups the addresses of one owner."""

    spec: IPAMHandleSpec = written(IPAMHandleSpec)
