# SPDX-License-Identifier: Apache-2.0
"""What an agent's settings change in the way of a packet through its host (spec/policy.md sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from percale.calc.networks import IPAddress
from percale.policy.cidr import covers
from percale.policy.flow import TCP, UDP, protocol_number

if TYPE_CHECKING:
    from percale.resources.felix_configuration import FelixConfigurationSpec, ProtoPort

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

    @classmethod
    def of(cls, felix: FelixConfigurationSpec) -> HostSettings:
        """Return the settings that a FelixConfiguration makes, with the agent's defaults where it says nothing.

        Raises KeyError for a failsafe port with an unknown protocol.
        """
        defaults = cls()
        return cls(
            endpoint_to_host_action=felix.default_endpoint_to_host_action.capitalize()
            or defaults.endpoint_to_host_action,
            failsafe_inbound=_failsafe_ports(felix.failsafe_inbound_host_ports, FAILSAFE_INBOUND),
            failsafe_outbound=_failsafe_ports(felix.failsafe_outbound_host_ports, FAILSAFE_OUTBOUND),
            vxlan_port=felix.vxlan_port or defaults.vxlan_port,
            allow_vxlan_from_workloads=bool(felix.allow_vxlan_packets_from_workloads),
            allow_ipip_from_workloads=bool(felix.allow_ipip_packets_from_workloads),
            drop_invalid=not felix.disable_conntrack_invalid_check,
        )


def _failsafe_ports(ports: Sequence[ProtoPort] | None, default: Sequence[FailsafePort]) -> Sequence[FailsafePort]:
    """What the list says; an empty one closes all failsafe ports, an absent one leaves the default."""
    if ports is None:
        return default
    return tuple(FailsafePort(protocol_number(each.protocol or "tcp"), each.port, each.net) for each in ports)
