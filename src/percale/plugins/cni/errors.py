# SPDX-License-Identifier: Apache-2.0
"""What a CNI plugin may answer instead of a result (spec/cni.md section 1.2)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from percale.errors import PercaleError

__all__ = ["CniError", "Code"]


class Code(IntEnum):
    """The CNI specification's codes of errors, and Calico's own for nearly everything that goes wrong inside."""

    INCOMPATIBLE_VERSION = 1
    UNSUPPORTED_FIELD = 2
    UNKNOWN_CONTAINER = 3
    ENVIRONMENT = 4
    IO = 5
    DECODING = 6
    INVALID_CONFIGURATION = 7
    INVALID_NAMESPACE = 8
    TRY_AGAIN = 11
    NOT_AVAILABLE = 50
    INTERNAL = 999


class CniError(PercaleError):
    """The answer to a call that failed: a code for the runtime, a message and details for people."""

    def __init__(self, code: Code | int, message: str, details: str = "") -> None:
        self.code, self.message, self.details = int(code), message, details
        super().__init__(f"{message}: {details}" if details else message)

    def to_builtins(self, version: str) -> dict[str, Any]:
        """Return the error as JSON types."""
        members: dict[str, Any] = {"cniVersion": version, "code": self.code, "msg": self.message}
        return members | ({"details": self.details} if self.details else {})
