# SPDX-License-Identifier: Apache-2.0
"""The way of one packet through one host: raw, mangle and filter, as spec/policy.md section 6 draws it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from percale.calc.host_state import EndpointID, HostInterfaceEndpoint, TierPolicies, WorkloadInterface
from percale.policy.engine import Evaluation, Miss, Place, Rulebook
from percale.policy.flow import ICMPV6, IPIP, UDP, Conntrack, Flow
from percale.policy.host_settings import FailsafePort, HostSettings
from percale.policy.verdict import Direction, Judgement, Reason, Stage, Verdict

__all__ = ["HOST", "End", "HostPath", "HostView", "governing_host_endpoint", "judge"]

# Multicast listener and neighbour discovery messages, without which a workload has no IPv6 at all (RFC 4861, 2710).
_ICMPV6_TO_HOST = frozenset((130, 131, 132, 133, 135, 136))
_DEFAULT_INTERFACE = "eth0"
_ALL_INTERFACES = "*"


class End(NamedTuple):
    """Where a packet comes from or goes to: a local workload, the host itself, or outside by an interface."""

    workload: EndpointID | None = None
    interface: str = ""

    @property
    def is_host(self) -> bool:
        """Whether a process of the host sends or receives the packet."""
        return self.workload is None and not self.interface

    @classmethod
    def outside(cls, interface: str = _DEFAULT_INTERFACE) -> End:
        """Return the end behind one of the host's own interfaces."""
        return cls(None, interface)


HOST = End()


class HostView(Rulebook, Protocol):
    """One host as policy needs it: its endpoints, the rules they refer to and its settings."""

    @property
    def settings(self) -> HostSettings:
        """What the host's agent was told."""

    @property
    def addresses(self) -> Mapping[str, Collection[str]]:
        """The addresses on the host's interfaces, as far as known."""

    def workload(self, endpoint_id: EndpointID) -> WorkloadInterface | None:
        """Return a local workload endpoint, None where there is none of this name."""

    def host_endpoints(self) -> Iterable[HostInterfaceEndpoint]:
        """Return the host's own endpoints."""


@dataclass(frozen=True, slots=True)
class HostPath:
    """What one host does with a packet, and every judgement on the way."""

    verdict: Verdict
    trail: tuple[Judgement, ...]

    @property
    def decider(self) -> Judgement | None:
        """The last judgement that was not just a log; None where nothing was judged."""
        return next((entry for entry in reversed(self.trail) if entry.action != "log"), None)


def judge(host: HostView, flow: Flow, source: End, destination: End, misses: list[Miss] | None = None) -> HostPath:
    """Return what the host does with a packet that goes from one end to the other.

    ``misses``, where given, collects the rules that were tried and did not match.
    """
    walk = _Walk(host, flow, source, destination, misses)
    verdict = walk.verdict()
    return HostPath(verdict, tuple(walk.evaluation.trail))


def governing_host_endpoint(host: HostView, interface: str) -> HostInterfaceEndpoint | None:
    """Return the host endpoint of one of the host's own interfaces: one for it, else one for all (section 7)."""
    present = host.addresses.get(interface, ())

    def governs(endpoint: HostInterfaceEndpoint) -> bool:
        if endpoint.interface:
            return endpoint.interface == interface
        return any(address in present for address in endpoint.expected_ips)

    return _smallest(filter(governs, host.host_endpoints())) or _for_all_interfaces(host)


def _for_all_interfaces(host: HostView) -> HostInterfaceEndpoint | None:
    return _smallest(endpoint for endpoint in host.host_endpoints() if endpoint.interface == _ALL_INTERFACES)


def _smallest(endpoints: Iterable[HostInterfaceEndpoint]) -> HostInterfaceEndpoint | None:
    return min(endpoints, key=lambda endpoint: endpoint.id.name, default=None)


