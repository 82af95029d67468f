# SPDX-License-Identifier: Apache-2.0
"""Why the allocator refused: one exception with a reason a caller can act on (spec/ipam.md sections 4 to 8)."""

from __future__ import annotations

from enum import StrEnum

from percale.errors import PercaleError

__all__ = ["IpamError", "Reason"]


class Reason(StrEnum):
    """The classes of refusal; the values are the words of recorded answers and of messages for machines."""

    ALREADY_EXISTS = "already-exists"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    BAD_SEQUENCE_NUMBER = "bad-sequence-number"
    BAD_HANDLE = "bad-handle"
    WRONG_HANDLE = "wrong-handle"
    VALIDATION = "validation"
    IP_IN_COOLDOWN = "ip-in-cooldown"
    BLOCK_LIMIT = "block-limit"
    NO_BLOCK = "no-block"
    BLOCK_NOT_EMPTY = "block-not-empty"
    BLOCK_TOO_SMALL = "block-too-small"
    NO_QUALIFIED_POOL = "no-qualified-pool"
    NO_POOLS_FOR_NODE = "no-pools-for-node"
    REQUESTED_POOL_MISSING = "requested-pool-missing"
    POOL_VERSION_MISMATCH = "pool-version-mismatch"
    USE_REQUIRED = "use-required"
    USE_NOT_ALLOWED = "use-not-allowed"
    IP_NOT_IN_POOL = "ip-not-in-pool"
    CIDR_NOT_IN_POOL = "cidr-not-in-pool"
    CIDR_TOO_SMALL = "cidr-too-small"
    AFFINITY_MISMATCH = "affinity-mismatch"
    NO_AFFINITY = "no-affinity"
    CLAIM_CONFLICT = "claim-conflict"
    CONFIG_CONFLICT = "config-conflict"
    MAX_ALLOC = "max-alloc"
    MAX_RETRIES = "max-retries"


class IpamError(PercaleError):
    """The request's or the state's fault: no address was given or taken back; ``reason`` says why."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)
