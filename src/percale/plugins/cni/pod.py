# SPDX-License-Identifier: Apache-2.0
"""What Kubernetes says of a pod: labels, ports, profiles, and wishes in annotations (spec/cni.md section 4.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from percale.ipam import parse_address, parse_network
from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.network import FeatureControl, IpamSettings
from percale.resources import IPNAT, WorkloadEndpoint, WorkloadEndpointPort

__all__ = ["Pod", "pod_of"]

T = TypeVar("T")

_PREFIX = "cni.projectcalico.org/"
_SERVICE_ACCOUNT_LABEL = "projectcalico.org/serviceaccount"
_LABEL_MAXIMUM = 63
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_FAMILIES = {"IPv4": 4, "IPv6": 6}
_MAC = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}")


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's part of its endpoint, and what its annotations (or its namespace's) ask for.

    ``addresses`` are to be assigned by IPAM, ``unmanaged`` ones past it. ``pools`` by IP version and ``families`` are
    None where the configuration decides.
    """

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    generate_name: str = ""
    service_account: str = ""
    ports: tuple[WorkloadEndpointPort, ...] = ()
    pools: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    families: frozenset[int] | None = None
    addresses: tuple[str, ...] = ()
    unmanaged: tuple[str, ...] = ()
    mac: str = ""
    allowed_sources: tuple[str, ...] = ()
    floating: tuple[str, ...] = ()

    def settings(self, given: IpamSettings) -> IpamSettings:
        """Return the IPAM settings with what the annotations replace."""
        changes: dict[str, Any] = {f"ipv{version}_pools": pools for version, pools in self.pools.items()}
        if self.families is not None:
            changes["assign_ipv4"] = "true" if 4 in self.families else "false"
            changes["assign_ipv6"] = "true" if 6 in self.families else "false"
        return msgspec.structs.replace(given, **changes)

    def applied_to(self, endpoint: WorkloadEndpoint) -> WorkloadEndpoint:
        """Return the endpoint with the pod's labels, profiles, ports and addresses of other networks."""
        labels = {**self.labels, **endpoint.labels}
        profiles = [f"kns.{self.namespace}"]
        if self.service_account:
            profiles.append(f"ksa.{self.namespace}.{self.service_account}")
            if len(self.service_account) < _LABEL_MAXIMUM:
                labels[_SERVICE_ACCOUNT_LABEL] = self.service_account
        spec = endpoint.spec.replace(
            service_account_name=self.service_account,
            profiles=tuple(profiles),
            ports=self.ports,
            ip_nats=tuple(self._nat(external, endpoint.spec.ip_networks) for external in self.floating),
            allow_spoofed_source_prefixes=self.allowed_sources,
        )
        return endpoint.replace(spec=spec).with_metadata(labels=labels, generate_name=self.generate_name)

    def _nat(self, external: str, networks: tuple[str, ...]) -> IPNAT:
        for network in networks:
            if (":" in network) is (":" in external):
                return IPNAT(internal_ip=network.partition("/")[0], external_ip=external)
        raise CniError(Code.INTERNAL, f"floating IP {external}: the pod has no address of that family")