class _Walk:
    """One packet on its way; each step returns a verdict, or None to go on."""

    def __init__(self, host: HostView, flow: Flow, source: End, destination: End, misses: list[Miss] | None) -> None:
        self.host, self.source, self.destination = host, source, destination
        self.flow = flow
        self.evaluation = Evaluation(host, flow, misses=misses)
        self.accepted = False
        self.into = self._governing(source)
        self.out_of = self._governing(destination)

    def _governing(self, end: End) -> HostInterfaceEndpoint | None:
        if end.is_host:
            return None
        return _for_all_interfaces(self.host) if end.workload else governing_host_endpoint(self.host, end.interface)

    def verdict(self) -> Verdict:
        if self.source.is_host:
            last_step = self._from_host
        elif self.destination.is_host:
            last_step = self._to_host
        else:
            last_step = self._forwarded
        return self._raw() or self._mangle() or last_step() or Verdict.ALLOW

    # 1. raw

    def _raw(self) -> Verdict | None:
        if self.source.is_host:
            return self._untracked(self.out_of, Direction.EGRESS)
        return None if self.source.workload else self._untracked(self.into, Direction.INGRESS)

    def _untracked(self, endpoint: HostInterfaceEndpoint | None, direction: Direction) -> Verdict | None:
        if endpoint is None or endpoint.interface == _ALL_INTERFACES or not endpoint.untracked_tiers:
            return None
        verdict = self._before_dnat(Place(endpoint.id, Stage.UNTRACKED, direction), endpoint.untracked_tiers)
        if self.accepted:
            self.flow = self.flow.untracked()
            self.evaluation.flow = self.flow
        return verdict

    # 2. mangle

    def _mangle(self) -> Verdict | None:
        if self.source.is_host or self.accepted:
            return None
        if self._is_established():
            self.evaluation.note(None, Reason.CONNTRACK_ESTABLISHED)
            return None
        endpoint = self.into
        if endpoint is None or not endpoint.pre_dnat_tiers:
            return None
        place = Place(endpoint.id, Stage.PRE_DNAT, Direction.INGRESS)
        return self._invalid(place) or self._before_dnat(place, endpoint.pre_dnat_tiers)

    def _before_dnat(self, place: Place, tiers: tuple[TierPolicies, ...]) -> Verdict | None:
        """Judge the packet as it was sent; to be allowed here is a mark, not the end of the way."""
        if self._failsafe(place):
            return None
        self.evaluation.flow = self.flow.before_dnat()
        verdict = self.evaluation.tiers(place, tiers)
        self.evaluation.flow = self.flow
        self.accepted = verdict is Verdict.ALLOW
        return verdict if verdict is Verdict.DENY else None

    # 3. filter

    def _forwarded(self) -> Verdict | None:
        return (
            (None if self.accepted else self._forward_policy(self.into, Direction.INGRESS))
            or self._workload_policy(self.source, Direction.EGRESS)
            or self._workload_policy(self.destination, Direction.INGRESS)
            or self._forward_policy(self.out_of, Direction.EGRESS)
        )

    def _to_host(self) -> Verdict | None:
        if not self.source.workload:
            return None if self.accepted else self._host_policy(self.into, Direction.INGRESS)
        if self.flow.protocol == ICMPV6 and self.flow.ip_version == 6 and self.flow.icmp_type in _ICMPV6_TO_HOST:
            self.evaluation.note(None, Reason.ICMPV6_TO_HOST)
            return Verdict.ALLOW
        return self._workload_policy(self.source, Direction.EGRESS) or self._endpoint_to_host()

    def _from_host(self) -> Verdict | None:
        if self.destination.workload or self.accepted:
            return None
        return self._host_policy(self.out_of, Direction.EGRESS)

    def _endpoint_to_host(self) -> Verdict | None:
        match self.host.settings.endpoint_to_host_action:
            case "Accept":
                self.evaluation.note(None, Reason.ENDPOINT_TO_HOST_ACCEPT)
                return Verdict.ALLOW
            case "Return":
                return None
            case _:
                self.evaluation.note(None, Reason.ENDPOINT_TO_HOST_DROP, "deny")
                return Verdict.DENY

    def _forward_policy(self, endpoint: HostInterfaceEndpoint | None, direction: Direction) -> Verdict | None:
        if endpoint is None:
            return None
        place = Place(endpoint.id, Stage.FORWARD, direction)
        return self._conntrack(place) or _denial(self.evaluation.tiers(place, endpoint.forward_tiers))

    def _host_policy(self, endpoint: HostInterfaceEndpoint | None, direction: Direction) -> Verdict | None:
        if endpoint is None:
            return None
        place = Place(endpoint.id, Stage.NORMAL, direction)
        shortcut = self._conntrack(place)
        if shortcut or self._failsafe(place):
            return shortcut or Verdict.ALLOW
        return self.evaluation.tiers_then_profiles(place, endpoint.tiers, endpoint.profiles)

    def _workload_policy(self, end: End, direction: Direction) -> Verdict | None:
        if end.workload is None:
            return None
        place = Place(end.workload, Stage.NORMAL, direction)
        endpoint = self.host.workload(end.workload)
        if endpoint is None or not endpoint.active:
            # Established packets too: an interface without a known, active endpoint is closed (docs/design.md, 2).
            reason = Reason.INACTIVE_ENDPOINT if endpoint else Reason.UNKNOWN_ENDPOINT
            self.evaluation.note(place, reason, "deny")
            return Verdict.DENY
        return (
            self._conntrack(place)
            or (self._encapsulated(place) if direction is Direction.EGRESS else None)
            or _denial(self.evaluation.tiers_then_profiles(place, endpoint.tiers, endpoint.profiles))
        )

    # What stands before policy at an endpoint

    def _is_established(self) -> bool:
        return self.flow.conntrack in (Conntrack.ESTABLISHED, Conntrack.RELATED)

    def _conntrack(self, place: Place) -> Verdict | None:
        if self._is_established():
            self.evaluation.note(place, Reason.CONNTRACK_ESTABLISHED)
            return Verdict.ALLOW
        return self._invalid(place)

    def _invalid(self, place: Place) -> Verdict | None:
        if self.flow.conntrack is not Conntrack.INVALID or not self.host.settings.drop_invalid:
            return None
        self.evaluation.note(place, Reason.CONNTRACK_INVALID, "deny")
        return Verdict.DENY

    def _encapsulated(self, place: Place) -> Verdict | None:
        settings, flow = self.host.settings, self.flow
        vxlan = flow.protocol == UDP and flow.destination_port == settings.vxlan_port
        guarded = vxlan and not settings.allow_vxlan_from_workloads
        if not guarded and (flow.protocol != IPIP or settings.allow_ipip_from_workloads):
            return None
        self.evaluation.note(place, Reason.ENCAP_FROM_WORKLOAD, "deny")
        return Verdict.DENY

    def _failsafe(self, place: Place) -> bool:
        if not self._is_failsafe(place):
            return False
        self.evaluation.note(place, Reason.FAILSAFE)
        return True

    def _is_failsafe(self, place: Place) -> bool:
        settings = self.host.settings
        flow = self.flow if place.stage is Stage.NORMAL else self.flow.before_dnat()
        same_way, other_way = settings.failsafe_inbound, settings.failsafe_outbound
        peer = flow.source
        if place.direction is Direction.EGRESS:
            same_way, other_way, peer = other_way, same_way, flow.destination
        # Replies have no connection to belong to in the untracked stage: they are known by their source port.
        replies: Iterable[FailsafePort] = other_way if place.stage is Stage.UNTRACKED else ()
        return any(each.admits(flow.protocol, flow.destination_port, peer) for each in same_way) or any(
            each.admits(flow.protocol, flow.source_port, peer) for each in replies
        )


def _denial(verdict: Verdict | None) -> Verdict | None:
    """Keep a denial; what an endpoint allows may still be denied further on."""
    return verdict if verdict is Verdict.DENY else None
