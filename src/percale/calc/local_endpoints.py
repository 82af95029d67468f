# SPDX-License-Identifier: Apache-2.0
"""Local endpoints: this host's endpoints with their policies, as the enforcing layer is told of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from percale.calc.cluster import Cluster
from percale.calc.contributors import Contributor
from percale.calc.host_state import EndpointID, HostInterfaceEndpoint, LocalEndpoint, Nat, WorkloadInterface
from percale.calc.networks import address_text, canonical_cidr
from percale.calc.tiers import EndpointPolicies
from percale.resources.host_endpoint import HostEndpoint
from percale.resources.wep_names import EndpointIdentifiers
from percale.resources.workload_endpoint import WorkloadEndpoint

__all__ = ["EndpointResource", "LocalEndpoints"]

EndpointResource: TypeAlias = WorkloadEndpoint | HostEndpoint

_SortKey: TypeAlias = tuple[str, str, str]


class LocalEndpoints:
    """The endpoints of one host; says which of them, and which of their profiles, have to be looked at again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._resources: dict[EndpointID, EndpointResource] = {}
        self._listed: dict[str, set[EndpointID]] = {}
        self._on_interface: dict[str, dict[EndpointID, _SortKey]] = {}
        self.changed: set[EndpointID] = set()
        self.changed_profiles: set[str] = set()

    def __contains__(self, endpoint_id: EndpointID) -> bool:
        return endpoint_id in self._resources

    def put(self, resource: EndpointResource, contributor: Contributor) -> None:
        """Take an endpoint of this host as it is now."""
        endpoint_id = contributor.id
        self._forget(endpoint_id)
        self._resources[endpoint_id] = resource
        self._cluster.policy_index.put(endpoint_id, contributor.labels, contributor.profiles)
        for name in set(resource.spec.profiles):
            self._listed.setdefault(name, set()).add(endpoint_id)
            self.changed_profiles.add(name)
        if isinstance(resource, WorkloadEndpoint):
            on_interface = self._on_interface.setdefault(resource.spec.interface_name, {})
            on_interface[endpoint_id] = _sort_key(resource)
            self.changed.update(on_interface)
        self.changed.add(endpoint_id)

    def remove(self, endpoint_id: EndpointID) -> None:
        """Take out an endpoint that is gone or now belongs to another host; raises KeyError."""
        self._cluster.policy_index.remove(endpoint_id)
        self._forget(endpoint_id)

    def lists_profile(self, name: str) -> bool:
        """Report whether some endpoint of this host lists a profile."""
        return name in self._listed

    def look_again_at_slots(self, slots: Iterable[int]) -> None:
        """Note endpoints, given by their slots in the policy index, as changed."""
        self.changed.update(map(self._cluster.policy_index.item, slots))

    def look_again_at_all(self) -> None:
        """Note all endpoints of this host as changed."""
        self.changed.update(self._resources)

    def current(self) -> Iterator[tuple[EndpointID, LocalEndpoint | None]]:
        """Yield what has changed as it is now, None for endpoints that are gone."""
        for endpoint_id in self.changed:
            resource = self._resources.get(endpoint_id)
            yield endpoint_id, None if resource is None else self._endpoint(endpoint_id, resource)
        self.changed.clear()

    def _endpoint(self, endpoint_id: EndpointID, resource: EndpointResource) -> LocalEndpoint:
        policies = self._cluster.policies_for(endpoint_id)
        if isinstance(resource, HostEndpoint):
            return _host_endpoint(endpoint_id, resource, policies)
        on_interface = self._on_interface[resource.spec.interface_name]
        return _workload(
            endpoint_id, resource, policies, active=on_interface[endpoint_id] == min(on_interface.values())
        )

    def _forget(self, endpoint_id: EndpointID) -> None:
        resource = self._resources.pop(endpoint_id, None)
        if resource is None:
            return
        self.changed.add(endpoint_id)
        for name in set(resource.spec.profiles):
            self._listed[name].discard(endpoint_id)
            if not self._listed[name]:
                del self._listed[name]
            self.changed_profiles.add(name)
        if isinstance(resource, WorkloadEndpoint):
            on_interface = self._on_interface[resource.spec.interface_name]
            del on_interface[endpoint_id]
            self.changed.update(on_interface)
            if not on_interface:
                del self._on_interface[resource.spec.interface_name]


def _sort_key(resource: WorkloadEndpoint) -> _SortKey:
    """Who is active of several on one interface: the least (spec/policy.md section 8)."""
    identifiers = EndpointIdentifiers.of(resource.spec)
    workload: str = getattr(identifiers, identifiers.fields[2])
    return identifiers.orchestrator, f"{resource.namespace}/{workload}", identifiers.endpoint


def _workload(
    endpoint_id: EndpointID, resource: WorkloadEndpoint, policies: EndpointPolicies, *, active: bool
) -> WorkloadInterface:
    spec = resource.spec
    nets = tuple(map(canonical_cidr, spec.ip_networks))
    return WorkloadInterface(
        id=endpoint_id,
        interface=spec.interface_name,
        ipv4_nets=tuple(net for net in nets if ":" not in net),
        ipv6_nets=tuple(net for net in nets if ":" in net),
        profiles=spec.profiles,
        tiers=policies.normal,
        mac=spec.mac,
        nats=tuple(Nat(_address(nat.internal_ip), _address(nat.external_ip)) for nat in spec.ip_nats),
        allow_spoofed_source_prefixes=tuple(map(canonical_cidr, spec.allow_spoofed_source_prefixes)),
        active=active,
        sort_key=_sort_key(resource),
    )


def _host_endpoint(
    endpoint_id: EndpointID, resource: HostEndpoint, policies: EndpointPolicies
) -> HostInterfaceEndpoint:
    return HostInterfaceEndpoint(
        id=endpoint_id,
        interface=resource.spec.interface_name,
        expected_ips=tuple(map(_address, resource.spec.expected_ips)),
        profiles=resource.spec.profiles,
        tiers=policies.normal,
        untracked_tiers=policies.untracked,
        pre_dnat_tiers=policies.pre_dnat,
        forward_tiers=policies.forward,
    )


def _address(text: str) -> str:
    return address_text(canonical_cidr(text))
