# SPDX-License-Identifier: Apache-2.0
"""Literal sets: several nets or port ranges of one rule, as a constant set that is named by its content.

Equal lists share one set, whichever rules they come from; it lives as long as some chain refers to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from percale.calc.compiled import PortRange
from percale.dataplane.cover import cover_of
from percale.dataplane.match import FAMILIES
from percale.dataplane.names import hashed
from percale.dataplane.prefix import Prefix
from percale.netlink.nftables.datatypes import INET_PROTO, INET_SERVICE, DataType
from percale.netlink.nftables.objects import Element, Set

__all__ = ["PORT_PROTOCOLS", "Literal", "nets_literal", "ports_literal"]


@dataclass(frozen=True, slots=True)
class Literal:
    """A set and its elements, which never change."""

    set: Set
    elements: frozenset[Element]

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.set.name


def _literal(kind: str, key: DataType, elements: Iterable[Element]) -> Literal:
    content = sorted(elements, key=lambda element: element.key)
    interval = any(element.key_end is not None for element in content)
    return Literal(Set(hashed(kind, *content), (key,), interval=interval), frozenset(content))


@lru_cache(maxsize=4096)
def nets_literal(prefixes: tuple[Prefix, ...]) -> Literal:
    """The literal set of some prefixes of one IP version."""
    version = prefixes[0].version
    return _literal(f"n{version}", FAMILIES[version].address, (prefix.element() for prefix in cover_of(prefixes)))


@lru_cache(maxsize=4096)
def ports_literal(ranges: tuple[PortRange, ...]) -> Literal:
    """The literal set of some port ranges."""
    return _literal("ports", INET_SERVICE, map(_port_element, _merged(ranges)))


def _port_element(ports: PortRange) -> Element:
    return Element.between(ports.first.to_bytes(2, "big"), ports.last.to_bytes(2, "big"))


def _merged(ranges: Iterable[PortRange]) -> list[PortRange]:
    """The same ports in ascending ranges that neither overlap nor touch."""
    merged: list[PortRange] = []
    for ports in sorted(ranges):
        if merged and ports.first <= merged[-1].last + 1:
            merged[-1] = PortRange(merged[-1].first, max(merged[-1].last, ports.last))
        else:
            merged.append(ports)
    return merged


# Where a rule names ports but no protocol: TCP, UDP, DCCP, SCTP, UDP-Lite.
PORT_PROTOCOLS = _literal("protocols", INET_PROTO, (Element(bytes((number,))) for number in (6, 17, 33, 132, 136)))
