# SPDX-License-Identifier: Apache-2.0
"""HostEndpoint: an interface of the host itself (spec/resources.md section 9)."""

from __future__ import annotations

from percale.resources.fields import Protocol, UInt16
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = ["EndpointPort", "HostEndpoint", "HostEndpointSpec"]


class EndpointPort(Canonical, frozen=True, kw_only=True):
    """A port of the host with the name by which policy rules may refer to it."""

    name: str = written(str)  #: The name by which rules refer to the port; it stands once on an endpoint.
    protocol: Protocol = written(int)  #: The protocol of the port: TCP, UDP or SCTP, or its number.
    port: UInt16 = written(int)  #: The number of the port.


class HostEndpointSpec(Value, frozen=True, kw_only=True):
    """The node and its interface, by name (``*`` is all of them) or by the addresses it is expected to have."""

    node: str = ""  #: The node that has the interface.
    interface_name: str = ""  #: The interface, or * for all of the host.
    expected_ips: tuple[str, ...] = ()  #: The addresses of the interface; they find it where its name is not given.
    profiles: tuple[str, ...] = ()  #: Profiles whose labels the endpoint inherits and whose rules come last, in order.
    ports: tuple[EndpointPort, ...] = ()  #: Named ports, to which rules refer.


class HostEndpoint(Resource, frozen=True, kw_only=True):
    """An interface of a host, or all of them."""

    spec: HostEndpointSpec = written(HostEndpointSpec)
