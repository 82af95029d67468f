# SPDX-License-Identifier: Apache-2.0
"""Floating addresses: 1:1 NAT between an external address and a workload's own (spec/dataplane.md section 3.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from percale.dataplane.claims import Claims
from percale.dataplane.layout import fixed_sets
from percale.dataplane.ruleset import Ruleset
from percale.netlink.nftables.objects import Element

__all__ = ["FloatingAddress", "FloatingAddresses"]


class FloatingAddress(NamedTuple):
    """A 1:1 NAT on one interface: external and internal address of one IP version, as bytes."""

    version: int
    external: bytes
    internal: bytes
    interface: str


class _Claim(NamedTuple):
    """An address that a key shall lead to, and who wants that."""

    address: bytes
    interface: str


class _Key(NamedTuple):
    """A map and a key in it."""

    map_name: str
    key: bytes


class FloatingAddresses:
    """The two maps that translate in and out.

    Of several workloads that want one external address the lowest gets it; of several external addresses of one
    workload the lowest is shown as source.
    """

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._claims: Claims[_Key, _Claim] = Claims()

    def add(self, one: FloatingAddress) -> None:
        """An endpoint wants this translation."""
        for key, claim in _entries(one):
            before = self._claims.winner(key)
            self._claims.add(key, claim)
            self._settle(key, before)

    def withdraw(self, one: FloatingAddress) -> None:
        """The endpoint no longer wants it."""
        for key, claim in _entries(one):
            before = self._claims.winner(key)
            self._claims.withdraw(key, claim)
            self._settle(key, before)

    def _settle(self, key: _Key, before: _Claim | None) -> None:
        after = self._claims.winner(key)
        if before is not None:
            self._ruleset.discard(key.map_name, Element(key.key, None, before.address))
        if after is not None:
            self._ruleset.add(key.map_name, Element(key.key, None, after.address))


def _entries(one: FloatingAddress) -> Iterator[tuple[_Key, _Claim]]:
    maps = fixed_sets(one.version)
    yield _Key(maps.floating_in.name, one.external), _Claim(one.internal, one.interface)
    yield _Key(maps.floating_out.name, one.internal * 2), _Claim(one.external, one.interface)
