# SPDX-License-Identifier: Apache-2.0
"""Kubernetes Services as rules see them: the addresses and ports in a Service's endpoint slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from percale.calc.contributors import protocol_name
from percale.calc.networks import address_text, canonical_cidr
from percale.resources.resource import Key

__all__ = ["SERVICE_NAME_LABEL", "EndpointSlice", "SliceEndpoint", "SlicePort"]

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class SliceMeta(msgspec.Struct, frozen=True, gc=False):
    """The part of a slice's metadata that matters here."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}


class SliceEndpoint(msgspec.Struct, frozen=True, gc=False):
    """One endpoint of a slice: its addresses, all of the slice's family."""

    addresses: tuple[str, ...] = ()


class SlicePort(msgspec.Struct, frozen=True, gc=False):
    """One port of a slice; without a number it contributes nothing, without a protocol it is TCP."""

    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class EndpointSlice(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A ``discovery.k8s.io/v1`` EndpointSlice, as far as policy needs it: decode the API's JSON straight into it."""

    kind: ClassVar[str] = "EndpointSlice"

    metadata: SliceMeta = SliceMeta()
    endpoints: tuple[SliceEndpoint, ...] | None = ()
    ports: tuple[SlicePort, ...] | None = ()

    @property
    def key(self) -> Key:
        """The identity of the slice, as of a resource."""
        return Key(self.kind, self.metadata.namespace, self.metadata.name)

    @property
    def service(self) -> str:
        """The Service that the slice belongs to as ``namespace/name``, empty for none."""
        name = self.metadata.labels.get(SERVICE_NAME_LABEL)
        return f"{self.metadata.namespace}/{name}" if name else ""

    @property
    def nets(self) -> tuple[str, ...]:
        """The addresses as members of a NET set."""
        return tuple(
            dict.fromkeys(canonical_cidr(address) for each in self.endpoints or () for address in each.addresses)
        )

    @property
    def port_members(self) -> tuple[str, ...]:
        """The (address, protocol, port) members, ``10.0.0.1,tcp:80``."""
        return tuple(dict.fromkeys(self._port_members()))

    def _port_members(self) -> Iterator[str]:
        for port in self.ports or ():
            if port.port is not None:
                protocol = protocol_name(port.protocol or "TCP")
                yield from (f"{address_text(net)},{protocol}:{port.port}" for net in self.nets)


class Services:
    """The endpoint slices of the cluster, by the Service that they belong to."""

    def __init__(self) -> None:
        self._slices: dict[Key, EndpointSlice] = {}
        self._of_service: dict[str, dict[Key, EndpointSlice]] = {}

    def update(self, key: Key, new: EndpointSlice | None) -> EndpointSlice | None:
        """Take the slice under its key, None for deleted, and return what was there before."""
        old = self._slices.pop(key, None)
        if old is not None:
            of_service = self._of_service[old.service]
            del of_service[key]
            if not of_service:
                del self._of_service[old.service]
        if new is not None:
            self._slices[key] = new
            self._of_service.setdefault(new.service, {})[key] = new
        return old

    def slices(self, service: str) -> Iterator[EndpointSlice]:
        """Yield the slices of a service, given as ``namespace/name``."""
        yield from self._of_service.get(service, {}).values()
