# SPDX-License-Identifier: Apache-2.0
"""Membership: is this address, or this address with this port, in that IP set?

The agent answers from the sets that it keeps, a one-shot question by evaluating the set's selector for the owners of
the address: no set is ever built for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from percale.calc.compiled import IPSetID, IPSetKind, IPSetSpec
from percale.calc.contributors import Contributor, protocol_name
from percale.calc.labels import Labels
from percale.calc.networks import IPAddress
from percale.calc.services import Services

__all__ = ["DirectMembership", "Membership"]


class Membership(Protocol):
    """Answers for every IP set that a compiled rule refers to."""

    def contains(self, set_id: IPSetID, address: IPAddress, protocol: int, port: int) -> bool:
        """Report whether the address is a member or, for IP+port sets, the (address, protocol number, port).

        Raises KeyError for a set that nothing refers to.
        """
        ...


class DirectMembership:
    """Evaluates a set's selector for whoever owns the address, at the moment of the question."""

    def __init__(
        self,
        specs: Mapping[IPSetID, IPSetSpec],
        owners: Callable[[IPAddress], Iterator[Contributor]],
        labels_of: Callable[[Contributor], Labels],
        services: Services,
    ) -> None:
        self._specs = specs
        self._owners = owners
        self._labels_of = labels_of
        self._services = services

    def contains(self, set_id: IPSetID, address: IPAddress, protocol: int, port: int) -> bool:
        """Report membership as `Membership` has it."""
        spec = self._specs[set_id]
        if spec.selector is None:
            return self._service_contains(spec, address, protocol, port)
        matches = spec.selector.matches
        return any(
            (spec.kind is IPSetKind.NET or _has_port(owner, spec, protocol, port)) and matches(self._labels_of(owner))
            for owner in self._owners(address)
        )

    def _service_contains(self, spec: IPSetSpec, address: IPAddress, protocol: int, port: int) -> bool:
        slices = self._services.slices(spec.service)
        if spec.kind is IPSetKind.NET:
            net = f"{address}/{address.max_prefixlen}"
            return any(net in each.nets for each in slices)
        member = f"{address},{protocol_name(protocol)}:{port}"
        return any(member in each.port_members for each in slices)


def _has_port(owner: Contributor, spec: IPSetSpec, protocol: int, port: int) -> bool:
    name = protocol_name(protocol)
    return spec.protocol in ("any", name) and (spec.named_port, name, port) in owner.ports
