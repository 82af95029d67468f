# SPDX-License-Identifier: Apache-2.0
"""Conditions: what a controller observed about a resource, in Kubernetes' form."""

from __future__ import annotations

from percale.resources.fields import Int64, Time
from percale.resources.value import Value, written

__all__ = ["Condition", "Conditions"]


class Condition(Value, frozen=True, kw_only=True):
    """One observed aspect: its type, whether it holds (``True``, ``False``, ``Unknown``) and since when."""

    type: str = written(str)
    status: str = written(str)
    observed_generation: Int64 = 0
    last_transition_time: Time | None = written(lambda: None)
    reason: str = written(str)
    message: str = written(str)


class Conditions(Value, frozen=True, kw_only=True):
    """A status that consists of conditions."""

    conditions: tuple[Condition, ...] = ()
