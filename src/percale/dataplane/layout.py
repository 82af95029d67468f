# SPDX-License-Identifier: Apache-2.0
"""The fixed part of our tables: base chains with their rules, dispatch maps and address sets.

The pipeline, by hook (spec/dataplane.md section 5.1; an ``accept`` ends one base chain, not the hook)::

    prerouting  raw       pre_raw    from workloads: the source address is the interface's own, or routes back to it
    prerouting  dstnat    nat_pre    floating address -> workload
    input       filter    host_in    from workloads: egress program by (interface, ct state); unknown -> drop
    input       filter+1  host_in2   from workloads: the endpoint-to-host action
    forward     filter    f_from     from workloads: egress program by (interface, ct state); unknown -> drop
    forward     filter+1  f_to       to workloads: ingress program by (interface, ct state); unknown -> drop
    output      dstnat    nat_out    floating address -> workload
    postrouting srcnat+10 nat_post   workload -> floating address on a hairpin; masquerade what leaves the pools
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from percale.dataplane.config import DataplaneConfig, HostAction
from percale.dataplane.match import (
    DESTINATION,
    FAMILIES,
    SOURCE,
    V4,
    V6,
    Family,
    Match,
    address_in_set,
    family_is,
    interface_and_address_in_set,
    interface_begins,
    net_is,
    protocol_is,
)
from percale.dataplane.prefix import Prefix
from percale.netlink.nftables.datatypes import (
    CT_ESTABLISHED,
    CT_RELATED,
    CT_STATE,
    ICMPV6_TYPE,
    IFNAME,
    IPV4_ADDR,
    VERDICT,
)
from percale.netlink.nftables.expressions import (
    ACCEPT,
    DROP,
    VERDICT_REGISTER,
    Bitwise,
    Cmp,
    Ct,
    Expression,
    Fib,
    Lookup,
    Masquerade,
    Meta,
    Nat,
    Payload,
    goto,
    register,
)
from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table

__all__ = [
    "ARP_OWN",
    "FROM_WORKLOAD",
    "LAYOUT",
    "LAYOUT_PREFIX",
    "TO_WORKLOAD",
    "FixedPart",
    "FixedSets",
    "arp_part",
    "arp_table",
    "filter_table",
    "fixed_part",
    "fixed_sets",
]

LAYOUT_PREFIX = "percale layout "
LAYOUT = f"{LAYOUT_PREFIX}1"
"""The table's comment: what tells our table from a stranger's, and one layout from the next."""

FROM_WORKLOAD = Set("from_wl", (IFNAME, CT_STATE), (VERDICT,))
TO_WORKLOAD = Set("to_wl", (IFNAME, CT_STATE), (VERDICT,))
ARP_OWN = Set("own", (IFNAME, IPV4_ADDR))

_RAW, _DSTNAT, _FILTER, _SRCNAT_LATE = -300, -100, 0, 110
_ICMPV6 = 58
_LINK_LOCAL = Prefix.parse("fe80::/10")

# What a workload needs to find its router: MLD and neighbor discovery (spec/policy.md section 6, 3b).
_ND_TYPES = Set("nd_types", (ICMPV6_TYPE,))
_ND_ELEMENTS = tuple(Element(bytes((number,))) for number in (130, 131, 132, 133, 135, 136))
_TO_HOST = Chain("to_host")


class FixedSets(NamedTuple):
    """The address sets and maps of one IP version."""

    sources: Set
    """Legal (interface, source address)."""
    spoofed: Set
    """(interface, prefix) that a workload may use as source as well."""
    pools: Set
    masqueraded: Set
    floating_in: Set
    """Floating address -> workload's address."""
    floating_out: Set
    """(workload's address, the same) -> floating address."""


class FixedPart(NamedTuple):
    """Sets with their constant elements, and chains with their rules, that are there from the first transaction on."""

    sets: tuple[tuple[Set, tuple[Element, ...]], ...]
    chains: tuple[tuple[Chain, tuple[Rule, ...]], ...]


def filter_table(config: DataplaneConfig) -> Table:
    """Our table for IP packets."""
    return Table("inet", config.table, LAYOUT)


def arp_table(config: DataplaneConfig) -> Table:
    """Our table for ARP packets."""
    return Table("arp", config.table, LAYOUT)


def _sets_of(family: Family) -> FixedSets:
    address, version = family.address, family.version
    return FixedSets(
        Set(f"src{version}", (IFNAME, address)),
        Set(f"spoof{version}", (IFNAME, address), interval=True),
        Set(f"pools{version}", (address,), interval=True),
        Set(f"masq{version}", (address,), interval=True),
        Set(f"fip_d{version}", (address,), (address,)),
        Set(f"fip_s{version}", (address, address), (address,)),
    )


_FIXED_SETS = {4: _sets_of(V4), 6: _sets_of(V6)}


def fixed_sets(version: int) -> FixedSets:
    """The address sets and maps of one IP version."""
    return _FIXED_SETS[version]


