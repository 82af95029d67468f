# SPDX-License-Identifier: Apache-2.0
"""Contributors: what every host must know of each endpoint and network set of the cluster.

An agent holds one of these for each remote endpoint instead of the whole resource, so they are small: labels that many
endpoints have in common are held once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from percale.calc.effective import NAMESPACE_LABEL, NAMESPACE_PREFIX, SERVICE_ACCOUNT_LABEL, SERVICE_ACCOUNT_PREFIX
from percale.calc.host_state import EndpointID
from percale.calc.labels import Labels
from percale.calc.networks import address_text, canonical_cidr, without_zero_length
from percale.resources.host_endpoint import EndpointPort, HostEndpoint
from percale.resources.network_set import GlobalNetworkSet, NetworkSet
from percale.resources.workload_endpoint import IPNAT, WorkloadEndpoint, WorkloadEndpointPort

__all__ = ["Contributor", "ContributorResource", "NamedPort", "Shared", "contributor", "protocol_name"]

ContributorResource: TypeAlias = WorkloadEndpoint | HostEndpoint | NetworkSet | GlobalNetworkSet

_INHERITED_PREFIXES = (NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX)
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
    labels: Labels
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
    """Texts and label sets that are held once however many endpoints carry them.

    Only so many are remembered, then it begins anew: what is frequent is soon held again, and what occurs once, or
    went with its endpoint, does not stay for ever.
    """

    def __init__(self, remembered: int = 1 << 16) -> None:
        self._remembered = remembered
        self._texts: dict[str, str] = {}
        self._labels: dict[int, Labels] = {}

    def text(self, text: str) -> str:
        """Return the equal text that is held already, or hold this one."""
        return self._texts.setdefault(text, text)

    def labels(self, labels: Labels, purified: Callable[[Labels], Labels] | None = None) -> Labels:
        """Return the equal label set that is held already, or hold a copy of this one.

        With ``purified``, of what that makes of the labels; it is asked only about label sets that are new.
        """
        digest = hash((frozenset(labels.items()), purified))
        held = self._labels.get(digest)
        if held == labels:
            return held
        pure = purified(labels) if purified else labels
        if pure is not labels:
            return self.labels(pure, purified)
        for table in (self._texts, self._labels):
            if len(table) > self._remembered:
                table.clear()
        text = self._texts.setdefault
        fresh = {text(key, key): text(value, value) for key, value in labels.items()}
        self._labels[digest] = fresh
        return fresh


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
    # Only the endpoint's own host needs these; what is wrong with them must be known before it is too late to refuse.
    for text in (*_translated(spec.ip_nats), *spec.allow_spoofed_source_prefixes):
        canonical_cidr(text)
    labels = metadata.labels
    account = spec.service_account_name
    if account and labels.get(SERVICE_ACCOUNT_LABEL) != account:
        labels = labels | {SERVICE_ACCOUNT_LABEL: account}
    return Contributor(
        EndpointID("WorkloadEndpoint", shared.text(metadata.namespace), metadata.name),
        shared.labels(labels, _without_inherited),
        tuple(map(shared.text, spec.profiles)),
        tuple(map(canonical_cidr, spec.ip_networks)),
        _named_ports(spec.ports, shared) if spec.ports else (),
        shared.text(spec.node),
        spec.interface_name,
    )


def _translated(nats: Iterable[IPNAT]) -> tuple[str, ...]:
    return tuple(text for nat in nats for text in (nat.internal_ip, nat.external_ip))


def _without_inherited(labels: Labels) -> Labels:
    # Nobody can give himself a namespace's or service account's labels (spec/selectors.md section 6).
    foreign = [key for key in labels if key.startswith(_INHERITED_PREFIXES)]
    return {key: value for key, value in labels.items() if key not in foreign} if foreign else labels


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
