# SPDX-License-Identifier: Apache-2.0
"""Whose address is it: from an address to the endpoints and network sets that contain it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from percale.calc.contributors import Contributor
from percale.calc.host_state import EndpointID
from percale.calc.networks import IPAddress, is_host, network

__all__ = ["AddressBook"]


class AddressBook:
    """Which contributors own which networks; a lookup asks once for each prefix length in use."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[EndpointID, ...]] = {}
        self._wide: dict[tuple[int, int], dict[int, tuple[EndpointID, ...]]] = {}

    def add(self, contributor: Contributor) -> None:
        """Enter all networks of a contributor."""
        for net in set(contributor.nets):
            if is_host(net):
                self._hosts[net] = (*self._hosts.get(net, ()), contributor.id)
            else:
                version, address, length = network(net)
                owners = self._wide.setdefault((version, length), {})
                owners[address] = (*owners.get(address, ()), contributor.id)

    def remove(self, contributor: Contributor) -> None:
        """Strike out all networks of a contributor, given as it was added."""
        for net in set(contributor.nets):
            if is_host(net):
                _strike(self._hosts, net, contributor.id)
            else:
                version, address, length = network(net)
                owners = self._wide[version, length]
                _strike(owners, address, contributor.id)
                if not owners:
                    del self._wide[version, length]

    def owners(self, address: IPAddress) -> Iterator[EndpointID]:
        """Yield the contributors that have a network with this address in it, perhaps several times."""
        number, version, bits = int(address), address.version, address.max_prefixlen
        yield from self._hosts.get(f"{address}/{bits}", ())
        for (family, length), owners in self._wide.items():
            if family == version:
                yield from owners.get(number >> bits - length << bits - length, ())


_Place = TypeVar("_Place", str, int)


def _strike(owners: dict[_Place, tuple[EndpointID, ...]], place: _Place, owner: EndpointID) -> None:
    left = tuple(each for each in owners[place] if each != owner)
    if left:
        owners[place] = left
    else:
        del owners[place]
