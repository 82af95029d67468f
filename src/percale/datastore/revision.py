# SPDX-License-Identifier: Apache-2.0
"""How far a store had come: equal, at or after, and printed; nothing else may be done with a revision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

__all__ = ["NumberRevision", "Revision", "VectorRevision"]


class Revision(ABC):
    """A point in the history of one datastore; revisions of different datastores have nothing in common."""

    __slots__ = ()

    @abstractmethod
    def is_at_or_after(self, other: Revision) -> bool:
        """Whether everything that ``other`` contains is contained here too."""

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def __eq__(self, other: object) -> bool: ...

    @abstractmethod
    def __hash__(self) -> int: ...

    def __repr__(self) -> str:
        return f"<revision {self}>"


class NumberRevision(Revision):
    """The one growing counter of a KeyValue store."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def is_at_or_after(self, other: Revision) -> bool:
        """Whether this counter has reached the other."""
        return isinstance(other, NumberRevision) and self.number >= other.number

    def __str__(self) -> str:
        return str(self.number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberRevision) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


class VectorRevision(Revision):
    """One counter per kind, for stores without a revision across kinds; a kind that is not named stands at 0."""

    __slots__ = ("by_kind",)

    def __init__(self, by_kind: Mapping[str, int]) -> None:
        self.by_kind = {kind: number for kind, number in sorted(by_kind.items()) if number}

    def is_at_or_after(self, other: Revision) -> bool:
        """Whether every kind has reached the other's counter; of two revisions neither may be after the other."""
        return isinstance(other, VectorRevision) and all(
            self.by_kind.get(kind, 0) >= number for kind, number in other.by_kind.items()
        )

    def with_kind(self, kind: str, number: int) -> VectorRevision:
        """Return the revision with one kind moved forward."""
        return VectorRevision({**self.by_kind, kind: number})

    def __str__(self) -> str:
        return ",".join(f"{kind}:{number}" for kind, number in self.by_kind.items()) or "0"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VectorRevision) and self.by_kind == other.by_kind

    def __hash__(self) -> int:
        return hash(tuple(self.by_kind.items()))
