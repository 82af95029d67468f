# SPDX-License-Identifier: Apache-2.0
"""Conditions: what a controller observed about a resource, in Kubernetes' form."""

from __future__ import annotations

from percale.resources.fields import Int64, Time
from percale.resources.value import Value, written

__all__ = ["Condition", "Conditions"]


class Condition(Value, frozen=True, kw_only=True):
    """One observed aspect: its type, whether it holds (``True``, ``False``, ``Unknown``) and since when."""

    type: str = written(str)  #: The aspect that was observed.
    status: str = written(str)  #: Whether it holds: True, False or Unknown.
    observed_generation: Int64 = 0  #: The metadata.generation that was looked at; 0 is unknown.
    last_transition_time: Time | None = written(lambda: None)  #: When the status last changed.
    reason: str = written(str)  #: Why the status is what it is, in one word for programs.
    message: str = written(str)  #: Why the status is what it is, in a sentence for people.


class Conditions(Value, frozen=True, kw_only=True):
    """A status that consists of conditions."""

    conditions: tuple[Condition, ...] = ()  #: What controllers observed, one entry for each type.
