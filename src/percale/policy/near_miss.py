# SPDX-License-Identifier: Apache-2.0
"""The nearest miss: of the rules that would have let a flow through, the one that failed by least."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from percale.calc.cluster import Cluster
from percale.calc.compiled import Action, Icmp, IPSetID, PolicyID
from percale.calc.labels import Labels
from percale.calc.networks import IPAddress
from percale.policy.engine import Miss
from percale.policy.flow import Flow, has_ports, protocol_name, service_text
from percale.policy.match import Check, checks
from percale.policy.selector_text import Condition, conditions
from percale.policy.verdict import rule_name

__all__ = ["Criterion", "NearMiss", "nearest_miss"]

_MANY = 6
"""How many nets or ports of one list are named before the rest is counted."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of a rule as its author knows it, whether the flow meets it, and what the flow has instead.

    ``side`` is ``source``, ``destination`` or empty, ``field`` the field of the rule. ``label`` is the ``key=value``
    that the endpoint of this side would need. ``is_implied`` marks a namespace that was not written.
    """

    side: str
    field: str
    wanted: str
    holds: bool
    found: str
    label: str = ""
    is_implied: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the criterion as JSON values; ``found`` only where it is not met."""
        path = f"{self.side}.{self.field}" if self.side else self.field
        told = {"criterion": path, "wanted": self.wanted, "holds": self.holds}
        return told if self.holds else {**told, "found": self.found}

    def __str__(self) -> str:
        # Destination ports are what everybody means by ports.
        side = "" if (self.side, self.field) == ("destination", "ports") else self.side
        words = " ".join(filter(None, (side, _WORDS.get(self.field, ""), self.wanted)))
        return f"{words} ✓" if self.holds else f"{words} ✗ ({self.found})"


