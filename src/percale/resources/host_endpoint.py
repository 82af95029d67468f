# SPDX-License-Identifier: Apache-2.0
"""HostEndpoint: an interface of the host itself (spec/resources.md section 9)."""

from __future__ import annotations

from percale.resources.fields import Protocol, UInt16
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = ["EndpointPort", "HostEndpoint", "HostEndpointSpec"]


class EndpointPort(Canonical, frozen=True, kw_only=True):
    """A port of the host with the name by which policy rules may refer to it."""

    name: str = written(str)
    protocol: Protocol = written(int)
    port: UInt16 = written(int)


class HostEndpointSpec(Value, frozen=True, kw_only=True):
    """The node and its interface, by name (``*`` is all of them) or by the addresses it is expected to have."""

    node: str = ""
    interface_name: str = ""
    expected_ips: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class HostEndpoint(Resource, frozen=True, kw_only=True):
    """An interface of a host, or all of them."""

    spec: HostEndpointSpec = written(HostEndpointSpec)
