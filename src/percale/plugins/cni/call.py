# SPDX-License-Identifier: Apache-2.0
"""One call of the runtime with all that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from percale.plugins.cni.invocation import Invocation
from percale.plugins.cni.network import Network
from percale.plugins.cni.workload import Workload

__all__ = ["Call"]


@dataclass(frozen=True, slots=True)
class Call:
    """The environment, the configuration (parsed, and as text for other plugins), the workload, the time limit."""

    invocation: Invocation
    network: Network
    text: bytes
    node: str
    workload: Workload
    deadline: float
