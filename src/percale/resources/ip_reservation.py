# SPDX-License-Identifier: Apache-2.0
"""IPReservation: addresses that are never given out (spec/resources.md section 10)."""

from __future__ import annotations

from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = ["IPReservation", "IPReservationSpec"]


class IPReservationSpec(Value, frozen=True, kw_only=True):
    """The reserved networks."""

    #: Networks whose addresses are not given out by themselves; a request for such an address is still granted.
    reserved_cidrs: tuple[str, ...] = ()


class IPReservation(Resource, frozen=True, kw_only=True):
    """Networks whose addresses are not given out automatically."""

    spec: IPReservationSpec = written(IPReservationSpec)
