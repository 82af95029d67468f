# SPDX-License-Identifier: Apache-2.0
"""Rules, shared by all policies and by profiles (spec/resources.md section 4)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from percale.resources.fields import Port, Protocol
from percale.resources.value import Canonical, Value, written

__all__ = [
    "EntityRule",
    "HTTPMatch",
    "HTTPPath",
    "ICMPFields",
    "Rule",
    "RuleMetadata",
    "ServiceAccountMatch",
    "ServiceMatch",
]


class ICMPFields(Value, frozen=True, kw_only=True):
    """An ICMP type and, within it, a code."""

    type: int | None = None  #: The ICMP type; any unless given.
    code: int | None = None  #: The ICMP code within the type; any unless given.


class ServiceMatch(Value, frozen=True, kw_only=True):
    """The endpoints of one Kubernetes Service; no namespace means the policy's own."""

    name: str = ""  #: The name of the Service.
    namespace: str = ""  #: The namespace of the Service; the policy's own unless given, required in global policies.


class ServiceAccountMatch(Value, frozen=True, kw_only=True):
    """Workloads that run as one of the named service accounts and whose account matches the selector."""

    names: tuple[str, ...] = ()  #: Only workloads that run as one of these accounts; any unless given.
    selector: str = ""  #: Only workloads whose account has labels that match; any unless given.


class HTTPPath(Value, frozen=True, kw_only=True):
    """A request path, whole or by its beginning."""

    exact: str = ""  #: The whole path of the request.
    prefix: str = ""  #: The beginning of the path of the request.


class HTTPMatch(Value, frozen=True, kw_only=True):
    """Methods and paths of HTTP requests; empty lists match all."""

    methods: tuple[str, ...] = ()  #: Only requests with one of these methods; any unless given.
    paths: tuple[HTTPPath, ...] = ()  #: Only requests with one of these paths; any unless given.


class RuleMetadata(Value, frozen=True, kw_only=True):
    """Annotations that travel with a rule."""

    #: Names and values that travel with the rule; they change nothing.
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class EntityRule(Canonical, frozen=True, kw_only=True):
    """One side of a flow; every member that is present must match."""

    nets: tuple[str, ...] = ()  #: Only addresses in one of these networks, each a CIDR with its prefix length.
    #: Only endpoints and network sets that match; of the policy's namespace, unless namespaceSelector says another.
    selector: str = ""
    #: Only endpoints and network sets in namespaces that match; global() means those without one.
    namespace_selector: str = ""
    services: ServiceMatch | None = None  #: Only the endpoints of this Service and, in egress rules, its ports.
    #: Only these ports: numbers, ranges such as 8000:8080, or names of ports of the endpoint.
    ports: tuple[Port, ...] = ()
    not_nets: tuple[str, ...] = ()  #: Only addresses in none of these networks, each a CIDR with its prefix length.
    not_selector: str = ""  #: Only addresses that no matching endpoint or network set has.
    not_ports: tuple[Port, ...] = ()  #: Only other ports than these numbers, ranges and names.
    service_accounts: ServiceAccountMatch | None = None  #: Only pods that run as one of these accounts.


ANY_ENTITY = EntityRule()


def _entity(value: EntityRule) -> EntityRule:
    # Empty sides are left out of the JSON text; msgspec knows them by identity.
    return ANY_ENTITY if value is ANY_ENTITY or value == ANY_ENTITY else value


class Rule(Canonical, frozen=True, kw_only=True):
    """What to do (``Allow``, ``Deny``, ``Log``, ``Pass``) with a flow that matches every member."""

    canonical: ClassVar = {"source": _entity, "destination": _entity}

    #: What happens to a flow that matches: Allow, Deny, Pass to the next tier, or Log and go on.
    action: str = written(str)
    ip_version: int | None = None  #: Only flows of IP version 4 or 6; both unless given.
    protocol: Protocol | None = None  #: Only flows of this protocol; any unless given.
    icmp: ICMPFields | None = None  #: Only this ICMP type and code; needs protocol ICMP or ICMPv6.
    not_protocol: Protocol | None = None  #: Only flows of other protocols.
    not_icmp: ICMPFields | None = None  #: Only other ICMP types or codes.
    source: EntityRule = ANY_ENTITY  #: Where the flow comes from; anywhere unless given.
    destination: EntityRule = ANY_ENTITY  #: Where the flow goes to; anywhere unless given.
    #: Only such HTTP requests, in Allow rules for ingress; a packet filter does not look at it.
    http: HTTPMatch | None = None
    metadata: RuleMetadata | None = None  #: Annotations that travel with the rule.
