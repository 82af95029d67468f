# SPDX-License-Identifier: Apache-2.0
"""Checks of staged Kubernetes policies (spec/validation.md section 4.6)."""

from __future__ import annotations

from percale.resources.checks.policies import STAGED_ACTIONS
from percale.resources.checks.schema import count, enum
from percale.resources.checks.site import Rulebook, Site
from percale.resources.fields import port as canonical_port
from percale.resources.staged_kubernetes_policy import (
    LabelSelector,
    NetworkPolicyPort,
    StagedKubernetesNetworkPolicySpec,
)

__all__ = ["STAGED_KUBERNETES"]

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def _spec(site: Site) -> None:
    spec = site.value
    if spec.staged_action == "Delete":
        _nothing_else(site)
        return
    for direction in ("ingress", "egress"):
        for index, rule in enumerate(getattr(spec, direction)):
            here = site.at(direction).item(index)
            for position in range(len(rule.ports)):
                _port(here.at("ports").item(position))
            peers = here.at("from_" if direction == "ingress" else "to")
            for position in range(len(peers.value)):
                _peer(peers.item(position))


def _nothing_else(site: Site) -> None:
    spec = site.value
    extra = [
        name
        for name in ("ingress", "egress", "policy_types", "pod_selector")
        if getattr(spec, name) not in ((), LabelSelector())
    ]
    if extra:
        site.at(extra[0]).refuse(
            "stagedAction Delete takes no other fields",
            "remove it, or use stagedAction Set",
            name="StagedKubernetesNetworkPolicySpec",
            value=None,
        )


def _port(site: Site) -> None:
    port: NetworkPolicyPort = site.value
    try:
        canonical_port(port.port or "any")
    except ValueError as error:
        _refuse(site.at("port"), str(error), "")
    if port.end_port is None:
        return
    if not isinstance(port.port, int):
        _refuse(site.at("end_port"), "endPort needs a numeric port", "add port")
    elif port.end_port < port.port:
        _refuse(site.at("end_port"), f"endPort {port.end_port} is less than port {port.port}", "swap them")


def _peer(site: Site) -> None:
    for name in ("pod_selector", "namespace_selector"):
        selector = getattr(site.value, name)
        for index, requirement in enumerate(selector.match_expressions if selector else ()):
            if requirement.operator not in _OPERATORS:
                here = site.at(name).at("match_expressions").item(index).at("operator")
                _refuse(here, f"{requirement.operator!r} is not an operator", f"use {', '.join(_OPERATORS)}")


def _refuse(site: Site, message: str, hint: str) -> None:
    site.refuse(message, hint, name="PolicySpec", value=None)


STAGED_KUBERNETES = Rulebook(
    structures={StagedKubernetesNetworkPolicySpec: _spec},
    schema={
        StagedKubernetesNetworkPolicySpec: {
            "staged_action": enum(*STAGED_ACTIONS),
            "policy_types": count(2),
        }
    },
)
