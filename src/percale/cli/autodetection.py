# SPDX-License-Identifier: Apache-2.0
"""Which of its addresses a node is known by, when nobody says (spec/cli.md section 11)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from percale.cli.command import CommandFailed

__all__ = ["Interface", "Method", "interfaces_here", "read_method"]

_NOBODYS = re.compile(r"(docker|cbr|dummy|virbr|lxcbr|veth|lo$|cali|tunl|flannel|vxlan|wireguard|kube-ipvs|cni)")
"""Interfaces of containers and tunnels, by which no other host reaches this one."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that is up, with its addresses and their prefix lengths."""

    name: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]

    def address(self, version: int) -> str:
        """Return the first address of a version that other hosts can use, or ``""``."""
        return next((str(each) for each in self.addresses if each.version == version and _is_usable(each)), "")


Method = Callable[[Sequence[Interface]], str]
"""Chooses an address with its prefix length from the interfaces of a host, ``""`` if there is none."""


def read_method(text: str, version: int) -> Method:
    """Return the method of a text: ``first-found``, ``can-reach=``, ``interface=`` or ``skip-interface=``.

    Raises CommandFailed.
    """
    name, _, value = text.partition("=")
    if text == "first-found":
        return lambda interfaces: _first(interfaces, version, lambda name: not _NOBODYS.match(name))
    if name in _METHODS and "=" in text:
        return _METHODS[name](value, version)
    raise CommandFailed(f"error executing command: invalid IP autodetection method: {text}")


def interfaces_here() -> list[Interface]:
    """Return the interfaces of this host that are up, in the kernel's order; raises PercaleError."""
    from percale.netlink.rtnetlink.connection import RouteSocket

    with RouteSocket() as kernel:
        links, found = kernel.links(), kernel.addresses()
    return [
        Interface(link.name, tuple(ip_interface(each.address) for each in found if each.interface == link.index))
        for link in links
        if link.up
    ]


def _first(interfaces: Sequence[Interface], version: int, fits: Callable[[str], object]) -> str:
    return next((address for each in interfaces if fits(each.name) and (address := each.address(version))), "")


def _interface(value: str, version: int) -> Method:
    """The first expression that finds an address decides, not the first interface."""
    patterns = _patterns(value)

    def choose(interfaces: Sequence[Interface]) -> str:
        found = (_first(interfaces, version, pattern.search) for pattern in patterns)
        return next(filter(None, found), "")

    return choose


def _skip_interface(value: str, version: int) -> Method:
    patterns = _patterns(value)
    return lambda interfaces: _first(
        interfaces, version, lambda name: not any(pattern.search(name) for pattern in patterns)
    )


def _can_reach(value: str, version: int) -> Method:
    target = _resolved(value, version)
    return lambda interfaces: _reaching(interfaces, target)


_METHODS: dict[str, Callable[[str, int], Method]] = {
    "can-reach": _can_reach,
    "interface": _interface,
    "skip-interface": _skip_interface,
}


def _is_usable(address: IPv4Interface | IPv6Interface) -> bool:
    return not (address.ip.is_loopback or address.ip.is_link_local or address.ip.is_multicast)


def _patterns(text: str) -> list[re.Pattern[str]]:
    patterns = []
    for part in re.split(r"\s*,\s*", text):
        try:
            patterns.append(re.compile(part))
        except re.error as error:
            raise CommandFailed(
                f"error executing command: invalid interface regex specified for IP autodetection: {part}"
            ) from error
    return patterns


def _resolved(host: str, version: int) -> str:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        return str(socket.getaddrinfo(host, None, family)[0][4][0])
    except OSError as error:
        raise CommandFailed(
            f"error executing command: cannot resolve address specified for IP autodetection: {host}"
        ) from error


def _reaching(interfaces: Sequence[Interface], target: str) -> str:
    """The address from which packets to a target would be sent; none is sent to find out."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 53))
        except OSError:
            return ""
        own = ip_address(probe.getsockname()[0].partition("%")[0])
    return next((str(each) for one in interfaces for each in one.addresses if each.ip == own), str(own))
