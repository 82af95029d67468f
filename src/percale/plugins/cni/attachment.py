# SPDX-License-Identifier: Apache-2.0
"""The pair of interfaces between a workload and its host, with its routes and neighbors (spec/cni.md section 5).

The workload's gateways exist nowhere: it gets permanent neighbor entries for them, so that nothing depends on the
host answering ARP or neighbor discovery (spec/dataplane.md section 1.1). The host is told where the workload's IPv6
addresses are: Linux joins the groups of neighbor discovery behind the address's back, and a host that asks too early
asks again only after a second.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from percale.netlink import namespace
from percale.netlink.rtnetlink.addresses import Address, add_address
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Link, Veth, add_veth, delete_link, set_link
from percale.netlink.rtnetlink.neighbors import Neighbor, replace_neighbor
from percale.netlink.rtnetlink.routes import SCOPE_LINK, Route, add_route
from percale.netlink.socket import NetlinkError
from percale.plugins.cni.errors import CniError, Code

__all__ = ["HOST_MAC", "Attachment", "is_namespace", "is_own_namespace", "link_in", "remove_from", "remove_from_host"]

HOST_MAC = "ee:ee:ee:ee:ee:ee"
IPV4_GATEWAY = "169.254.1.1"
IPV6_GATEWAY = "fe80::ecee:eeff:feee:eeee"
"""The link-local address that the host's MAC gives."""

_NS_GET_NSTYPE = 0xB703  # linux/nsfs.h

_SENDING_S, _LOOK_AGAIN_S = 2.0, 0.001

HOST_ROUTE_METRIC = 1024
"""The metric of the agents' own routes: what we add is at once what they want."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A pair to be made: names of both ends, the workload's addresses (``10.0.0.1/32``), and what goes with them.

    ``destinations`` are routed to the host, () means everything. An empty ``mac`` and an ``mtu`` of 0 leave the choice
    to the kernel. ``host_routes`` False leaves the host's routes to the agent.
    """

    host_interface: str
    interface: str
    addresses: tuple[str, ...]
    destinations: tuple[str, ...] = ()
    mac: str = ""
    mtu: int = 0
    queues: int = 1
    forwarding: bool = False
    host_routes: bool = True

    @property
    def has_ipv4(self) -> bool:
        """Whether the workload has an IPv4 address."""
        return any(":" not in address for address in self.addresses)

    @property
    def has_ipv6(self) -> bool:
        """Whether the workload has an IPv6 address."""
        return any(":" in address for address in self.addresses)

    def connect(self, container: int) -> Link:
        """Make the pair into the namespace behind ``container`` and return the workload's end.

        Raises CniError if the interface exists there, and NetlinkError or OSError; then nothing remains.
        """
        with RouteSocket() as host:
            self._make_pair(host, container)
            try:
                index = self._set_up_host(host)
                link = namespace.in_namespace(container, self._set_up_container)
                for address in self.addresses:
                    if ":" in address:
                        known = Neighbor(index, address.partition("/")[0], link.mac, "stale")
                        host.perform(replace_neighbor(known), context=f"neighbor {address}")
                self._await_sending(host)
                return link
            except BaseException:
                host.perform(delete_link(self.host_interface))
                raise

    def _make_pair(self, host: RouteSocket, container: int) -> None:
        veth = Veth(
            name=self.host_interface,
            peer_name=self.interface,
            mac=HOST_MAC,
            mtu=self.mtu,
            peer_mac=self.mac,
            peer_namespace=container,
            queues=max(self.queues, 1),
        )
        if host.link(self.host_interface) is not None:
            host.perform(delete_link(self.host_interface), context=f"old interface {self.host_interface}")
        try:
            host.perform(add_veth(veth), context=f"veth {self.host_interface}")
        except NetlinkError as error:
            if error.already_exists:
                raise CniError(Code.INTERNAL, f"interface {self.interface} exists in the container already") from error
            raise

    # The host's side

    def _set_up_host(self, host: RouteSocket) -> int:
        """Set up the host's end and return its index."""
        for path, value, optional in self._host_sysctls():
            _write_sysctl(path, value, optional=optional)
        link = host.link(self.host_interface)
        if link is None:
            raise CniError(Code.INTERNAL, f"interface {self.host_interface} vanished while it was set up")
        host.perform(set_link(link.index, up=True), context=f"interface {self.host_interface} up")
        for address in self.addresses if self.host_routes else ():
            self._add_host_route(host, link.index, address)
        return link.index

    def _host_sysctls(self) -> list[tuple[str, str, bool]]:
        """The settings of the host's end: path below /proc/sys/net, value, and whether it may fail."""
        name = self.host_interface
        settings = [(f"ipv6/conf/{name}/accept_ra", "0", True)]
        if self.has_ipv4:
            settings += [
                (f"ipv4/conf/{name}/route_localnet", "1", False),
                (f"ipv4/neigh/{name}/proxy_delay", "0", True),
                (f"ipv4/conf/{name}/proxy_arp", "1", False),
                (f"ipv4/conf/{name}/forwarding", "1", False),
            ]
        if self.has_ipv6:
            settings += [
                (f"ipv6/conf/{name}/accept_dad", "0", False),
                (f"ipv6/conf/{name}/disable_ipv6", "0", False),
                (f"ipv6/conf/{name}/proxy_ndp", "1", False),
                (f"ipv6/conf/{name}/forwarding", "1", False),
            ]
        return settings

    def _add_host_route(self, host: RouteSocket, index: int, address: str) -> None:
        route = Route(address, interface=index, scope=SCOPE_LINK, metric=HOST_ROUTE_METRIC)
        try:
            host.perform(add_route(route), context=f"route to {address}")
        except NetlinkError as error:
            if not error.already_exists:
                raise
            wanted = route.reported()
            same = [found for found in host.routes(ipv6=route.is_ipv6) if found.destination == wanted.destination]
            if not any(replace(found, protocol=wanted.protocol) == wanted for found in same):
                raise CniError(
                    Code.INTERNAL, f"the host has another route to {address}", "; ".join(map(str, same))
                ) from error

    def _await_sending(self, host: RouteSocket) -> None:
        """Wait until the kernel sends on the host's end: it notices in its own time that both ends are up now.

        Until then it drops in silence what is for the workload. A kernel that takes too long is no error.
        """
        deadline = time.monotonic() + _SENDING_S
        while (end := host.link(self.host_interface)) and end.state != "up" and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_S)

    # The workload's side, in its namespace

    def _set_up_container(self) -> Link:
        if self.has_ipv6:
            for name in ("all", "default", "lo", self.interface):
                _write_sysctl(f"ipv6/conf/{name}/disable_ipv6", "0")
            _write_sysctl(f"ipv6/conf/{self.interface}/accept_dad", "0")
        with RouteSocket() as container:
            link = container.link(self.interface)
            if link is None:
                raise CniError(Code.INTERNAL, f"interface {self.interface} did not arrive in the container")
            container.perform(set_link(link.index, up=True), context=f"interface {self.interface} up")
            if self.has_ipv4:
                direct = Route(f"{IPV4_GATEWAY}/32", interface=link.index, scope=SCOPE_LINK)
                container.perform(add_route(direct), context=f"route to {IPV4_GATEWAY}")
                self._add_gateway(container, link.index, IPV4_GATEWAY, "0.0.0.0/0")
            if self.has_ipv6:
                self._add_gateway(container, link.index, IPV6_GATEWAY, "::/0")
            # After the routes, so that these have no preferred source.
            for address in self.addresses:
                container.perform(
                    add_address(Address(link.index, address, no_dad=":" in address)), context=f"address {address}"
                )
        self._set_forwarding()
        return link

    def _add_gateway(self, container: RouteSocket, index: int, gateway: str, default: str) -> None:
        container.perform(replace_neighbor(Neighbor(index, gateway, HOST_MAC)), context=f"neighbor {gateway}")
        for destination in self.destinations or (default,):
            if (":" in destination) is (":" in gateway):
                route = Route(destination, interface=index, gateway=gateway)
                container.perform(add_route(route), context=f"route to {destination}")

    def _set_forwarding(self) -> None:
        value = "1" if self.forwarding else "0"
        if self.has_ipv4:
            _write_sysctl("ipv4/ip_forward", value)
        if self.has_ipv6:
            _write_sysctl("ipv6/conf/all/forwarding", value)


