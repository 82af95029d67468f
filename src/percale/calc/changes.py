# SPDX-License-Identifier: Apache-2.0
"""Changes: what one update did to the cluster, old and new value side by side; None stands for absent."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from percale.calc.contributors import Contributor
from percale.calc.host_state import Pool
from percale.calc.services import EndpointSlice
from percale.calc.sources import PolicySource, ProfileSource
from percale.calc.tiers import TierFacts

__all__ = [
    "Change",
    "ContributorChange",
    "PolicyChange",
    "PoolChange",
    "ProfileChange",
    "SliceChange",
    "TierChange",
]


class ContributorChange(NamedTuple):
    """An endpoint or network set."""

    old: Contributor | None
    new: Contributor | None


class PolicyChange(NamedTuple):
    """A policy."""

    old: PolicySource | None
    new: PolicySource | None


class ProfileChange(NamedTuple):
    """A profile."""

    name: str
    old: ProfileSource | None
    new: ProfileSource | None


class TierChange(NamedTuple):
    """A tier."""

    old: TierFacts | None
    new: TierFacts | None


class PoolChange(NamedTuple):
    """An IP pool."""

    name: str
    old: Pool | None
    new: Pool | None


class SliceChange(NamedTuple):
    """A slice of a Service's endpoints."""

    old: EndpointSlice | None
    new: EndpointSlice | None


Change: TypeAlias = ContributorChange | PolicyChange | ProfileChange | TierChange | PoolChange | SliceChange
