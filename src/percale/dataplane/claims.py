# SPDX-License-Identifier: Apache-2.0
"""Who gets a thing that several want: the smallest claim, until it is withdrawn."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Claims"]


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


KeyT = TypeVar("KeyT", bound=Hashable)
ClaimT = TypeVar("ClaimT", bound=_Ordered)


class Claims(Generic[KeyT, ClaimT]):
    """Claims on keys, in order; nearly always there is one claim per key."""

    def __init__(self) -> None:
        self._claims: dict[KeyT, list[ClaimT]] = {}

    def __iter__(self) -> Iterator[KeyT]:
        """The keys that are claimed."""
        return iter(self._claims)

    def add(self, key: KeyT, claim: ClaimT) -> None:
        """Enter a claim; one that is there already changes nothing."""
        claims = self._claims.setdefault(key, [])
        if claim not in claims:
            insort(claims, claim)

    def withdraw(self, key: KeyT, claim: ClaimT) -> None:
        """Withdraw a claim that was entered before."""
        claims = self._claims[key]
        del claims[bisect_left(claims, claim)]
        if not claims:
            del self._claims[key]

    def winner(self, key: KeyT) -> ClaimT | None:
        """The smallest claim on the key, or None."""
        claims = self._claims.get(key)
        return claims[0] if claims else None
