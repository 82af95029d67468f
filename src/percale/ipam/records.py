# SPDX-License-Identifier: Apache-2.0
"""The stored form of blocks, affinities, handles and the configuration (spec/ipam.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from percale.ipam.block import Attribute, Block
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import parse_network
from percale.resources import go_json

__all__ = [
    "Affinity",
    "AffinityState",
    "Handle",
    "IpamConfig",
    "decode_affinity",
    "decode_block",
    "decode_config",
    "decode_handle",
    "encode_affinity",
    "encode_block",
    "encode_config",
    "encode_handle",
]

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AffinityState(StrEnum):
    """How far a host's ownership of a block has come; only a confirmed one counts."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    PENDING_DELETION = "pendingDeletion"


class Affinity(msgspec.Struct, frozen=True):
    """The record that one host owns, is about to own, or is giving up a block."""

    state: str = ""
    deleted: bool = False

    @property
    def is_confirmed(self) -> bool:
        """Whether the host owns the block; old records without a state do."""
        return self.state in ("", AffinityState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Handle:
    """How many addresses of each block go by one handle: an upper bound, the blocks are the truth."""

    blocks: Mapping[str, int] = field(default_factory=dict)
    deleted: bool = False

    def with_count(self, cidr: str, count: int) -> Handle:
        """Return the handle with this many addresses in a block; none leaves the block out."""
        others = {key: value for key, value in self.blocks.items() if key != cidr}
        return replace(self, blocks={**others, cidr: count} if count else others)


@dataclass(frozen=True, slots=True)
class IpamConfig:
    """What the operator decided for all hosts (spec/ipam.md section 2.4)."""

    strict_affinity: bool = False
    auto_allocate_blocks: bool = True
    max_blocks_per_host: int = 0
    vm_address_persistence: str = "Enabled"
    cooldown_s: int = 0

    def check(self) -> None:
        """Raise IpamError for combinations that nobody may write; reading tolerates them."""
        if not self.strict_affinity and not self.auto_allocate_blocks:
            raise IpamError(Reason.CONFIG_CONFLICT, "strictAffinity and autoAllocateBlocks cannot both be false")
        if self.max_blocks_per_host > 0 and not self.strict_affinity:
            raise IpamError(Reason.CONFIG_CONFLICT, "maxBlocksPerHost needs strictAffinity: true")
        if not 0 <= self.cooldown_s <= 1200:
            raise IpamError(Reason.VALIDATION, f"ipCooldownSeconds is {self.cooldown_s}, it must be in 0 to 1200")


class _StoredAttribute(msgspec.Struct):
    handle_id: str | None = None
    secondary: dict[str, str] | None = None
    alternate: dict[str, str] | None = msgspec.field(default=None, name="alternateOwnerAttrs")
    released_at: datetime | None = msgspec.field(default=None, name="releasedAt")


class _StoredBlock(msgspec.Struct):
    cidr: str
    affinity: str | None = None
    affinity_claim_time: datetime | None = None
    allocations: list[int | None] | None = None
    unallocated: list[int] | None = None
    attributes: list[_StoredAttribute] | None = None
    sequence: int = msgspec.field(default=0, name="sequenceNumber")
    sequences: dict[str, int] | None = msgspec.field(default=None, name="sequenceNumberForAllocation")
    deleted: bool = False


class _StoredHandle(msgspec.Struct):
    block: dict[str, int] | None = None
    deleted: bool = False


class _StoredConfig(msgspec.Struct):
    strict_affinity: bool = False
    auto_allocate_blocks: bool = False
    max_blocks_per_host: int = msgspec.field(default=0, name="maxBlocksPerHost")
    vm_address_persistence: str | None = msgspec.field(default=None, name="kubeVirtVMAddressPersistence")
    cooldown_s: int = msgspec.field(default=0, name="ipCooldownSeconds")


_BLOCK = msgspec.json.Decoder(_StoredBlock)
_AFFINITY = msgspec.json.Decoder(Affinity)
_HANDLE = msgspec.json.Decoder(_StoredHandle)
_CONFIG = msgspec.json.Decoder(_StoredConfig)


def _decoded(decoder: msgspec.json.Decoder[T], value: bytes, what: str) -> T:
    try:
        return decoder.decode(value)
    except msgspec.DecodeError as error:
        raise IpamError(Reason.VALIDATION, f"the stored {what} cannot be read: {error}") from error


def decode_block(value: bytes) -> Block:
    """Return the block of a stored value; raises IpamError if the value is none."""
    stored = _decoded(_BLOCK, value, "block")
    try:
        network = parse_network(stored.cidr)
    except ValueError as error:
        raise IpamError(Reason.VALIDATION, f"the stored block cannot be read: {error}") from error
    return Block(
        network=network,
        affinity=stored.affinity or None,
        claim_time=(stored.affinity_claim_time or EPOCH) if stored.affinity else None,
        allocations=tuple(stored.allocations or ()),
        unallocated=tuple(stored.unallocated or ()),
        attributes=tuple(
            Attribute(item.handle_id, item.secondary or None, item.alternate or None, item.released_at)
            for item in stored.attributes or ()
        ),
        sequence=stored.sequence,
        sequences={int(ordinal): value for ordinal, value in (stored.sequences or {}).items()},
        deleted=stored.deleted,
    )


def encode_block(block: Block) -> bytes:
    """Return the stored value of a block, members in Calico's order."""
    members: dict[str, Any] = {"cidr": block.cidr, "affinity": block.affinity}
    if block.claim_time is not None:
        members["affinity_claim_time"] = _time_text(block.claim_time)
    sequences = sorted((str(ordinal), value) for ordinal, value in block.sequences.items())
    members |= {
        "allocations": block.allocations,
        "unallocated": block.unallocated,
        "attributes": [_attribute_members(attribute) for attribute in block.attributes],
        "sequenceNumber": block.sequence,
        "sequenceNumberForAllocation": dict(sequences),
        "deleted": block.deleted,
    }
    return go_json(members)


def _attribute_members(attribute: Attribute) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if attribute.handle is not None:
        members["handle_id"] = attribute.handle
    if attribute.secondary:
        members["secondary"] = dict(sorted(attribute.secondary.items()))
    if attribute.alternate:
        members["alternateOwnerAttrs"] = dict(sorted(attribute.alternate.items()))
    if attribute.released_at is not None:
        members["releasedAt"] = _time_text(attribute.released_at)
    return members


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decode_affinity(value: bytes) -> Affinity:
    """Return the affinity of a stored value, an empty value being an empty object; raises IpamError."""
    return _decoded(_AFFINITY, value or b"{}", "block affinity")


def encode_affinity(state: AffinityState) -> bytes:
    """Return the stored value of an affinity in this state."""
    return go_json({"state": state.value, "deleted": False})


def decode_handle(value: bytes) -> Handle:
    """Return the handle of a stored value; raises IpamError if the value is none."""
    stored = _decoded(_HANDLE, value, "handle")
    return Handle(stored.block or {}, stored.deleted)


def encode_handle(handle: Handle) -> bytes:
    """Return the stored value of a handle."""
    return go_json({"block": dict(sorted(handle.blocks.items())), "deleted": handle.deleted})


def decode_config(value: bytes | None) -> IpamConfig:
    """Return the stored configuration, or the defaults if there is none; raises IpamError if the value is none."""
    if value is None:
        return IpamConfig()
    stored = _decoded(_CONFIG, value, "IPAM configuration")
    return IpamConfig(
        strict_affinity=stored.strict_affinity,
        auto_allocate_blocks=stored.auto_allocate_blocks,
        max_blocks_per_host=stored.max_blocks_per_host,
        vm_address_persistence=stored.vm_address_persistence or "Enabled",
        cooldown_s=stored.cooldown_s,
    )


def encode_config(config: IpamConfig) -> bytes:
    """Return the stored value of the configuration; what is false or 0 is left out."""
    members = {
        "strict_affinity": config.strict_affinity,
        "auto_allocate_blocks": config.auto_allocate_blocks,
        "maxBlocksPerHost": config.max_blocks_per_host,
        "kubeVirtVMAddressPersistence": config.vm_address_persistence,
        "ipCooldownSeconds": config.cooldown_s,
    }
    return go_json({name: value for name, value in members.items() if value})
