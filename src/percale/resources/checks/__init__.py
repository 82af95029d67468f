# SPDX-License-Identifier: Apache-2.0
"""Validation: every rule of spec/validation.md, every problem at once, in our words and with Calico's names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

from percale.errors import Problem, ValidationError
from percale.resources.checks.metadata import METADATA
from percale.resources.checks.request import after, before
from percale.resources.checks.site import Check, Rulebook, Site
from percale.resources.defaults import NAMESPACE_LABEL, ORCHESTRATOR_LABEL
from percale.resources.resource import Resource
from percale.resources.value import Value

__all__ = ["check", "ensure", "rulebook"]

# Which rulebooks each kind needs: module and name; a module is imported with the first resource that needs it.
_BOOKS: dict[str, tuple[str, str]] = {
    "WorkloadEndpoint": ("endpoints", "WORKLOAD_ENDPOINT"),
    "HostEndpoint": ("endpoints", "HOST_ENDPOINT"),
    "NetworkPolicy": ("policies", "POLICY"),
    "GlobalNetworkPolicy": ("policies", "POLICY"),
    "StagedNetworkPolicy": ("policies", "POLICY"),
    "StagedGlobalNetworkPolicy": ("policies", "POLICY"),
    "StagedKubernetesNetworkPolicy": ("staged", "STAGED_KUBERNETES"),
    "Tier": ("policies", "TIER"),
    "Profile": ("policies", "PROFILE"),
    "NetworkSet": ("networks", "NETWORK_SET"),
    "GlobalNetworkSet": ("networks", "NETWORK_SET"),
    "IPPool": ("networks", "IP_POOL"),
    "IPReservation": ("networks", "IPAM"),
    "IPAMConfiguration": ("networks", "IPAM"),
    "BlockAffinity": ("networks", "IPAM"),
    "Node": ("nodes", "NODE"),
    "KubeControllersConfiguration": ("nodes", "CONTROLLERS"),
    "CalicoNodeStatus": ("nodes", "NODE_STATUS"),
    "FelixConfiguration": ("felix", "FELIX"),
    "BGPPeer": ("bgp", "BGP"),
    "BGPConfiguration": ("bgp", "BGP"),
    "BGPFilter": ("bgp", "BGP"),
}


def check(
    resource: Resource,
    *,
    operation: str = "create",
    people: bool = True,
    schema: bool = True,
) -> tuple[Problem, ...]:
    """Return every problem of a resource that has its defaults; an empty tuple means that it may be written.

    ``operation`` is ``create``, ``update`` or ``validate`` (offline: the endpoint's name is not compared). ``people``:
    a person wrote it, so port names must be unique. ``schema`` includes the second layer, which with the Kubernetes
    datastore the API server applies. What needs other resources, or the stored one, is checked by ``percale.client``.
    """
    found: list[Problem] = []
    for stage in (before(resource, operation), _content(resource, people=people, schema=schema), after(resource)):
        # Calico stops at the first stage that finds something; people want to know all of it.
        stopped = any(problem.cited for problem in found)
        found += (replace(problem, cited=problem.cited and not stopped) for problem in stage)
    return tuple(_once(found))


def ensure(resource: Resource, **how: Any) -> None:
    """Raise ValidationError with all problems that ``check`` finds, if there are any."""
    problems = check(resource, **how)
    if problems:
        raise ValidationError(problems)


def _content(resource: Resource, *, people: bool, schema: bool) -> list[Problem]:
    book = rulebook(resource.kind)
    found: list[Problem] = []
    root = Site("", "", _as_written(resource), found, people)
    _walk(root, book.members, book.structures)
    if schema and book.schema:
        _walk(root, book.schema, {})
        _walk(root, {}, book.schema_rules)
    return found


def _as_written(resource: Resource) -> Resource:
    """The resource without the labels that the store adds to endpoints: a namespace need not be a label's value."""
    if resource.kind != "WorkloadEndpoint":
        return resource
    added = {NAMESPACE_LABEL: resource.namespace, ORCHESTRATOR_LABEL: resource.spec.orchestrator}
    own = {key: value for key, value in resource.labels.items() if added.get(key) != value}
    return resource if len(own) == len(resource.labels) else resource.with_metadata(labels=own)


def _walk(site: Site, members: Any, structures: Any) -> None:
    """Visit members in their order, depth first, and each structure after its members."""
    value: Value = site.value
    checks: dict[str, Check] = members.get(type(value), {})
    for name in value.__struct_fields__:
        member = getattr(value, name)
        if (one := checks.get(name)) is not None:
            one(site.at(name))
        if member is None or isinstance(member, str):
            continue
        if isinstance(member, Value):
            _walk(site.at(name), members, structures)
        elif isinstance(member, tuple) and member and isinstance(member[0], Value):
            items = site.at(name)
            for index in range(len(member)):
                _walk(items.item(index), members, structures)
    if (whole := structures.get(type(value))) is not None:
        whole(site)


def _once(found: Iterable[Problem]) -> list[Problem]:
    """Show people one problem per place; the others only carry Calico's names."""
    seen: set[str] = set()
    problems = []
    for problem in found:
        shown = problem.shown and (problem.path not in seen or problem.path in {"", "spec"})
        seen.add(problem.path)
        problems.append(problem if shown == problem.shown else replace(problem, shown=shown))
    return problems


@cache
def rulebook(kind: str) -> Rulebook:
    """Return the checks of a kind."""
    if kind not in _BOOKS:
        return METADATA
    module, name = _BOOKS[kind]
    book: Rulebook = getattr(import_module(f"percale.resources.checks.{module}"), name)
    return METADATA | book
