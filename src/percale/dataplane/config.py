# SPDX-License-Identifier: Apache-2.0
"""What an operator may decide about a host's dataplane."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DataplaneConfig", "DenyAction", "HostAction"]

_LONGEST_NAME = 15


class HostAction(StrEnum):
    """What becomes of traffic from a workload to its own host after its egress policy allowed it."""

    DROP = "Drop"
    ACCEPT = "Accept"
    RETURN = "Return"


class DenyAction(StrEnum):
    """How a policy's *deny* is carried out: silently, or answered with ICMP port unreachable."""

    DROP = "Drop"
    REJECT = "Reject"


@dataclass(frozen=True, slots=True)
class DataplaneConfig:
    """The dataplane's settings, each with the default of the reference (spec/dataplane.md sections 2 and 3).

    ``interface_prefixes`` say which interfaces are a workload's; ``route_protocol`` and ``route_metric`` are those of
    the routes to local workloads; ``grace_s`` is how long an unknown route on such an interface is spared.
    A policy that ``share_policies_from`` tiers' chains hold stands in a chain of its own: more mean less work for a new
    connection's first packet, fewer less work for a change of the policy.
    ``disable_conntrack_invalid_check`` lets policy judge packets that conntrack calls invalid. ``rp_filter`` is what
    each workload interface gets; None takes the host's default as found at start.
    """

    table: str = "percale"
    interface_prefixes: tuple[str, ...] = ("cali",)
    endpoint_to_host_action: HostAction = HostAction.DROP
    deny_action: DenyAction = DenyAction.DROP
    ipv6: bool = True
    ip_forward: bool = True
    allow_vxlan: bool = False
    allow_ipip: bool = False
    vxlan_port: int = 4789
    disable_conntrack_invalid_check: bool = False
    floating_ips: bool = False
    log_prefix: str = "calico-packet: "
    route_protocol: int = 3
    route_metric: int = 1024
    remove_external_routes: bool = True
    share_policies_from: int = 4
    grace_s: float = 10.0
    rp_filter: int | None = None
    force: bool = False
    """Replace a table of our name that somebody else made."""

    def __post_init__(self) -> None:
        if not self.interface_prefixes or not all(self.interface_prefixes):
            raise ValueError("interface_prefixes: at least one prefix is needed, and none may be empty")

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions that are programmed."""
        return (4, 6) if self.ipv6 else (4,)

    def is_workload_interface(self, name: str) -> bool:
        """Whether an interface of this name is taken for a workload's; the kernel's names have at most 15 bytes."""
        return name.startswith(self.interface_prefixes) and len(name.encode()) <= _LONGEST_NAME
