# SPDX-License-Identifier: Apache-2.0
"""Tier: an ordered group of policies (spec/resources.md section 6)."""

from __future__ import annotations

from percale.resources.conditions import Conditions
from percale.resources.fields import Number
from percale.resources.resource import Resource
from percale.resources.value import Canonical, written

__all__ = ["BUILT_IN_TIERS", "DEFAULT_TIER", "Tier", "TierSpec"]

DEFAULT_TIER = "default"
BUILT_IN_TIERS = {"default": (1_000_000, "Deny"), "kube-admin": (1_000, "Pass"), "kube-baseline": (10_000_000, "Pass")}
"""Order and default action of the tiers that every datastore has; neither can be changed."""


class TierSpec(Canonical, frozen=True, kw_only=True):
    """Where the tier stands, and what happens at its end: ``Deny`` or ``Pass``."""

    #: Tiers with a lower order come first; 1000000, as the tier default has it, unless given.
    order: Number | None = None
    #: What happens at the tier's end to flows of endpoints that its policies select: Deny (the default), or Pass to the
    #: next tier.
    default_action: str | None = None


class Tier(Resource, frozen=True, kw_only=True):
    """An ordered group of policies."""

    spec: TierSpec = written(TierSpec)
    status: Conditions = written(Conditions)  #: What controllers observed about the tier.