def link_in(container: int, interface: str) -> tuple[Link, tuple[str, ...]] | None:
    """Return a workload's interface and its addresses, None if the namespace has no such interface."""

    def look() -> tuple[Link, tuple[str, ...]] | None:
        with RouteSocket() as socket:
            link = socket.link(interface)
            return None if link is None else (link, tuple(item.address for item in socket.addresses(link.index)))

    return namespace.in_namespace(container, look)


def remove_from(container: int, interface: str) -> None:
    """Remove the pair by the workload's end; one that is gone is fine, and what is no pair is left alone."""

    def remove() -> None:
        with RouteSocket() as socket:
            _remove(socket, interface)

    namespace.in_namespace(container, remove)


def remove_from_host(interface: str) -> None:
    """Remove the pair by the host's end; one that is gone is fine."""
    with RouteSocket() as socket:
        _remove(socket, interface)


def _remove(socket: RouteSocket, interface: str) -> None:
    link = socket.link(interface)
    if link is None or link.kind != "veth":
        return
    try:
        socket.perform(delete_link(link.index), context=f"interface {interface}")
    except NetlinkError as error:
        if not error.is_not_found:
            raise


def is_namespace(descriptor: int) -> bool:
    """Report whether a file descriptor is that of a network namespace: a path can also lead to an ordinary file."""
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == namespace.CLONE_NEWNET
    except OSError:
        return False


def is_own_namespace(descriptor: int) -> bool:
    """Report whether a file descriptor is that of the namespace we are in, which no workload may have."""
    home = namespace.current()
    try:
        return os.path.sameopenfile(descriptor, home)
    finally:
        os.close(home)


def _write_sysctl(path: str, value: str, *, optional: bool = False) -> None:
    """Write a setting below /proc/sys/net, which shows the calling thread's namespace."""
    try:
        Path("/proc/sys/net", path).write_text(value)
    except OSError as error:
        if not optional:
            raise CniError(Code.INTERNAL, f"net/{path} cannot be set to {value}", str(error.strerror)) from error
