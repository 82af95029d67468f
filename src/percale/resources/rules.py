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
    selector: str = ""


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

    nets: tuple[str, ...] = ()
    selector: str = ""
    namespace_selector: str = ""
    services: ServiceMatch | None = None
    ports: tuple[Port, ...] = ()
    not_nets: tuple[str, ...] = ()
    not_selector: str = ""
    not_ports: tuple[Port, ...] = ()
    service_accounts: ServiceAccountMatch | None = None


ANY_ENTITY = EntityRule()


def _entity(value: EntityRule) -> EntityRule:
    # Empty sides are left out of the JSON text; msgspec knows them by identity.
    return ANY_ENTITY if value is ANY_ENTITY or value == ANY_ENTITY else value


class Rule(Canonical, frozen=True, kw_only=True):
    """What to do (``Allow``, ``Deny``, ``Log``, ``Pass``) with a flow that matches every member."""

    canonical: ClassVar = {"source": _entity, "destination": _entity}

    action: str = written(str)
    ip_version: int | None = None
    protocol: Protocol | None = None
    icmp: ICMPFields | None = None
    not_protocol: Protocol | None = None
    not_icmp: ICMPFields | None = None
    source: EntityRule = ANY_ENTITY
    destination: EntityRule = ANY_ENTITY
    http: HTTPMatch | None = None
    metadata: RuleMetadata | None = None
