# SPDX-License-Identifier: Apache-2.0
"""Rules that tell a list written empty from one that is absent; only a document knows (spec/validation.md 4.6)."""

from __future__ import annotations

from collections.abc import Collection

from percale.errors import Problem
from percale.resources.resource import Resource

__all__ = ["presence_problems"]

_TOLERATED = {"spec.types"}
_STAGED = {"StagedNetworkPolicy", "StagedGlobalNetworkPolicy", "StagedKubernetesNetworkPolicy"}


def presence_problems(resource: Resource, empty_lists: Collection[str]) -> list[Problem]:
    """Return what is wrong with the presence or absence of lists.

    ``empty_lists`` are the paths of those that are written empty.
    """
    if resource.kind in _STAGED and resource.spec.staged_action == "Delete":
        return [
            Problem(
                path=path,
                message="stagedAction Delete takes no other fields, not even an empty list",
                hint="remove it",
                rule="presence",
                calico_name=f"{resource.kind}Spec",
                calico_reason="Spec fields, except Tier, should all be zero-value if stagedAction is Delete",
            )
            for path in sorted(empty_lists)
            if path.startswith("spec.") and path not in _TOLERATED
        ]
    if resource.kind == "CalicoNodeStatus" and not resource.spec.classes and "spec.classes" not in empty_lists:
        return [
            Problem(
                path="spec.classes",
                message="is required",
                hint="name at least one of Agent, BGP, Routes",
                rule="presence",
                calico_name="Classes",
                calico_reason="Reason: failed to validate Field: Classes because of Tag: required ",
            )
        ]
    return []
