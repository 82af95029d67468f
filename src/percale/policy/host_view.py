# SPDX-License-Identifier: Apache-2.0
"""One host as policy needs it, out of its HostState."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from percale.calc.compiled import CompiledPolicy, CompiledProfile, IPSetID, IPSetKind, PolicyID
from percale.calc.host_state import EndpointID, HostInterfaceEndpoint, HostState, IPSet, WorkloadInterface
from percale.calc.membership import Membership
from percale.calc.networks import IPAddress, network
from percale.policy.flow import protocol_name
from percale.policy.host_settings import HostSettings

__all__ = ["HostStateView", "IPSetMembership"]


@dataclass
class HostStateView:
    """A host that holds exactly one HostState; a `percale.policy.host_path.HostView`."""

    state: HostState
    settings: HostSettings = field(default_factory=HostSettings)
    addresses: Mapping[str, Collection[str]] = field(default_factory=dict)

    @cached_property
    def sets(self) -> Membership:
        """The IP sets of the state."""
        return IPSetMembership(self.state.ip_sets)

    def policy(self, policy_id: PolicyID) -> CompiledPolicy:
        """Return an active policy; raises KeyError for another."""
        return self.state.policies[policy_id]

    def profile(self, name: str) -> CompiledProfile:
        """Return an active profile; raises KeyError for another."""
        return self.state.profiles[name]

    def workload(self, endpoint_id: EndpointID) -> WorkloadInterface | None:
        """Return a local workload endpoint, None where there is none of this name."""
        found = self.state.endpoints.get(endpoint_id)
        return found if isinstance(found, WorkloadInterface) else None

    def host_endpoints(self) -> Iterable[HostInterfaceEndpoint]:
        """Return the host's own endpoints."""
        return self._host_endpoints

    @cached_property
    def _host_endpoints(self) -> tuple[HostInterfaceEndpoint, ...]:
        return tuple(each for each in self.state.endpoints.values() if isinstance(each, HostInterfaceEndpoint))


class IPSetMembership:
    """Answers from IP sets with all their members, as a host has them."""

    def __init__(self, ip_sets: Mapping[IPSetID, IPSet]) -> None:
        self._ip_sets = ip_sets
        self._nets: dict[IPSetID, tuple[frozenset[str], dict[tuple[int, int], set[int]]]] = {}

    def contains(self, set_id: IPSetID, address: IPAddress, protocol: int, port: int) -> bool:
        """Say whether the set holds the address or the (address, protocol, port); raises KeyError for no such set."""
        ip_set = self._ip_sets[set_id]
        if ip_set.kind is IPSetKind.IP_PORT:
            return f"{address},{protocol_name(protocol)}:{port}" in ip_set.members
        bits, number = address.max_prefixlen, int(address)
        return any(
            version == address.version and number >> bits - length in prefixes
            for (version, length), prefixes in self._prefixes(ip_set).items()
        )

    def _prefixes(self, ip_set: IPSet) -> dict[tuple[int, int], set[int]]:
        members, prefixes = self._nets.get(ip_set.id, (None, {}))
        if members is not ip_set.members:
            prefixes = _by_length(ip_set.members)
            self._nets[ip_set.id] = ip_set.members, prefixes
        return prefixes


def _by_length(members: Iterable[str]) -> dict[tuple[int, int], set[int]]:
    """The members' leading bits, by family and prefix length."""
    found: dict[tuple[int, int], set[int]] = {}
    for member in map(network, members):
        leading = member.number >> member.bits - member.length
        found.setdefault((member.version, member.length), set()).add(leading)
    return found
