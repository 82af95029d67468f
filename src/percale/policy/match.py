# SPDX-License-Identifier: Apache-2.0
"""One rule against one flow: every criterion by itself, for the verdict and for its explanation alike.

Spec: spec/policy.md section 4. All criteria that a rule has must hold. They are tried cheapest first, and for a verdict
only until one fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from percale.calc.compiled import CompiledRule, Icmp, IPSetID, PortRange, RuleSide
from percale.calc.membership import Membership
from percale.calc.networks import IPAddress
from percale.policy.cidr import covers, shares_family
from percale.policy.flow import Flow, is_icmp, protocol_number

__all__ = ["Check", "Wanted", "checks", "matches"]

Wanted: TypeAlias = int | str | Icmp | tuple[str, ...] | tuple[PortRange | IPSetID, ...]


class Check(NamedTuple):
    """One criterion of a rule and whether the flow meets it.

    ``side`` is ``source``, ``destination`` or empty; ``field`` is the criterion's name in the API, with ``sets``,
    ``notSets`` and ``portSets`` for the IP sets that selectors, service accounts and services became. ``wanted`` is
    what the compiled rule says.
    """

    side: str
    field: str
    wanted: Wanted
    holds: bool


def matches(rule: CompiledRule, flow: Flow, sets: Membership) -> bool:
    """Say whether the rule matches the flow."""
    for check in _checks(rule, flow, sets):  # noqa: SIM110 - any() would cost a second generator per rule
        if not check[3]:
            return False
    return True


def checks(rule: CompiledRule, flow: Flow, sets: Membership) -> tuple[Check, ...]:
    """Return every criterion that the rule has, met or not; the rule matches if all are met."""
    return tuple(map(Check._make, _checks(rule, flow, sets)))


_Checks: TypeAlias = Iterator[tuple[str, str, Wanted, bool]]


def _checks(rule: CompiledRule, flow: Flow, sets: Membership) -> _Checks:
    # Plain tuples, made one at a time: a verdict needs the first that fails and no other.
    if rule.ip_version is not None:
        yield "", "ipVersion", rule.ip_version, rule.ip_version == flow.destination.version
    if rule.protocol is not None:
        yield "", "protocol", rule.protocol, protocol_number(rule.protocol) == flow.protocol
    if rule.not_protocol is not None:
        yield "", "notProtocol", rule.not_protocol, protocol_number(rule.not_protocol) != flow.protocol
    if rule.icmp is not None and rule.icmp.type is not None:
        yield "", "icmp", rule.icmp, is_icmp(flow.protocol) and _has_type(flow, rule.icmp)
    if rule.not_icmp is not None and rule.not_icmp.type is not None:
        yield "", "notICMP", rule.not_icmp, is_icmp(flow.protocol) and not _has_type(flow, rule.not_icmp)
    yield from _side_checks("source", rule.source, flow.source, flow.protocol, flow.source_port, sets)
    yield from _side_checks(
        "destination", rule.destination, flow.destination, flow.protocol, flow.destination_port, sets
    )


def _side_checks(name: str, side: RuleSide, address: IPAddress, protocol: int, port: int, sets: Membership) -> _Checks:
    contains = sets.contains
    if side.ports or side.named_port_sets:
        held = _in_ranges(port, side.ports) or any(
            contains(set_id, address, protocol, port) for set_id in side.named_port_sets
        )
        yield name, "ports", side.ports + side.named_port_sets, held
    if side.not_ports or side.not_named_port_sets:
        held = not _in_ranges(port, side.not_ports) and not any(
            contains(set_id, address, protocol, port) for set_id in side.not_named_port_sets
        )
        yield name, "notPorts", side.not_ports + side.not_named_port_sets, held
    if side.nets:
        yield name, "nets", side.nets, any(covers(net, address) for net in side.nets)
    if side.not_nets:
        yield name, "notNets", side.not_nets, _outside(side.not_nets, address)
    if side.ip_sets:
        held = all(contains(set_id, address, protocol, port) for set_id in side.ip_sets)
        yield name, "sets", side.ip_sets, held
    if side.not_ip_sets:
        held = not any(contains(set_id, address, protocol, port) for set_id in side.not_ip_sets)
        yield name, "notSets", side.not_ip_sets, held
    if side.ip_port_sets:
        held = all(contains(set_id, address, protocol, port) for set_id in side.ip_port_sets)
        yield name, "portSets", side.ip_port_sets, held


def _has_type(flow: Flow, icmp: Icmp) -> bool:
    return flow.icmp_type == icmp.type and (icmp.code is None or flow.icmp_code == icmp.code)


def _in_ranges(port: int, ranges: Sequence[PortRange]) -> bool:
    return any(first <= port <= last for first, last in ranges)


def _outside(nets: Sequence[str], address: IPAddress) -> bool:
    # A rule whose notNets are all of the other family does not exist for this one (spec/policy.md section 4).
    if any(covers(net, address) for net in nets):
        return False
    return any(shares_family(net, address) for net in nets)
