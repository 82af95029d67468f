# SPDX-License-Identifier: Apache-2.0
"""One compiled rule as nftables rules: all its criteria and-ed, once per IP version where they speak of addresses.

What a rule means is spec/policy.md section 4. Several entries of one criterion become a literal set; named ports, which
are sets of (address, protocol, port), stand beside numeric ports as alternatives, and each alternative is a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from percale.calc.compiled import CompiledRule, Icmp, IPSetID, PortRange, RuleSide
from percale.dataplane.literals import PORT_PROTOCOLS, Literal, nets_literal, ports_literal
from percale.dataplane.match import (
    DESTINATION,
    FAMILIES,
    SOURCE,
    Family,
    Match,
    Side,
    address_in_set,
    address_port_in_set,
    family_is,
    icmp_is,
    net_is,
    port_between,
    port_in_set,
    protocol_in_set,
    protocol_is,
)
from percale.dataplane.prefix import Prefix

__all__ = ["RuleMatch", "SetNames", "ip_sets_of", "matches_of", "protocol_number"]

_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132, "udplite": 136}


class SetNames(Protocol):
    """Where the kernel holds the members of an IP set."""

    def __call__(self, set_id: IPSetID, version: int, /) -> str:
        """The name of the set that holds the members of one IP version."""
        ...


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """The conditions of one nftables rule, and the literal sets that they look into."""

    match: Match
    literals: tuple[Literal, ...] = ()

    def __add__(self, other: RuleMatch) -> RuleMatch:
        return RuleMatch(self.match + other.match, self.literals + other.literals)


_ALWAYS = RuleMatch(())


class _Absent(Exception):
    """The rule does not exist for this IP version."""


def protocol_number(protocol: int | str) -> int:
    """The number of a protocol given by name or number; raises ValueError."""
    name = str(protocol).lower()
    return _PROTOCOLS[name] if name in _PROTOCOLS else int(name)


def ip_sets_of(rule: CompiledRule) -> frozenset[IPSetID]:
    """The IP sets that a rule refers to."""
    return frozenset(
        set_id
        for side in (rule.source, rule.destination)
        for ids in (
            side.ip_sets, side.not_ip_sets, side.named_port_sets, side.not_named_port_sets, side.ip_port_sets,
        )
        for set_id in ids
    )  # fmt: skip


def matches_of(
    rule: CompiledRule, set_names: SetNames, versions: tuple[int, ...] = (4, 6), *, disjoint: bool = False
) -> Iterator[RuleMatch]:
    """Yield the matches that together are the rule's; none where the rule does not exist for any of ``versions``.

    Several may match one packet, unless ``disjoint`` is asked for, as it must be for rules that do not end the walk.
    """
    if not _speaks_of_addresses(rule):
        yield from _alternatives(rule, None, set_names, disjoint)
        return
    for version in versions:
        if rule.ip_version in (None, version):
            try:
                yield from list(_alternatives(rule, FAMILIES[version], set_names, disjoint))
            except _Absent:
                continue


def _speaks_of_addresses(rule: CompiledRule) -> bool:
    if rule.ip_version is not None or rule.icmp is not None or rule.not_icmp is not None or ip_sets_of(rule):
        return True
    return any(side.nets or side.not_nets for side in (rule.source, rule.destination))


def _alternatives(
    rule: CompiledRule, family: Family | None, set_names: SetNames, disjoint: bool
) -> Iterator[RuleMatch]:
    head = RuleMatch(() if family is None else family_is(family)) + _protocol(rule, family)
    tail = _side(SOURCE, rule.source, family, set_names) + _side(DESTINATION, rule.destination, family, set_names)
    choices = (
        _port_choices(SOURCE, rule.source, family, set_names, disjoint),
        _port_choices(DESTINATION, rule.destination, family, set_names, disjoint),
    )
    for source, destination in product(*choices):
        yield head + source + destination + tail


def _protocol(rule: CompiledRule, family: Family | None) -> RuleMatch:
    match: Match = ()
    literals: tuple[Literal, ...] = ()
    if rule.protocol is not None:
        match += protocol_is(protocol_number(rule.protocol))
    elif rule.source.ports or rule.destination.ports:
        # Validation refuses such a rule; without this test ports would be read out of headers that have none.
        match += protocol_in_set(PORT_PROTOCOLS.name)
        literals = (PORT_PROTOCOLS,)
    if rule.not_protocol is not None:
        match += protocol_is(protocol_number(rule.not_protocol), negate=True)
    if family is not None:
        match += _icmp(rule.icmp, family) + _icmp(rule.not_icmp, family, negate=True)
    return RuleMatch(match, literals)


def _icmp(icmp: Icmp | None, family: Family, *, negate: bool = False) -> Match:
    if icmp is None or icmp.type is None:
        return ()
    return icmp_is(family, icmp.type, icmp.code, negate=negate)


def _port_choices(
    side: Side, asked: RuleSide, family: Family | None, set_names: SetNames, disjoint: bool
) -> list[RuleMatch]:
    """The alternatives to meet ``ports`` or ``named_port_sets``: one of them must hold."""
    if not asked.ports and not asked.named_port_sets:
        return [_ALWAYS]
    criteria: list[tuple[RuleMatch, RuleMatch]] = []
    if asked.ports:
        criteria.append((_ports(side, asked.ports), _ports(side, asked.ports, negate=True)))
    for set_id in asked.named_port_sets if family is not None else ():
        assert family is not None
        name = set_names(set_id, family.version)
        criteria.append(
            (
                RuleMatch(address_port_in_set(side, name, family)),
                RuleMatch(address_port_in_set(side, name, family, negate=True)),
            )
        )
    choices, earlier = [], _ALWAYS
    for positive, negative in criteria:
        choices.append(earlier + positive)
        if disjoint:
            earlier += negative
    return choices


def _ports(side: Side, ranges: tuple[PortRange, ...], *, negate: bool = False) -> RuleMatch:
    if len(ranges) == 1:
        return RuleMatch(port_between(side, *ranges[0], negate=negate))
    literal = ports_literal(ranges)
    return RuleMatch(port_in_set(side, literal.name, negate=negate), (literal,))


def _side(side: Side, asked: RuleSide, family: Family | None, set_names: SetNames) -> RuleMatch:
    found = _ports(side, asked.not_ports, negate=True) if asked.not_ports else _ALWAYS
    if family is None:
        return found
    found += _nets(side, asked.nets, family) + _not_nets(side, asked.not_nets, family)
    match: Match = ()
    for set_id in asked.ip_sets:
        match += address_in_set(side, set_names(set_id, family.version), family)
    for set_id in asked.ip_port_sets:
        match += address_port_in_set(side, set_names(set_id, family.version), family)
    for set_id in asked.not_ip_sets:
        match += address_in_set(side, set_names(set_id, family.version), family, negate=True)
    for set_id in asked.not_named_port_sets:
        match += address_port_in_set(side, set_names(set_id, family.version), family, negate=True)
    return found + RuleMatch(match)


def _nets(side: Side, nets: tuple[str, ...], family: Family) -> RuleMatch:
    prefixes = _of_family(nets, family)
    if any(prefix.length == 0 for prefix in prefixes):
        return _ALWAYS
    return _net_match(side, prefixes, family)


def _not_nets(side: Side, nets: tuple[str, ...], family: Family) -> RuleMatch:
    prefixes = _of_family(nets, family)
    if any(prefix.length == 0 for prefix in prefixes):
        raise _Absent
    return _net_match(side, prefixes, family, negate=True)


def _of_family(nets: tuple[str, ...], family: Family) -> tuple[Prefix, ...]:
    """The nets of this IP version; a list that holds only others takes the rule away (spec/policy.md section 4)."""
    prefixes = tuple(prefix for prefix in map(Prefix.parse, nets) if prefix.version == family.version)
    if nets and not prefixes:
        raise _Absent
    return prefixes


def _net_match(side: Side, prefixes: tuple[Prefix, ...], family: Family, *, negate: bool = False) -> RuleMatch:
    if not prefixes:
        return _ALWAYS
    if len(prefixes) == 1:
        return RuleMatch(net_is(side, prefixes[0], family, negate=negate))
    literal = nets_literal(prefixes)
    return RuleMatch(address_in_set(side, literal.name, family, negate=negate), (literal,))
