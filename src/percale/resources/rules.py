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

    type: int | None = None
    code: int | None = None


class ServiceMatch(Value, frozen=True, kw_only=True):
    """The endpoints of one Kubernetes Service; no namespace means the policy's own."""

    name: str = ""
    namespace: str = ""


class ServiceAccountMatch(Value, frozen=True, kw_only=True):
    """Workloads that run as one of the named service accounts and whose account matches the selector."""

    names: tuple[str, ...] = ()
    selector: str = ""  #: Only endpoints and network sets that match.


class HTTPPath(Value, frozen=True, kw_only=True):
    """A request path, whole or by its beginning."""

    exact: str = ""
    prefix: str = ""


class HTTPMatch(Value, frozen=True, kw_only=True):
    """Methods and paths of HTTP requests; empty lists match all."""

    methods: tuple[str, ...] = ()
    paths: tuple[HTTPPath, ...] = ()


class RuleMetadata(Value, frozen=True, kw_only=True):
    """Annotations that travel with a rule."""

    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class EntityRule(Canonical, frozen=True, kw_only=True):
    """One side of a flow; every member that is present must match."""

    nets: tuple[str, ...] = ()  #: Only addresses in one of these networks.
    selector: str = ""  #: Only endpoints and network sets that match.
    namespace_selector: str = ""  #: Only endpoints in namespaces that match; global() means those without one.
    services: ServiceMatch | None = None  #: Only the endpoints of this Service.
    ports: tuple[Port, ...] = ()  #: Only these ports.
    not_nets: tuple[str, ...] = ()  #: Only addresses in none of these networks.
    not_selector: str = ""  #: Only endpoints and network sets that do not match.
    not_ports: tuple[Port, ...] = ()  #: Only other ports.
    service_accounts: ServiceAccountMatch | None = None  #: Only pods that run as one of these accounts.


ANY_ENTITY = EntityRule()


def _entity(value: EntityRule) -> EntityRule:
    # Empty sides are left out of the JSON text; msgspec knows them by identity.
    return ANY_ENTITY if value is ANY_ENTITY or value == ANY_ENTITY else value


class Rule(Canonical, frozen=True, kw_only=True):
    """What to do (``Allow``, ``Deny``, ``Log``, ``Pass``) with a flow that matches every member."""

    canonical: ClassVar = {"source": _entity, "destination": _entity}

    action: str = written(str)  #: What happens to a flow that matches: Allow, Deny, Log or Pass to the next tier.
    ip_version: int | None = None  #: Only flows of IP version 4 or 6.
    protocol: Protocol | None = None  #: Only flows of this protocol.
    icmp: ICMPFields | None = None  #: Only this ICMP type and code.
    not_protocol: Protocol | None = None  #: Only flows of other protocols.
    not_icmp: ICMPFields | None = None  #: Only other ICMP types or codes.
    source: EntityRule = ANY_ENTITY  #: Where the flow comes from.
    destination: EntityRule = ANY_ENTITY  #: Where the flow goes to.
    http: HTTPMatch | None = None  #: Only such requests; for agents on the application layer.
    metadata: RuleMetadata | None = None
