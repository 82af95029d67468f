# SPDX-License-Identifier: Apache-2.0
"""Contributors: what every host must know of each endpoint and network set of the cluster.

An agent holds one of these for each remote endpoint instead of the whole resource, so they are small: labels that many
endpoints have in common are held once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from percale.calc.effective import NAMESPACE_LABEL, NAMESPACE_PREFIX, SERVICE_ACCOUNT_LABEL, SERVICE_ACCOUNT_PREFIX
from percale.calc.host_state import EndpointID
from percale.calc.networks import address_text, canonical_cidr, without_zero_length
from percale.resources.host_endpoint import EndpointPort, HostEndpoint
from percale.resources.network_set import GlobalNetworkSet, NetworkSet
from percale.resources.workload_endpoint import WorkloadEndpoint, WorkloadEndpointPort

__all__ = ["Contributor", "ContributorResource", "NamedPort", "Shared", "contributor", "protocol_name"]

ContributorResource: TypeAlias = WorkloadEndpoint | HostEndpoint | NetworkSet | GlobalNetworkSet

_FOREIGN_PREFIXES = (NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX)
_PORT_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}


def protocol_name(protocol: int | str) -> str:
    """Return a protocol that has ports as members spell it: lower case, by name where it has one."""
    return protocol.lower() if isinstance(protocol, str) else _PORT_PROTOCOLS.get(protocol, str(protocol))


class NamedPort(NamedTuple):
    """A port of an endpoint under the name that rules may use; ``protocol`` is ``tcp``, ``udp`` or ``sctp``."""

    name: str
    protocol: str
    port: int


class Contributor(msgspec.Struct, frozen=True, gc=False):
    """An endpoint or a network set as the whole cluster sees it: labels, profiles, networks and ports.

    ``id`` has the kind WorkloadEndpoint, HostEndpoint, NetworkSet or GlobalNetworkSet. ``labels`` are its own; what it
    inherits comes from ``profiles`` in their order. ``nets`` are canonical CIDR texts, single addresses for endpoints.
    ``node`` and ``interface`` are empty for network sets.
    """

    id: EndpointID
    labels: Mapping[str, str]
    profiles: tuple[str, ...] = ()
    nets: tuple[str, ...] = ()
    ports: tuple[NamedPort, ...] = ()
    node: str = ""
    interface: str = ""

    @property
    def is_endpoint(self) -> bool:
        """Whether it is an endpoint, not a network set."""
        return bool(self.node)

    def port_members(self, name: str, protocol: str) -> set[str]:
        """Return the (address, protocol, port) members for one port name; protocol ``any`` takes all protocols."""
        return {
            f"{address_text(net)},{port.protocol}:{port.port}"
            for port in self.ports
            if port.name == name and protocol in ("any", port.protocol)
            for net in self.nets
        }


class Shared:
    """Texts and label sets that are held once however many endpoints carry them."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._labels: dict[int, Mapping[str, str]] = {}

    def __len__(self) -> int:
        return len(self._labels)

    def text(self, text: str) -> str:
        """Return the equal text that is held already, or hold this one."""
        return self._texts.setdefault(text, text)

    def labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Return the equal label set that is held already, or hold a copy of this one."""
        digest = hash(frozenset(labels.items()))
        held = self._labels.get(digest)
        if held == labels:
            return held
        text = self._texts.setdefault
        fresh = {text(key, key): text(value, value) for key, value in labels.items()}
        self._labels[digest] = fresh
        return fresh

    def forget(self) -> None:
        """Hold nothing any more; what is in use stays as it is, but is not found again."""
        self._texts.clear()
        self._labels.clear()


def contributor(
    resource: ContributorResource, shared: Shared, *, source_spoofing_allowed: bool = False
) -> Contributor | None:
    """Return what a resource contributes, or None where it counts as absent (spec/policy.md section 2)."""
    if isinstance(resource, WorkloadEndpoint):
        if not source_spoofing_allowed and resource.spec.allow_spoofed_source_prefixes:
            return None
        return _workload_endpoint(resource, shared)
    if isinstance(resource, HostEndpoint):
        return _host_endpoint(resource, shared)
    return _network_set(resource, shared)


def _workload_endpoint(resource: WorkloadEndpoint, shared: Shared) -> Contributor | None:
    spec, metadata = resource.spec, resource.metadata
    if not spec.ip_networks:
        return None
    labels = metadata.labels
    if any(key.startswith(_FOREIGN_PREFIXES) for key in labels):
        labels = {key: value for key, value in labels.items() if not key.startswith(_FOREIGN_PREFIXES)}
    if spec.service_account_name:
        labels = labels | {SERVICE_ACCOUNT_LABEL: spec.service_account_name}
    return Contributor(
        EndpointID("WorkloadEndpoint", shared.text(metadata.namespace), metadata.name),
        shared.labels(labels),
        tuple(map(shared.text, spec.profiles)),
        tuple(map(canonical_cidr, spec.ip_networks)),
        _named_ports(spec.ports, shared),
        shared.text(spec.node),
        spec.interface_name,
    )


def _host_endpoint(resource: HostEndpoint, shared: Shared) -> Contributor:
    spec = resource.spec
    return Contributor(
        EndpointID("HostEndpoint", "", resource.name),
        shared.labels(resource.labels),
        tuple(map(shared.text, spec.profiles)),
        tuple(map(canonical_cidr, spec.expected_ips)),
        _named_ports(spec.ports, shared),
        shared.text(spec.node),
        spec.interface_name,
    )


def _network_set(resource: NetworkSet | GlobalNetworkSet, shared: Shared) -> Contributor:
    labels = resource.labels
    profiles: tuple[str, ...] = ()
    if isinstance(resource, NetworkSet):
        labels = labels | {NAMESPACE_LABEL: resource.namespace}
        profiles = (shared.text(f"kns.{resource.namespace}"),)
    nets = {half: None for net in resource.spec.nets for half in without_zero_length(canonical_cidr(net))}
    return Contributor(EndpointID(*resource.key), shared.labels(labels), profiles, tuple(nets))


def _named_ports(ports: Iterable[WorkloadEndpointPort | EndpointPort], shared: Shared) -> tuple[NamedPort, ...]:
    # A WorkloadEndpoint's port may be there for its host port alone, without a name.
    return tuple(
        NamedPort(shared.text(port.name), protocol_name(port.protocol), port.port) for port in ports if port.name
    )