def pod_of(namespace: Mapping[str, Any], pod: Mapping[str, Any], features: FeatureControl) -> Pod:
    """Return what the API's Namespace and Pod say; raises CniError for annotations that cannot be followed."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    own = _annotations(pod)
    inherited = _annotations(namespace) | own
    addresses = _addresses("ipAddrs", own)
    unmanaged = _addresses("ipAddrsNoIpam", own)
    floating = _addresses("floatingIPs", own, several=True)
    if addresses and unmanaged:
        raise CniError(Code.INTERNAL, f"{_PREFIX}ipAddrs and {_PREFIX}ipAddrsNoIpam exclude each other")
    if unmanaged and not features.ip_addrs_no_ipam:
        raise CniError(Code.INTERNAL, "requested feature is not enabled: ip_addrs_no_ipam")
    if floating and not features.floating_ips:
        raise CniError(Code.INTERNAL, "requested feature is not enabled: floating_ips")
    pools = {4: _texts("ipv4pools", inherited), 6: _texts("ipv6pools", inherited)}
    return Pod(
        namespace=metadata.get("namespace", ""),
        labels=metadata.get("labels") or {},
        generate_name=metadata.get("generateName", ""),
        service_account=spec.get("serviceAccountName", ""),
        ports=_ports(spec),
        pools={version: names for version, names in pools.items() if names is not None},
        families=_families(inherited),
        addresses=addresses,
        unmanaged=unmanaged,
        mac=_mac(own),
        allowed_sources=_each("allowedSourcePrefixes", own, _prefix) or (),
        floating=floating,
    )


def _annotations(document: Mapping[str, Any]) -> dict[str, str]:
    annotations: dict[str, str] = (document.get("metadata") or {}).get("annotations") or {}
    return {name.removeprefix(_PREFIX): value for name, value in annotations.items() if name.startswith(_PREFIX)}


def _texts(name: str, annotations: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the list of texts in an annotation, None if it is not there."""
    if name not in annotations:
        return None
    try:
        return tuple(msgspec.json.decode(annotations[name], type=list[str]))
    except msgspec.DecodeError as error:
        raise CniError(Code.INTERNAL, f"{_PREFIX}{name} is not a JSON list of texts", annotations[name]) from error


def _each(name: str, annotations: Mapping[str, str], read: Callable[[str], T]) -> tuple[T, ...] | None:
    texts = _texts(name, annotations)
    try:
        return None if texts is None else tuple(read(text) for text in texts)
    except ValueError as error:
        raise CniError(Code.INTERNAL, f"{_PREFIX}{name}: {error}", annotations[name]) from error


def _addresses(name: str, annotations: Mapping[str, str], *, several: bool = False) -> tuple[str, ...]:
    addresses = _each(name, annotations, _address)
    if addresses is None:
        return ()
    if not addresses:
        raise CniError(Code.INTERNAL, f"{_PREFIX}{name} is an empty list")
    versions = [4 if "." in address and ":" not in address else 6 for address in addresses]
    if not several and len(set(versions)) < len(versions):
        raise CniError(Code.INTERNAL, f"{_PREFIX}{name} has more than one address of a family", annotations[name])
    return addresses


def _address(text: str) -> str:
    if "/" in text:
        raise ValueError(f"{text!r} is not an address")
    return str(parse_address(text))


def _prefix(text: str) -> str:
    if "/" not in text:
        raise ValueError(f"{text!r} is not a CIDR")
    return str(parse_network(text))


def _families(annotations: Mapping[str, str]) -> frozenset[int] | None:
    names = _texts("ipFamilies", annotations)
    if names is None:
        return None
    if not names or any(name not in _FAMILIES for name in names):
        raise CniError(Code.INTERNAL, f"{_PREFIX}ipFamilies lists IPv4 and IPv6 only", annotations["ipFamilies"])
    return frozenset(_FAMILIES[name] for name in names)


def _mac(annotations: Mapping[str, str]) -> str:
    text = annotations.get("hwAddr", "")
    if text and not _MAC.fullmatch(text):
        raise CniError(Code.INTERNAL, f"{_PREFIX}hwAddr is not a MAC address", text)
    return text.replace("-", ":").lower()


def _ports(spec: Mapping[str, Any]) -> tuple[WorkloadEndpointPort, ...]:
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    ports = [port for container in containers for port in container.get("ports") or ()]
    return tuple(
        WorkloadEndpointPort(
            name=port.get("name", ""),
            protocol=port.get("protocol") or "TCP",
            port=port["containerPort"],
            host_port=port.get("hostPort", 0),
            host_ip=port.get("hostIP", ""),
        )
        for port in ports
        if port.get("containerPort")
        and (port.get("name") or port.get("hostPort"))
        and (port.get("protocol") or "TCP") in _PROTOCOLS
    )
