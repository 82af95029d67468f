# SPDX-License-Identifier: Apache-2.0
"""A private host: a network namespace with an uplink to an outside world, and namespaces for its workloads.

Nothing of it has a name on the machine: namespaces are held by file descriptors of this process and vanish with it,
and programs find them as ``/proc/PID/fd/N``.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from percale.lab.probes import Place
from percale.netlink import namespace
from percale.netlink.rtnetlink.addresses import Address, add_address
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Veth, add_veth, set_link
from percale.netlink.rtnetlink.routes import Route, add_route
from percale.netlink.socket import Request

__all__ = ["HOST_ADDRESSES", "OUTSIDE_ADDRESSES", "PrivateNamespace", "World"]

# Documentation ranges (RFC 5737, RFC 3849): no such network exists anywhere else.
HOST_ADDRESSES = ("192.0.2.2", "2001:db8::2")
OUTSIDE_ADDRESSES = ("192.0.2.1", "2001:db8::1")
_LOOPBACK = 1

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PrivateNamespace:
    """A network namespace that lives while this process keeps its descriptor open."""

    name: str
    descriptor: int

    @property
    def path(self) -> str:
        """Where another program finds the namespace while this process lives."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @property
    def place(self) -> Place:
        """The namespace as a place where probes start or end."""
        return Place(self.name, lambda *kind: self.within(lambda: socket.socket(*kind)))

    def within(self, action: Callable[[], Result]) -> Result:
        """The result of an action run inside by a thread of its own."""
        return namespace.in_namespace(self.descriptor, action)

    def perform(self, *requests: Request) -> None:
        """Perform rtnetlink requests inside, in order; raises NetlinkError."""

        def act() -> None:
            with RouteSocket() as routes:
                for request in requests:
                    routes.perform(request)

        self.within(act)

    def link_index(self, name: str) -> int:
        """The index of a link inside; raises OSError if there is none of that name."""
        return self.within(lambda: socket.if_nametoindex(name))

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program inside and return what it printed; it is not an error if it fails."""
        return self.within(
            lambda: subprocess.run(command, text=True, capture_output=True, check=False, timeout=60, **options)
        )

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program inside and leave it running."""
        return self.within(lambda: subprocess.Popen(command, text=True, **options))


class World:
    """The namespaces of one private host and what it is connected to; a context manager that takes all down again."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.workloads: dict[str, PrivateNamespace] = {}
        try:
            self.host = self._namespace("host")
            self.outside = self._namespace("outside")
            self._connect()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let all namespaces go, and with them every interface, rule and route in them."""
        self._stack.close()

    def add_workload(self, name: str) -> PrivateNamespace:
        """Make an empty namespace for a workload; a plugin connects it to the host."""
        self.workloads[name] = made = self._namespace(name)
        return made

    def _namespace(self, name: str) -> PrivateNamespace:
        made = PrivateNamespace(name, namespace.private())
        self._stack.callback(os.close, made.descriptor)
        made.perform(set_link(_LOOPBACK, up=True))
        return made

    def _connect(self) -> None:
        """Join host and outside by a cable: ``eth0`` to ``eth0``, the outside being the host's way to everything."""
        self.host.perform(add_veth(Veth("eth0", "eth0", peer_namespace=self.outside.descriptor)))
        for place, addresses in ((self.host, HOST_ADDRESSES), (self.outside, OUTSIDE_ADDRESSES)):
            index = place.link_index("eth0")
            ipv4, ipv6 = addresses
            place.perform(
                set_link(index, up=True),
                add_address(Address(index, f"{ipv4}/24")),
                add_address(Address(index, f"{ipv6}/64", no_dad=True)),
            )
        index = self.host.link_index("eth0")
        ipv4, ipv6 = OUTSIDE_ADDRESSES
        self.host.perform(
            add_route(Route("0.0.0.0/0", index, gateway=ipv4)), add_route(Route("::/0", index, gateway=ipv6))
        )

    def route_outside(self, destinations: Mapping[str, str]) -> None:
        """Teach the outside routes to workloads' networks: destination CIDR to the host's address."""
        index = self.outside.link_index("eth0")
        self.outside.perform(
            *(add_route(Route(destination, index, gateway=gateway)) for destination, gateway in destinations.items())
        )
