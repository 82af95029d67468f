# SPDX-License-Identifier: Apache-2.0
"""One call of the runtime with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from percale.plugins.cni.invocation import Invocation
from percale.plugins.cni.network import Network
from percale.plugins.cni.pod import Pod
from percale.plugins.cni.workload import Workload

__all__ = ["Call"]


@dataclass(frozen=True, slots=True)
class Call:
    """The environment, the configuration (parsed, and as text for other plugins), the workload, the time limit.

    ``pod`` and ``namespace_labels`` are what the Kubernetes API says, where the configuration wants it to be asked.
    """

    invocation: Invocation
    network: Network
    text: bytes
    node: str
    workload: Workload
    deadline: float
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    pod: Pod | None = None

    @property
    def wanted_addresses(self) -> tuple[str, ...]:
        """The addresses that IPAM is to assign and no others: the pod's, or the one of CNI_ARGS."""
        if self.pod is not None and self.pod.addresses:
            return self.pod.addresses
        asked = self.invocation.arguments.get("IP", "")
        return (asked,) if asked else ()
