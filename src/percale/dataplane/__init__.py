# SPDX-License-Identifier: Apache-2.0
"""From HostState to what a host enforces: tables, routes, neighbors and sysctls, reconciled; and a twin in memory.

Each name is imported from its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from percale.dataplane.config import DataplaneConfig, DenyAction, HostAction
    from percale.dataplane.dataplane import Applied, Dataplane, EndpointStatus, Statistics
    from percale.dataplane.kernel import KernelDataplane
    from percale.dataplane.packet import Packet
    from percale.dataplane.plan import Plan
    from percale.dataplane.twin import TwinDataplane, Walk

_EXPORTS = {
    "config": "DataplaneConfig DenyAction HostAction",
    "dataplane": "Applied Dataplane EndpointStatus Statistics",
    "kernel": "KernelDataplane",
    "packet": "Packet",
    "plan": "Plan",
    "twin": "TwinDataplane Walk",
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names.split()}

__all__ = [
    "Applied",
    "Dataplane",
    "DataplaneConfig",
    "DenyAction",
    "EndpointStatus",
    "HostAction",
    "KernelDataplane",
    "Packet",
    "Plan",
    "Statistics",
    "TwinDataplane",
    "Walk",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'percale.dataplane' has no attribute {name!r}")
    value = getattr(import_module(f"percale.dataplane.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
