# SPDX-License-Identifier: Apache-2.0
"""Helper language: flows between the places of a site, in both families, and what the kernel holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from percale.lab.probes import Probe, arrivals
from percale.lab.site import Site
from percale.lab.world import HOST_ADDRESSES, OUTSIDE_ADDRESSES, PrivateNamespace
from percale.netlink.nftables.connection import NftSocket

VERSIONS = (4, 6)


def place_of(site: Site, name: str) -> tuple[PrivateNamespace, dict[int, str]]:
    """The namespace of a name and its addresses by IP version."""
    if name == "host":
        return site.world.host, dict(zip(VERSIONS, HOST_ADDRESSES, strict=True))
    if name == "outside":
        return site.world.outside, dict(zip(VERSIONS, OUTSIDE_ADDRESSES, strict=True))
    return site.world.workloads[name], site.addresses[name]


def flow(site: Site, text: str, version: int) -> Probe:
    """The probe that a text like ``client -> server tcp 8080`` means."""
    source, _, destination, protocol, *port = text.split()
    (start, start_addresses), (end, end_addresses) = place_of(site, source), place_of(site, destination)
    return Probe(
        start.place,
        end.place,
        protocol,  # type: ignore[arg-type]
        start_addresses[version],
        end_addresses[version],
        int(port[0]) if port else 0,
    )


def observed(site: Site, *texts: str, deadline_s: float = 0.7) -> dict[str, bool | None]:
    """Which flows arrive: True or False where both families agree, None where they do not."""
    probes = {(text, version): flow(site, text, version) for text in texts for version in VERSIONS}
    seen = arrivals(list(probes.values()), deadline_s=deadline_s)
    found: dict[str, bool | None] = {}
    for text in texts:
        both = {seen[probes[text, version]] for version in VERSIONS}
        found[text] = both.pop() if len(both) == 1 else None
    return found


def held(site: Site) -> dict[str, Any]:
    """What the host's table holds, comparable: rules by chain in order, elements by set without order."""

    def read() -> dict[str, Any]:
        with NftSocket() as socket:
            table = socket.table("inet", "percale")
            if table is None:
                return {}
            rules: dict[str, list[str]] = {}
            for rule in socket.rules(table):
                rules.setdefault(getattr(rule.chain, "name", rule.chain), []).append(repr(rule.expressions))
            sets = {item.name: sorted(map(repr, socket.elements(table, item))) for item in socket.sets(table)}
            chains = sorted(repr(replace(chain, handle=0)) for chain in socket.chains(table))
            return {"rules": rules, "sets": sets, "chains": chains}

    return site.world.host.within(read)
