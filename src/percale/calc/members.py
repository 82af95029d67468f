# SPDX-License-Identifier: Apache-2.0
"""The members of one IP set: counted, covered networks hidden, and what changed since the last message about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from percale.calc.nested_networks import NestedNetworks, Turn
from percale.calc.networks import IPAddress, is_host, network, network_of

__all__ = ["Members"]


class Members:
    """Members as text, each with the number of its contributors; ``added`` and ``removed`` are the next delta.

    ``with_networks`` says that not all the first contributions are single addresses.
    """

    __slots__ = ("_further", "_nested", "_present", "_uncounted", "added", "removed")

    def __init__(self, contributions: Iterable[str] = (), *, with_networks: bool = False) -> None:
        every = list(contributions)
        # Shared with the message that tells it, until the first change.
        self._present: set[str] | frozenset[str] = frozenset(every)
        # How often a member is contributed beyond the first time: most have one contributor. Counted when it matters.
        self._further: dict[str, int] = {}
        self._uncounted: list[str] = every if len(every) > len(self._present) else []
        self._nested = NestedNetworks(map(network, self._present)) if with_networks else None
        self.added: set[str] = set()
        self.removed: set[str] = set()

    def visible(self) -> frozenset[str]:
        """Return the members that the dataplane is to hold: all but the covered networks."""
        return frozenset(self._present if self._nested is None else map(str, self._nested))

    def __contains__(self, member: str) -> bool:
        return member in self._present

    def covers(self, address: IPAddress) -> bool:
        """Report whether a network among the members contains an address."""
        return self._nested is not None and self._nested.covers(network_of(address))

    def add(self, contributions: Iterable[str]) -> None:
        """Count what one more contributor has to contribute."""
        present = self._thawed()
        for member in contributions:
            if member in present:
                self._further[member] = self._further.get(member, 0) + 1
            else:
                present.add(member)
                self._appear(member)

    def remove(self, contributions: Iterable[str]) -> None:
        """Take back what one contributor contributed."""
        present = self._thawed()
        for member in contributions:
            further = self._further.get(member, 0)
            if further > 1:
                self._further[member] = further - 1
            elif further:
                del self._further[member]
            else:
                present.remove(member)
                self._vanish(member)

    def _thawed(self) -> set[str]:
        if isinstance(self._present, frozenset):
            self._present = set(self._present)
            self._further = {member: count - 1 for member, count in Counter(self._uncounted).items() if count > 1}
            self._uncounted = []
        return self._present

    def settle(self) -> None:
        """Begin a new delta."""
        self.added, self.removed = set(), set()

    def _appear(self, member: str) -> None:
        if self._nested is None:
            if is_host(member) or "," in member:
                self._note_shown(member)
                return
            self._nested = NestedNetworks(map(network, self._present - {member}))
        self._note(self._nested.add(network(member)))

    def _vanish(self, member: str) -> None:
        if self._nested is None:
            self._note_hidden(member)
            return
        self._note(self._nested.remove(network(member)))
        if self._nested.only_hosts:
            self._nested = None

    def _note(self, turn: Turn) -> None:
        for shown in turn.shown:
            self._note_shown(str(shown))
        for hidden in turn.hidden:
            self._note_hidden(str(hidden))

    def _note_shown(self, member: str) -> None:
        if member in self.removed:
            self.removed.remove(member)
        else:
            self.added.add(member)

    def _note_hidden(self, member: str) -> None:
        if member in self.added:
            self.added.remove(member)
        else:
            self.removed.add(member)