def fixed_part(config: DataplaneConfig) -> FixedPart:
    """The fixed part of the table for IP packets."""
    families = [FAMILIES[version] for version in config.versions]
    sets: list[tuple[Set, tuple[Element, ...]]] = [(FROM_WORKLOAD, ()), (TO_WORKLOAD, ()), (_ND_TYPES, _ND_ELEMENTS)]
    sets.extend((one, ()) for family in families for one in fixed_sets(family.version))
    chains = (
        (Chain("pre_raw", "filter", "prerouting", _RAW), tuple(_anti_spoofing(config, families))),
        (Chain("nat_pre", "nat", "prerouting", _DSTNAT), tuple(map(_floating_in, families))),
        (_TO_HOST, tuple(_to_host(config))),
        (Chain("host_in", "filter", "input", _FILTER), tuple(_host_in(config))),
        (Chain("host_in2", "filter", "input", _FILTER + 1), tuple(_host_in2(config))),
        (Chain("f_from", "filter", "forward", _FILTER), tuple(_dispatch(config, "iifname", FROM_WORKLOAD))),
        (Chain("f_to", "filter", "forward", _FILTER + 1), tuple(_dispatch(config, "oifname", TO_WORKLOAD))),
        (Chain("nat_out", "nat", "output", _DSTNAT), tuple(map(_floating_in, families))),
        (Chain("nat_post", "nat", "postrouting", _SRCNAT_LATE), tuple(_source_nat(families))),
    )
    return FixedPart(
        tuple(sets),
        tuple((chain, tuple(Rule(chain.name, line) for line in lines)) for chain, lines in chains),
    )


def arp_part() -> FixedPart:
    """The fixed part of the table for ARP packets.

    With ``proxy_arp`` the host would answer a workload's own duplicate-address probe (spec/dataplane.md section 2.5).
    """
    guard = Chain("guard", "filter", "output", _FILTER)
    is_reply = (Payload("network", 6, 2), Cmp("eq", b"\x00\x02"))
    is_own = (Meta("oifname"), Payload("network", 14, 4, register(4)), Lookup(ARP_OWN.name))
    return FixedPart(((ARP_OWN, ()),), ((guard, (Rule(guard.name, (*is_reply, *is_own, DROP)),)),))


def _dispatch(config: DataplaneConfig, key: str, to: Set) -> Iterator[tuple[Expression, ...]]:
    """The way into the endpoints' programs, and the drop for whatever looks like a workload's and has no element."""
    yield Meta(key), Ct("state", register(4)), Lookup(to.name, destination=VERDICT_REGISTER)
    for prefix in config.interface_prefixes:
        yield (*interface_begins(key, prefix), DROP)


def _anti_spoofing(config: DataplaneConfig, families: list[Family]) -> Iterator[tuple[Expression, ...]]:
    for prefix in config.interface_prefixes:
        from_workload = interface_begins("iifname", prefix)
        for family in families:
            sets = fixed_sets(family.version)
            yield (
                *from_workload,
                *family_is(family),
                # Link-local addresses mean nothing beyond the link: they lead back to it by nature.
                *(net_is(SOURCE, _LINK_LOCAL, V6, negate=True) if family is V6 else ()),
                *interface_and_address_in_set("iifname", SOURCE, sets.sources.name, family, negate=True),
                *interface_and_address_in_set("iifname", SOURCE, sets.spoofed.name, family, negate=True),
                Fib(("saddr", "mark", "iif"), "oif"),
                Cmp("eq", bytes(4)),
                DROP,
            )
        if V6 not in families:
            yield (*from_workload, *family_is(V6), DROP)


def _host_in(config: DataplaneConfig) -> Iterator[tuple[Expression, ...]]:
    for prefix in config.interface_prefixes:
        yield (*interface_begins("iifname", prefix), *_neighbor_discovery(), ACCEPT)
    yield from _dispatch(config, "iifname", FROM_WORKLOAD)


def _host_in2(config: DataplaneConfig) -> Iterator[tuple[Expression, ...]]:
    for prefix in config.interface_prefixes:
        yield (*interface_begins("iifname", prefix), goto(_TO_HOST.name))


def _to_host(config: DataplaneConfig) -> Iterator[tuple[Expression, ...]]:
    yield (*_neighbor_discovery(), ACCEPT)
    mask = CT_STATE.encode(CT_ESTABLISHED | CT_RELATED)
    yield Ct("state"), Bitwise(mask, bytes(4)), Cmp("neq", bytes(4)), ACCEPT
    match config.endpoint_to_host_action:
        case HostAction.DROP:
            yield (DROP,)
        case HostAction.ACCEPT:
            yield (ACCEPT,)
        case HostAction.RETURN:
            return


def _neighbor_discovery() -> Match:
    return (*family_is(V6), *protocol_is(_ICMPV6), Payload("transport", 0, 1), Lookup(_ND_TYPES.name))


def _floating_in(family: Family) -> tuple[Expression, ...]:
    sets = fixed_sets(family.version)
    find = Lookup(sets.floating_in.name, destination=1)
    return (*family_is(family), DESTINATION.address(family), find, Nat("dnat", _nat_family(family)))


def _source_nat(families: list[Family]) -> Iterator[tuple[Expression, ...]]:
    for family in families:
        sets = fixed_sets(family.version)
        yield (
            *family_is(family),
            SOURCE.address(family),
            DESTINATION.address(family, register(family.size // 4)),
            Lookup(sets.floating_out.name, destination=1),
            Nat("snat", _nat_family(family)),
        )
    for family in families:
        sets = fixed_sets(family.version)
        yield (
            *family_is(family),
            *address_in_set(SOURCE, sets.masqueraded.name, family),
            *address_in_set(DESTINATION, sets.pools.name, family, negate=True),
            Masquerade(("fully-random",)),
        )


def _nat_family(family: Family) -> Literal["ip", "ip6"]:
    return "ip6" if family is V6 else "ip"