# What stands before the wanted value; selectors speak for themselves.
_WORDS = {
    "protocol": "protocol",
    "notProtocol": "not protocol",
    "ipVersion": "IP version",
    "icmp": "ICMP type",
    "notICMP": "not ICMP type",
    "ports": "ports",
    "notPorts": "not ports",
    "nets": "nets",
    "notNets": "not nets",
    "notSelector": "not",
    "services": "service",
}


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that nearly matched, with all its criteria: those that hold first."""

    policy: PolicyID | None
    profile: str
    rule: int
    action: str
    criteria: tuple[Criterion, ...]

    @property
    def name(self) -> str:
        """The rule as ``Kind namespace/name rule N``; N counts from 0."""
        return rule_name(self.policy, self.profile, self.rule)

    @property
    def failed(self) -> tuple[Criterion, ...]:
        """The criteria that the flow does not meet."""
        return tuple(each for each in self.criteria if not each.holds)

    def to_json(self) -> dict[str, Any]:
        """Return the near miss as JSON values."""
        owner = str(self.policy) if self.policy else f"Profile:{self.profile}"
        criteria = [each.to_json() for each in self.criteria]
        return {"policy": owner, "rule": self.rule, "action": self.action, "criteria": criteria}

    def __str__(self) -> str:
        shown = (str(each) for each in self.criteria if not (each.is_implied and each.holds))
        return f"{self.name}: {', '.join(shown)}"


def nearest_miss(misses: Iterable[Miss], flow: Flow, cluster: Cluster) -> NearMiss | None:
    """Return the rule that would have let the flow through and fails by the fewest criteria, the first of equals.

    A rule that allows comes before one that only passes to the next tier.
    """
    nearest = min(_candidates(misses, flow, cluster), default=None)
    if nearest is None:
        return None
    miss = nearest.miss
    rows = [row for check in nearest.checks for row in _criteria(check, flow, cluster)]
    ordered = tuple(sorted(rows, key=lambda row: not row.holds))
    action = "allow" if miss.rule.action is Action.ALLOW else "pass"
    return NearMiss(miss.policy, miss.profile, miss.rule.index, action, ordered)


class _Candidate(NamedTuple):
    """Sorts by how near it is, then by place; the rest never decides."""

    only_passes: bool
    failed: int
    held: int
    place: int
    checks: tuple[Check, ...]
    miss: Miss


def _candidates(misses: Iterable[Miss], flow: Flow, cluster: Cluster) -> Iterator[_Candidate]:
    for place, miss in enumerate(misses):
        if miss.rule.action in (Action.ALLOW, Action.PASS):
            tried = checks(miss.rule, flow, cluster.membership)
            held = sum(check.holds for check in tried)
            yield _Candidate(miss.rule.action is Action.PASS, len(tried) - held, -held, place, tried, miss)


def _criteria(check: Check, flow: Flow, cluster: Cluster) -> Iterator[Criterion]:
    if check.field in _OF_SETS:
        yield from _OF_SETS[check.field](check, flow, cluster)
    else:
        wanted, found = _OF_VALUES[check.field](check, flow, cluster)
        yield Criterion(check.side, check.field, wanted, check.holds, found)


# Criteria on the packet alone: what the rule wants and what the packet has.


def _protocol(check: Check, flow: Flow, cluster: Cluster) -> tuple[str, str]:
    wanted = protocol_name(check.wanted) if isinstance(check.wanted, int) else str(check.wanted)
    return wanted, f"it is {protocol_name(flow.protocol)}"


def _ip_version(check: Check, flow: Flow, cluster: Cluster) -> tuple[str, str]:
    return str(check.wanted), f"it is {flow.ip_version}"


def _icmp(check: Check, flow: Flow, cluster: Cluster) -> tuple[str, str]:
    assert isinstance(check.wanted, Icmp)
    wanted = "/".join(str(number) for number in check.wanted if number is not None)
    return wanted, f"it is {service_text(flow.protocol, flow.icmp_type, flow.icmp_code)}"


def _ports(check: Check, flow: Flow, cluster: Cluster) -> tuple[str, str]:
    port = flow.source_port if check.side == "source" else flow.destination_port
    found = f"port is {port}" if has_ports(flow.protocol) else f"{protocol_name(flow.protocol)} has no ports"
    return _listed(_port_text(each, cluster) for each in _members(check)), found


def _nets(check: Check, flow: Flow, cluster: Cluster) -> tuple[str, str]:
    return _listed(_members(check)), f"address is {_address(check, flow)}"


_OF_VALUES: dict[str, Callable[[Check, Flow, Cluster], tuple[str, str]]] = {
    "protocol": _protocol,
    "notProtocol": _protocol,
    "ipVersion": _ip_version,
    "icmp": _icmp,
    "notICMP": _icmp,
    "ports": _ports,
    "notPorts": _ports,
    "nets": _nets,
    "notNets": _nets,
}


# Criteria that became IP sets: told by the labels of whoever has the address.


def _sets(check: Check, flow: Flow, cluster: Cluster) -> Iterator[Criterion]:
    address = _address(check, flow)
    port = flow.source_port if check.side == "source" else flow.destination_port
    for set_id in _members(check):
        spec = cluster.ip_set(set_id)
        holds = check.holds or cluster.membership.contains(set_id, address, flow.protocol, port)
        if spec.selector is None:
            found = f"{address} {service_text(flow.protocol)}/{port} is none of its endpoints"
            yield Criterion(check.side, "services", spec.service, holds, found)
            continue
        labels = _labels(address, cluster)
        told = conditions(spec.selector, labels)
        if labels is None and len(told) > 1:
            told = tuple(each for each in told if not each.is_implied)
        for each in told:
            yield _selected(check.side, each, address, holds=holds or each.holds)


def _selected(side: str, condition: Condition, address: IPAddress, *, holds: bool) -> Criterion:
    found = condition.found or f"no endpoint has {address}"
    return Criterion(side, "selector", condition.wanted, holds, found, condition.label, condition.is_implied)


def _not_sets(check: Check, flow: Flow, cluster: Cluster) -> Iterator[Criterion]:
    address = _address(check, flow)
    labels = _labels(address, cluster)
    for set_id in _members(check):
        selector = cluster.ip_set(set_id).selector
        assert selector is not None, "services have no negative form"
        told = conditions(selector, labels)
        wanted = " && ".join(each.wanted for each in told)
        found = ", ".join(dict.fromkeys(each.found for each in told if each.found)) or f"{address} is in a network set"
        yield Criterion(check.side, "notSelector", wanted, check.holds, found)


_OF_SETS: dict[str, Callable[[Check, Flow, Cluster], Iterator[Criterion]]] = {
    "sets": _sets,
    "portSets": _sets,
    "notSets": _not_sets,
}


def _members(check: Check) -> tuple[Any, ...]:
    assert isinstance(check.wanted, tuple)
    return check.wanted


def _address(check: Check, flow: Flow) -> IPAddress:
    return flow.source if check.side == "source" else flow.destination


def _labels(address: IPAddress, cluster: Cluster) -> Labels | None:
    owner = cluster.endpoint_of_address(address)
    return cluster.labels(owner) if owner else None


def _port_text(port: tuple[int, int] | IPSetID, cluster: Cluster) -> str:
    if isinstance(port, str):
        return cluster.ip_set(port).named_port
    first, last = port
    return str(first) if first == last else f"{first}:{last}"


def _listed(items: Iterable[str]) -> str:
    texts = list(items)
    shown = ", ".join(texts[:_MANY])
    return f"{shown} and {len(texts) - _MANY} more" if len(texts) > _MANY else shown
