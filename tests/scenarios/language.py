# SPDX-License-Identifier: Apache-2.0
"""The words in which scenarios are told: places, flows between them, policies."""

from __future__ import annotations

from collections.abc import Iterable

from percale.lab.probes import Place, Probe, arrivals
from percale.lab.site import Site
from percale.lab.streams import Stream
from percale.lab.world import HOST_ADDRESSES, OUTSIDE_ADDRESSES, PrivateNamespace
from percale.resources import (
    EntityRule,
    NetworkPolicy,
    NetworkPolicySpec,
    ObjectMeta,
    Rule,
)

FAMILIES = (4, 6)


def namespace(site: Site, name: str) -> PrivateNamespace:
    """A workload's namespace, the host's, or the outside's."""
    return {"host": site.world.host, "outside": site.world.outside}.get(name) or site.world.workloads[name]


def place(site: Site, name: str) -> Place:
    return namespace(site, name).place


def address(site: Site, name: str, version: int) -> str:
    fixed = {"host": HOST_ADDRESSES, "outside": OUTSIDE_ADDRESSES}.get(name)
    return fixed[FAMILIES.index(version)] if fixed else site.addresses[name][version]


def probe(site: Site, source: str, destination: str, protocol: str, port: int, version: int) -> Probe:
    return Probe(
        place(site, source),
        place(site, destination),
        protocol,
        address(site, source, version),
        address(site, destination, version),
        port,
    )


def passing(site: Site, flows: Iterable[str], *, deadline_s: float = 0.7) -> set[str]:
    """Of flows such as ``client → server tcp 8080``, in both families, those that arrive (with `` v4`` or v6)."""
    probes = {}
    for flow in flows:
        source, _, destination, protocol, *port = flow.split()
        for version in FAMILIES:
            number = int(port[0]) if port else 0
            probes[f"{flow} v{version}"] = probe(site, source, destination, protocol, number, version)
    seen = arrivals(list(probes.values()), deadline_s=deadline_s)
    return {text for text, sent in probes.items() if seen[sent]}


def stream(site: Site, kind: str, source: str, destination: str, port: int, version: int) -> Stream:
    """A stream of UDP packets between two places, of kind ``new`` or ``established``."""
    return Stream(
        f"{kind} {source} → {destination} udp {port} v{version}",
        kind,
        namespace(site, source),
        namespace(site, destination),
        address(site, source, version),
        address(site, destination, version),
        port,
    )


def both(*flows: str) -> set[str]:
    """Flows in both families, as ``passing`` returns them."""
    return {f"{flow} v{version}" for flow in flows for version in FAMILIES}


def allow(protocol: str | None = None, *ports: int, source: str = "") -> Rule:
    """A rule that allows a protocol, to some ports, from what a selector matches."""
    return Rule(
        action="Allow",
        protocol=protocol,
        source=EntityRule(selector=source),
        destination=EntityRule(ports=ports),
    )


def policy(
    name: str, selector: str, *ingress: Rule, egress: tuple[Rule, ...] | None = None, order: float | None = None
) -> NetworkPolicy:
    """A policy of namespace ``default`` for ingress; with ``egress`` for egress alone."""
    types = ("Ingress",) if egress is None else ("Egress",)
    return NetworkPolicy(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=NetworkPolicySpec(selector=selector, order=order, types=types, ingress=ingress, egress=egress or ()),
    )
