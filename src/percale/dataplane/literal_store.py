# SPDX-License-Identifier: Apache-2.0
"""The literal sets in use: each is in the ruleset as long as some chain looks into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from percale.dataplane.literals import Literal
from percale.dataplane.ruleset import Ruleset

__all__ = ["LiteralStore"]


class LiteralStore:
    """Counts who looks into which literal set."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._uses: Counter[Literal] = Counter()

    def acquire(self, literals: Iterable[Literal]) -> None:
        """One more chain looks into each of these."""
        for literal in literals:
            self._uses[literal] += 1
            if self._uses[literal] == 1:
                self._ruleset.put_set(literal.set, literal.elements)

    def release(self, literals: Iterable[Literal]) -> None:
        """One chain less looks into each of these."""
        for literal in literals:
            self._uses[literal] -= 1
            if not self._uses[literal]:
                del self._uses[literal]
                self._ruleset.drop_set(literal.name)
