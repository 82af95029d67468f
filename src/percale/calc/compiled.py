# SPDX-License-Identifier: Apache-2.0
"""The compiled form: policies and profiles whose selectors, named ports and services are references to IP sets.

It does not depend on a host. ``policy`` reads it to give verdicts, ``dataplane`` reads its projection on one host
(`percale.calc.host_state`) to render rules: two readers of one meaning (docs/design.md section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from percale.selectors import Selector

__all__ = [
    "Action",
    "CompiledPolicy",
    "CompiledProfile",
    "CompiledRule",
    "IPSetID",
    "IPSetKind",
    "IPSetSpec",
    "Icmp",
    "PolicyID",
    "PortRange",
    "RuleSide",
]

IPSetID: TypeAlias = str
"""Unique ID of an IP set: ``s:…`` selector, ``n:…`` named port, ``svc…:…`` service (spec/calculation.md R7)."""


class Action(StrEnum):
    """What a rule does with a packet that it matches, in the agent protocol's words (spec/calculation.md R15)."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "next-tier"
    LOG = "log"


class IPSetKind(StrEnum):
    """What the members of an IP set are: networks, or (address, protocol, port) triples."""

    NET = "net"
    IP_PORT = "ip-port"


@dataclass(frozen=True, slots=True)
class IPSetSpec:
    """What belongs in an IP set: the endpoints and network sets that ``selector`` matches, or their ports of one name.

    ``protocol`` is ``tcp``, ``udp``, ``sctp`` or ``any`` for a named port, else empty;
    ``service`` is ``namespace/name`` for the sets of a Kubernetes Service, whose ``selector`` is None.
    """

    id: IPSetID
    kind: IPSetKind
    selector: Selector | None = None
    named_port: str = ""
    protocol: str = ""
    service: str = ""


class PolicyID(NamedTuple):
    """Identity of a policy: policies of one name in different kinds or namespaces are distinct."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}" if self.namespace else f"{self.kind}:{self.name}"


class PortRange(NamedTuple):
    """Ports ``first`` to ``last``, both included."""

    first: int
    last: int


class Icmp(NamedTuple):
    """An ICMP type, and a code unless None."""

    type: int | None
    code: int | None = None


@dataclass(frozen=True, slots=True)
class RuleSide:
    """What a rule asks of a packet's source or destination; all that is set must match (spec/policy.md section 4).

    ``nets``, ``not_nets``: CIDR text. ``ip_sets``: the address is in all of them; ``not_ip_sets``: in none.
    ``named_port_sets`` are alternatives to ``ports``; ``not_named_port_sets`` go with ``not_ports``.
    ``ip_port_sets`` (destination only): (address, protocol, port) is in all of them.
    """

    nets: tuple[str, ...] = ()
    not_nets: tuple[str, ...] = ()
    ports: tuple[PortRange, ...] = ()
    not_ports: tuple[PortRange, ...] = ()
    ip_sets: tuple[IPSetID, ...] = ()
    not_ip_sets: tuple[IPSetID, ...] = ()
    named_port_sets: tuple[IPSetID, ...] = ()
    not_named_port_sets: tuple[IPSetID, ...] = ()
    ip_port_sets: tuple[IPSetID, ...] = ()


_ANY = RuleSide()


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule, ready to be evaluated or rendered.

    ``protocol``/``not_protocol`` are lower-case names as Calico's agents use them, or numbers; ``ip_version`` is filled
    from the protocol names ICMP and ICMPv6. ``index`` counts from 0 in the policy's list of this direction.
    ``http`` and ``annotations`` are carried along unchanged.
    """

    action: Action
    index: int = 0
    ip_version: int | None = None
    protocol: int | str | None = None
    not_protocol: int | str | None = None
    icmp: Icmp | None = None
    not_icmp: Icmp | None = None
    source: RuleSide = _ANY
    destination: RuleSide = _ANY
    http: object | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy of one tier: which endpoints (``selector``, the effective one) and which rules per direction.

    ``ingress``/``egress`` is None when the policy does not govern that direction (its types leave it out), which
    differs from an empty tuple: a policy that governs a direction without rules matches nothing there.
    """

    id: PolicyID
    tier: str
    order: float | None
    selector: Selector
    ingress: tuple[CompiledRule, ...] | None
    egress: tuple[CompiledRule, ...] | None
    staged: bool = False
    untracked: bool = False
    pre_dnat: bool = False
    apply_on_forward: bool = False
    needed_everywhere: bool = False

    @property
    def sort_key(self) -> tuple[float, str]:
        """Place inside the tier: order ascending, missing last, then name/namespace/kind (spec/policy.md section 3)."""
        order = float("inf") if self.order is None else self.order
        return order, f"{self.id.name}/{self.id.namespace}/{self.id.kind}"


@dataclass(frozen=True, slots=True)
class CompiledProfile:
    """A profile's rules; ``exists`` is False for the stand-in of one listed but absent: it denies everything."""

    name: str
    ingress: tuple[CompiledRule, ...]
    egress: tuple[CompiledRule, ...]
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    exists: bool = True
