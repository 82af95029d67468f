# SPDX-License-Identifier: Apache-2.0
"""IP address management, wire compatible with Calico's: pools, blocks, affinities, handles (spec/ipam.md)."""

from percale.ipam.allocator import Assignment, Ipam
from percale.ipam.block import Attribute, Block, HostReserved, Release, block_problems
from percale.ipam.check import Allocation, Comparison, HandleRecord, Use
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Address, Network, parse_address, parse_network
from percale.ipam.records import IpamConfig
from percale.ipam.release import ReleaseOutcome
from percale.ipam.request import Assigned, AssignedAddress, AutoRequest
from percale.ipam.usage import BlockUsage, PoolUsage

__all__ = [
    "Address",
    "Allocation",
    "Assigned",
    "AssignedAddress",
    "Assignment",
    "Attribute",
    "AutoRequest",
    "Block",
    "BlockUsage",
    "Comparison",
    "HandleRecord",
    "HostReserved",
    "Ipam",
    "IpamConfig",
    "IpamError",
    "Network",
    "PoolUsage",
    "Reason",
    "Release",
    "ReleaseOutcome",
    "Use",
    "block_problems",
    "parse_address",
    "parse_network",
]
