# SPDX-License-Identifier: Apache-2.0
"""Validation: every rule of spec/validation.md, every problem at once, in our words and with Calico's names."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

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
        found += (problem.replace(cited=problem.cited and not stopped) for problem in stage)
    return tuple(_once(found)) if found else ()


def ensure(resource: Resource, **how: Any) -> None:
    """Raise ValidationError with all problems that ``check`` finds, if there are any."""
    problems = check(resource, **how)
    if problems:
        raise ValidationError(problems)


def _content(resource: Resource, *, people: bool, schema: bool) -> list[Problem]:
    visit = _Visit((resource.kind, people, schema))
    visit.structure(Site(_as_written(resource), visit.found, people))
    return visit.found + visit.schema_found + visit.schema_rules_found


def _as_written(resource: Resource) -> Resource:
    """The resource without the labels that the store adds to endpoints: a namespace need not be a label's value."""
    if resource.kind != "WorkloadEndpoint":
        return resource
    added = {NAMESPACE_LABEL: resource.namespace, ORCHESTRATOR_LABEL: resource.spec.orchestrator}
    own = {key: value for key, value in resource.labels.items() if added.get(key) != value}
    return resource if len(own) == len(resource.labels) else resource.with_metadata(labels=own)


class _Visit:
    """One way through a resource: members in their order, depth first, each structure after its members.

    What the checks find is kept apart by layer, because Calico tells all of one before the next.
    """

    __slots__ = ("_manner", "found", "schema_found", "schema_rules_found")

    def __init__(self, manner: _Manner) -> None:
        self._manner = manner
        self.found: list[Problem] = []
        self.schema_found: list[Problem] = []
        self.schema_rules_found: list[Problem] = []

    def structure(self, site: Site) -> None:
        """Visit a structure and all below it."""
        value: Value = site.value
        plan = _plan(self._manner, type(value))
        for name, silent, checks, passed in plan.members:
            member = getattr(value, name)
            if type(member) is str:
                if member not in passed:
                    self._text(site.at(name), checks, passed)
            elif member != silent:
                self.member(site.at(name), checks)
        if plan.whole is not None:
            plan.whole(site)
        if plan.schema_rule is not None:
            site.found = self.schema_rules_found
            plan.schema_rule(site)

    def _text(self, site: Site, checks: _Checks, passed: set[Any]) -> None:
        """Visit a member that is a text, and remember one of which nothing was to be said: texts repeat."""
        before = self._count
        self.member(site, checks)
        if len(site.value) <= _LONGEST_PASSED:
            self._remember(site, before, passed)

    def _item(self, site: Site) -> None:
        """Visit a structure in a list, and remember it likewise: rules repeat from policy to policy."""
        value: Value = site.value
        passed = _plan(self._manner, type(value)).passed
        try:
            if value in passed:
                return
        except TypeError:  # it holds a map
            self.structure(site)
            return
        before = self._count
        self.structure(site)
        self._remember(site, before, passed)

    @property
    def _count(self) -> int:
        return len(self.found) + len(self.schema_found) + len(self.schema_rules_found)

    def _remember(self, site: Site, before: int, passed: set[Any]) -> None:
        if self._count == before and len(passed) < _MOST_PASSED:
            passed.add(site.value)

    def member(self, site: Site, checks: _Checks) -> None:
        """Visit a member by its own checks, then what is below it."""
        own, schema = checks
        if own is not None:
            own(site)
        if schema is not None:
            site.found = self.schema_found
            schema(site)
            site.found = self.found
        value = site.value
        if isinstance(value, Value):
            self.structure(site)
        elif isinstance(value, tuple) and value and isinstance(value[0], Value):
            for index in range(len(value)):
                self._item(site.item(index))


_Manner: TypeAlias = tuple[str, bool, bool]
"""How a resource is judged: as one of which kind, whether people wrote it, whether by the second layer too."""
_Checks: TypeAlias = tuple[Check | None, Check | None]
"""What a member has to pass in the two layers."""
_NEVER: Any = object()
_MOST_PASSED, _LONGEST_PASSED = 1024, 256


class _Plan(NamedTuple):
    """What is to be done with a structure of one type.

    With the name of each member stand the value of which no check ever says anything, the checks, and the texts that
    have passed them in this manner; ``passed`` are whole structures that have.
    """

    members: tuple[tuple[str, Any, _Checks, set[Any]], ...]
    passed: set[Any]
    whole: Check | None
    schema_rule: Check | None


@cache
def _plan(manner: _Manner, structure: type[Value]) -> _Plan:
    kind, _, with_schema = manner
    book = rulebook(kind)
    own, schema = book.members.get(structure, {}), book.schema.get(structure, {}) if with_schema else {}
    absent = structure()
    members = []
    for name in structure.__struct_fields__:
        checks = own.get(name), schema.get(name)
        below = not isinstance(getattr(absent, name), str | int | dict)
        if below or any(checks):
            silent = _silent(kind, absent, name, checks)
            members.append((name, silent, checks, {silent} if isinstance(silent, str) else set()))
    schema_rule = book.schema_rules.get(structure) if book.schema and with_schema else None
    return _Plan(tuple(members), set(), book.structures.get(structure), schema_rule)


def _silent(kind: str, absent: Value, name: str, checks: _Checks) -> Any:
    """What a member is when nobody writes it, if that passes.

    A check sees one value and what is below it, nothing around it: having passed once, the value always passes.
    """
    visit = _Visit((kind, True, True))
    visit.member(Site(absent, visit.found, people=True).at(name), checks)
    found = visit.found or visit.schema_found or visit.schema_rules_found
    return _NEVER if found else getattr(absent, name)


def _once(found: Iterable[Problem]) -> list[Problem]:
    """Show people one problem per place; the others only carry Calico's names."""
    seen: set[str] = set()
    problems = []
    for problem in found:
        shown = problem.shown and (problem.path not in seen or problem.path in {"", "spec"})
        seen.add(problem.path)
        problems.append(problem if shown == problem.shown else problem.replace(shown=shown))
    return problems


@cache
def rulebook(kind: str) -> Rulebook:
    """Return the checks of a kind."""
    if kind not in _BOOKS:
        return METADATA
    module, name = _BOOKS[kind]
    book: Rulebook = getattr(import_module(f"percale.resources.checks.{module}"), name)
    return METADATA | book
