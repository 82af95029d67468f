# SPDX-License-Identifier: Apache-2.0
"""Checks of policies, tiers and profiles (spec/validation.md sections 4.6 and 4.7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from percale.resources.checks.metadata import check_plain_labels
from percale.resources.checks.rules import GLOBAL_CALL, RULES
from percale.resources.checks.schema import all_of, count, enum, length, whole
from percale.resources.checks.site import Check, Rulebook, Site, each, states
from percale.resources.checks.tokens import DNS_LABEL, one_of, token, unique
from percale.resources.network_policy import (
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    NetworkPolicy,
    NetworkPolicySpec,
)
from percale.resources.profile import ProfileSpec
from percale.resources.staged_policy import (
    StagedGlobalNetworkPolicy,
    StagedGlobalNetworkPolicySpec,
    StagedNetworkPolicy,
    StagedNetworkPolicySpec,
)
from percale.resources.tier import BUILT_IN_TIERS, Tier, TierSpec

__all__ = ["POLICY", "PROFILE", "STAGED_ACTIONS", "TIER", "staged_delete"]

STAGED_ACTIONS = ("Set", "Delete", "Learn", "Ignore")
_LABEL = DNS_LABEL.pattern
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})?")
_NAMESPACED_NAME = re.compile(rf"{_NAME.pattern}|(knp|ossg)\.default\.{_LABEL}(\.{_LABEL})*")
_TYPES = ("Ingress", "Egress")


def _policy_name(pattern: re.Pattern[str]) -> Check:
    def check(site: Site) -> None:
        name = site.value.name
        here = site.at("metadata").at("name")
        if name and pattern.fullmatch(name) is None:
            here.refuse(
                f"{name!r} is not a name for a policy",
                "use one or two parts of lower-case letters, digits and '-', joined by one '.'",
                name="Metadata.Name",
                reason="name must consist of one or two parts of lower case alphanumeric characters or '-'",
            )

    return check


def _types(cited: str) -> Check:
    @states("a list without repeated items", uniqueItems=True)
    def check(site: Site) -> None:
        types = site.value
        twice = next((one for one in types if types.count(one) > 1), None)
        if twice is not None:
            site.refuse(
                f"{twice!r} stands twice", "name it once", name=cited, reason=f"'{twice}' type specified more than once"
            )

    return check


def _directions(site: Site) -> None:
    for index, rule in enumerate(site.value.egress):
        here = site.at("egress").item(index)
        if rule.source.services is not None:
            here.at("source").at("services").refuse(
                "services cannot be the source of egress", name="Services", value=None
            )
        if rule.http is not None:
            here.at("http").refuse("http is for ingress rules only", "remove http", name="HTTP", value=None)
    for index, rule in enumerate(site.value.ingress):
        if rule.destination.services is not None:
            here = site.at("ingress").item(index).at("destination").at("services")
            here.refuse("services cannot be the destination of ingress", name="Services", value=None)


def _service_namespaces(site: Site) -> None:
    for direction, side in (("egress", "destination"), ("ingress", "source")):
        for index, rule in enumerate(getattr(site.value, direction)):
            services = getattr(rule, side).services
            if services is not None and not services.namespace:
                site.at(direction).item(index).at(side).at("services").at("namespace").refuse(
                    "a global policy names the service's namespace", "add services.namespace", name="Namespace"
                )


def _global_spec(site: Site) -> None:
    _directions(site)
    _service_namespaces(site)


def staged_delete(site: Site, spare: Iterable[str], cited: str) -> None:
    """Refuse members beside ``stagedAction: Delete``."""
    spec = site.value
    if spec.staged_action != "Delete":
        return
    extra = [
        name
        for name in spec.__struct_fields__
        if name not in {"staged_action", *spare} and not _is_zero(getattr(spec, name))
    ]
    if extra:
        here = site.at(extra[0])
        here.refuse(
            "stagedAction Delete takes no other fields", "remove it, or use stagedAction Set", name=cited, value=None
        )


def _is_zero(value: Any) -> bool:
    # An order of 0 is an order: optional numbers are absent only when they are None.
    return value is None or value is False or value in ("", (), {})


def _staged(cited: str, also: Check) -> Check:
    def check(site: Site) -> None:
        also(site)
        staged_delete(site, ("tier", "types"), cited)

    return check


def _selectors_without_global(names: tuple[str, ...]) -> Check:
    def check(site: Site) -> None:
        for name in names:
            if GLOBAL_CALL in getattr(site.value, name):
                member = site.at(name).path.removeprefix("spec.")
                whole(site, f"{member} cannot use global()", "it chooses endpoints, not peers")

    return check


def _host_policy(site: Site) -> None:
    spec = site.value
    if spec.pre_dnat and spec.do_not_track:
        whole(site, "preDNAT and doNotTrack cannot both be true", "use two policies")
    if spec.pre_dnat and spec.egress:
        whole(site, "preDNAT policies have no egress rules", "move the egress rules to another policy")
    if spec.pre_dnat and "Egress" in spec.types:
        whole(site, "preDNAT policies have type Ingress only", "remove Egress from types")
    if (spec.pre_dnat or spec.do_not_track) and not spec.apply_on_forward:
        whole(site, "preDNAT and doNotTrack need applyOnForward", "add applyOnForward: true")


_token_selector = token("selector")
_hints = all_of(unique, each(one_of("AssumeNeededOnEveryNode")))
_MEMBERS: dict[str, Check] = {
    "tier": token("name"),
    "selector": _token_selector,
    "service_account_selector": _token_selector,
    "performance_hints": _hints,
}
_SCHEMA: dict[str, Check] = {
    "ingress": count(1024),
    "egress": count(1024),
    "selector": length(1024),
    "types": all_of(count(2), each(enum(*_TYPES, written=True))),
    "service_account_selector": length(1024),
    "performance_hints": each(enum("AssumeNeededOnEveryNode", written=True)),
}
_NAMESPACED = {**_MEMBERS, "types": _types("NetworkPolicySpec.Types")}
_GLOBAL = {**_MEMBERS, "types": _types("GlobalNetworkPolicySpec.Types"), "namespace_selector": _token_selector}
_GLOBAL_SCHEMA = {**_SCHEMA, "namespace_selector": length(1024)}
_STAGED_SCHEMA = {"staged_action": enum(*STAGED_ACTIONS)}
_namespaced_global = _selectors_without_global(("selector", "service_account_selector"))
_global_global = all_of(
    _selectors_without_global(("selector", "service_account_selector", "namespace_selector")), _host_policy
)

POLICY = RULES | Rulebook(
    members={
        NetworkPolicySpec: _NAMESPACED,
        StagedNetworkPolicySpec: _NAMESPACED,
        GlobalNetworkPolicySpec: _GLOBAL,
        StagedGlobalNetworkPolicySpec: _GLOBAL,
    },
    structures={
        NetworkPolicy: _policy_name(_NAMESPACED_NAME),
        StagedNetworkPolicy: _policy_name(_NAMESPACED_NAME),
        GlobalNetworkPolicy: _policy_name(_NAME),
        StagedGlobalNetworkPolicy: _policy_name(_NAME),
        NetworkPolicySpec: _directions,
        StagedNetworkPolicySpec: _staged("StagedNetworkPolicySpec", _directions),
        GlobalNetworkPolicySpec: _global_spec,
        StagedGlobalNetworkPolicySpec: _staged("StagedGlobalNetworkPolicySpec", _global_spec),
    },
    schema={
        NetworkPolicySpec: _SCHEMA,
        StagedNetworkPolicySpec: {**_STAGED_SCHEMA, **_SCHEMA},
        GlobalNetworkPolicySpec: _GLOBAL_SCHEMA,
        StagedGlobalNetworkPolicySpec: {**_STAGED_SCHEMA, **_GLOBAL_SCHEMA},
    },
    schema_rules={
        NetworkPolicySpec: _namespaced_global,
        StagedNetworkPolicySpec: _namespaced_global,
        GlobalNetworkPolicySpec: _global_global,
        StagedGlobalNetworkPolicySpec: _global_global,
    },
)


def _tier_name(site: Site) -> None:
    name = site.value.name
    here = site.at("metadata").at("name")
    words = "name must consist of lower case alphanumeric characters or '-' (regex: [a-z0-9]([-a-z0-9]*[a-z0-9])?)"
    if len(name.encode()) > 63:
        here.refuse(f"has {len(name.encode())} characters; at most 63 are allowed", name="Metadata.Name")
    if name and DNS_LABEL.fullmatch(name) is None:
        here.refuse(
            f"{name!r} is not a name for a tier",
            "use lower-case letters, digits and '-'; no '.'",
            name="Metadata.Name",
            reason=words,
        )


def _default_action(site: Site) -> None:
    if site.value is None:
        return
    enum("Pass", "Deny", written=True)(site)
    if site.value not in ("Pass", "Deny"):
        site.refuse(
            f"{site.value!r} is not an action for the end of a tier",
            name="Tier",
            reason='"spec.defaultAction" must validate all the schemas (allOf)',
            value=None,
        )
    if site.value not in ("Allow", "Deny", "Log", "Pass"):
        enum("Allow", "Deny", "Log", "Pass", written=True)(site)


def _tier_default_action(site: Site) -> None:
    if site.value is not None and site.value not in ("Deny", "Pass"):
        site.refuse(
            f"{site.value!r} is not one of Deny, Pass",
            reason="Reason: failed to validate Field: DefaultAction because of Tag: oneof ",
        )


def _built_in_tier(site: Site) -> None:
    tier = site.value
    if tier.name not in BUILT_IN_TIERS:
        return
    order, action = BUILT_IN_TIERS[tier.name]
    if tier.spec.default_action != action:
        reason = f"{tier.name} tier default action must be {action}"
        site.at("spec").at("default_action").refuse(
            f"the built-in tier has {action}", "it cannot be changed", name="Tier", reason=reason, value=None
        )
    if tier.spec.order != order:
        reason = f"{tier.name} tier order must be {order}"
        site.at("spec").at("order").refuse(
            f"the built-in tier has order {order}", "it cannot be changed", name="Tier", reason=reason, value=None
        )


TIER = Rulebook(
    members={TierSpec: {"default_action": _tier_default_action}},
    structures={Tier: _tier_name},
    schema={TierSpec: {"default_action": _default_action}},
    schema_rules={Tier: _built_in_tier},
)


PROFILE = Rulebook(
    members={**RULES.members, ProfileSpec: {"labels_to_apply": check_plain_labels}}, structures=RULES.structures
)
