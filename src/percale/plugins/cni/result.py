# SPDX-License-Identifier: Apache-2.0
"""What a successful ADD answers, in the form of each version of the specification (spec/cni.md section 1.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from percale.plugins.cni.network import VERSIONS

__all__ = ["Interface", "Result"]


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of the pair; the container's end has a sandbox, the path of its namespace."""

    name: str
    mac: str = ""
    mtu: int = 0
    sandbox: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """Interfaces, addresses with prefix length, and destinations that the addresses' plugin named.

    Addresses belong to the last interface; an answer without interfaces is that of a plugin for addresses only.
    """

    addresses: tuple[str, ...]
    routes: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()

    def to_builtins(self, version: str) -> dict[str, Any]:
        """Return the result as JSON types in the form of this version."""
        for since, form in _FORMS:
            if VERSIONS.index(version) >= VERSIONS.index(since):
                return {"cniVersion": version, **form(self)}
        raise AssertionError(version)


def _form_1_0(result: Result) -> dict[str, Any]:
    return _present(
        interfaces=[
            _present(name=item.name, mac=item.mac, mtu=item.mtu, sandbox=item.sandbox) for item in result.interfaces
        ],
        ips=_ips(result),
        routes=_routes(result.routes),
    )


def _form_0_3(result: Result) -> dict[str, Any]:
    members = _present(
        interfaces=[_present(name=item.name, mac=item.mac, sandbox=item.sandbox) for item in result.interfaces],
        ips=[{"version": "6" if ":" in item["address"] else "4", **item} for item in _ips(result)],
        routes=_routes(result.routes),
    )
    return members | {"dns": {}}


def _form_0_1(result: Result) -> dict[str, Any]:
    """One address of each family, each with the routes of its family."""
    families: dict[str, Any] = {}
    for name, is_ipv6 in (("ip4", False), ("ip6", True)):
        address = next((item for item in result.addresses if (":" in item) is is_ipv6), None)
        if address is not None:
            routes = [route for route in result.routes if (":" in route) is is_ipv6]
            families[name] = _present(ip=address, routes=_routes(tuple(routes)))
    return families | {"dns": {}}


_FORMS: tuple[tuple[str, Callable[[Result], dict[str, Any]]], ...] = (
    ("1.0.0", _form_1_0),
    ("0.3.0", _form_0_3),
    ("0.1.0", _form_0_1),
)


def _ips(result: Result) -> list[dict[str, Any]]:
    place = {"interface": len(result.interfaces) - 1} if result.interfaces else {}
    return [{"address": address, **place} for address in result.addresses]


def _routes(routes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"dst": route} for route in routes]


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}
