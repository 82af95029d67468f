# SPDX-License-Identifier: Apache-2.0
"""NetworkSet and GlobalNetworkSet: named lists of networks (spec/resources.md section 8)."""

from __future__ import annotations

from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = ["GlobalNetworkSet", "NetworkSet", "NetworkSetSpec"]


class NetworkSetSpec(Value, frozen=True, kw_only=True):
    """CIDRs or bare addresses of either family, as written."""

    nets: tuple[str, ...] = ()  #: CIDRs or addresses of either family; rules select the set by its labels.


class NetworkSet(Resource, frozen=True, kw_only=True):
    """A labelled list of networks that policies of its namespace can select."""

    spec: NetworkSetSpec = written(NetworkSetSpec)


class GlobalNetworkSet(Resource, frozen=True, kw_only=True):
    """A labelled list of networks that policies can select."""

    spec: NetworkSetSpec = written(NetworkSetSpec)
