# SPDX-License-Identifier: Apache-2.0
"""What an agent's settings change in the way of a packet through its host (spec/policy.md sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from percale.calc.networks import IPAddress
from percale.policy.cidr import covers
from percale.policy.flow import TCP, UDP

__all__ = ["FAILSAFE_INBOUND", "FAILSAFE_OUTBOUND", "FailsafePort", "HostSettings"]


class FailsafePort(NamedTuple):
    """A port that stays open on host endpoints, for every peer or for those of one CIDR."""

    protocol: int
    port: int
    net: str = ""

    def admits(self, protocol: int, port: int, peer: IPAddress) -> bool:
        """Say whether a packet with this protocol and port, from or to this peer, is let through."""
        if protocol != self.protocol or port != self.port:
            return False
        return not self.net or covers(self.net, peer)


def _failsafes(tcp: Iterable[int], udp: Iterable[int]) -> tuple[FailsafePort, ...]:
    return (*(FailsafePort(TCP, port) for port in tcp), *(FailsafePort(UDP, port) for port in udp))


_CONTROL_PLANE = (179, 2379, 2380, 5473, 6443, 6666, 6667)
FAILSAFE_INBOUND = _failsafes(tcp=(22, *_CONTROL_PLANE), udp=(68,))
FAILSAFE_OUTBOUND = _failsafes(tcp=_CONTROL_PLANE, udp=(53, 67))


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The settings of one host's agent that policy depends on, with FelixConfiguration's defaults.

    ``endpoint_to_host_action`` is ``Drop``, ``Accept`` or ``Return``: what happens to a workload's packet to its own
    host once the workload's egress policy allowed it.
    """

    endpoint_to_host_action: str = "Drop"
    failsafe_inbound: Sequence[FailsafePort] = FAILSAFE_INBOUND
    failsafe_outbound: Sequence[FailsafePort] = FAILSAFE_OUTBOUND
    vxlan_port: int = 4789
    allow_vxlan_from_workloads: bool = False
    allow_ipip_from_workloads: bool = False
    drop_invalid: bool = True
