# SPDX-License-Identifier: Apache-2.0
"""Profile: rules and labels that an endpoint names itself (spec/resources.md section 7)."""

from __future__ import annotations

import msgspec

from percale.resources.resource import Resource
from percale.resources.rules import Rule
from percale.resources.value import Value, written

__all__ = ["DEFAULT_ALLOW_PROFILE", "Profile", "ProfileSpec"]

DEFAULT_ALLOW_PROFILE = "projectcalico-default-allow"
"""The virtual profile that always exists and allows everything."""


class ProfileSpec(Value, frozen=True, kw_only=True):
    """Rules that come after all tiers, and labels that the endpoint inherits."""

    #: Rules for flows to the endpoints, after all tiers; the first that matches decides.
    ingress: tuple[Rule, ...] = ()
    #: Rules for flows from the endpoints, after all tiers; the first that matches decides.
    egress: tuple[Rule, ...] = ()
    #: Labels that the endpoints inherit, unless they have a label of the same name themselves.
    labels_to_apply: dict[str, str] = msgspec.field(default_factory=dict)


class Profile(Resource, frozen=True, kw_only=True):
    """Rules and labels for the endpoints that name it."""

    spec: ProfileSpec = written(ProfileSpec)
