# SPDX-License-Identifier: Apache-2.0
"""Tables, chains, sets, elements and rules as values, in nft's own words.

Everything but the table is named relative to its table. A *handle* is the kernel's number for an object that was read
back; it is no part of the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from percale.netlink.nftables.datatypes import VERDICT, DataType, concatenated_length, padded
from percale.netlink.nftables.expressions import Expression, Verdict

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["Chain", "Element", "Rule", "Set", "Table"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one family; the comment is what tells our table (and its layout) from a stranger of the same name."""

    family: Literal["inet", "ip", "ip6", "arp", "bridge", "netdev"]
    name: str
    comment: str = ""
    handle: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"table {self.family} {self.name}"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain: regular with nothing but its name, or a base chain with type, hook, priority and policy."""

    name: str
    type: Literal["", "filter", "nat", "route"] = ""
    hook: Literal["", "prerouting", "input", "forward", "output", "postrouting", "ingress"] = ""
    priority: int = 0
    policy: Literal["accept", "drop"] = "accept"
    comment: str = ""
    handle: int = field(default=0, compare=False)

    @property
    def is_base(self) -> bool:
        """Whether packets enter the chain from a hook."""
        return bool(self.hook)

    def __str__(self) -> str:
        parts = []
        if self.hook:
            parts = [f"type {self.type} hook {self.hook} priority {self.priority};", f"policy {self.policy};"]
        if self.comment:
            parts.append(f'comment "{self.comment}";')
        return f"chain {self.name}" + (f" {{ {' '.join(parts)} }}" if parts else "")


@dataclass(frozen=True, slots=True)
class Set:
    """A set, or with ``data`` a map, of keys with one or more components.

    ``data=(VERDICT,)`` makes a verdict map. ``interval`` sets hold ranges; with several components each of them is a
    range. ``constant`` promises that no element changes once a rule uses the set.
    """

    name: str
    key: tuple[DataType, ...]
    data: tuple[DataType, ...] | None = None
    interval: bool = False
    constant: bool = False
    comment: str = ""
    handle: int = field(default=0, compare=False)

    @property
    def is_map(self) -> bool:
        """Whether elements carry data."""
        return self.data is not None

    @property
    def is_verdict_map(self) -> bool:
        """Whether the elements' data are verdicts."""
        return self.data == (VERDICT,)

    @property
    def key_length(self) -> int:
        """The length of a key in bytes, padding of components included."""
        return concatenated_length(self.key)

    def key_of(self, *values: object) -> bytes:
        """The key made of one value per component, each padded to 4 bytes if there are several; raises ValueError."""
        return concatenate(self.key, values)

    def data_of(self, *values: object) -> bytes:
        """The datum made of one value per component of a map that holds no verdicts; raises ValueError."""
        return concatenate(self.data or (), values)

    def __str__(self) -> str:
        what = " . ".join(component.name for component in self.key)
        if self.data is not None:
            what += " : " + " . ".join(component.name for component in self.data)
        flags = ", ".join(flag for flag in ("constant", "interval") if getattr(self, flag))
        extras = (f" flags {flags};" if flags else "") + (f' comment "{self.comment}";' if self.comment else "")
        return f"{'map' if self.is_map else 'set'} {self.name} {{ type {what};{extras} }}"


def concatenate(components: tuple[DataType, ...], values: tuple[object, ...]) -> bytes:
    """The bytes of one value per component, each padded to 4 bytes if there are several; raises ValueError."""
    if len(components) != len(values):
        raise ValueError(f"{len(components)} values are needed, not {len(values)}")
    if len(components) == 1:
        return components[0].encode(values[0])
    return b"".join(
        component.encode(value).ljust(padded(component.size), b"\0")
        for component, value in zip(components, values, strict=True)
    )


class Element(NamedTuple):
    """One element of a set or map; in interval sets from ``key`` to ``key_end``, both included.

    ``key_end`` is None for a single key, also in an interval set; ``Element.between`` makes that form. In a
    concatenation each component runs from its part of ``key`` to its part of ``key_end``. How an interval is sent (an
    end element, or an end key) is the codec's business. A tuple, because a set may have hundred thousands of them.
    """

    key: bytes
    key_end: bytes | None = None
    data: Verdict | bytes | None = None

    @classmethod
    def between(cls, low: bytes, high: bytes, data: Verdict | bytes | None = None) -> Element:
        """The element from ``low`` to ``high``, both included."""
        return cls(low, None if high == low else high, data)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a chain: expressions in order, and a comment of at most 128 bytes that only people read."""

    chain: str
    expressions: tuple[Expression, ...]
    comment: str = ""
    handle: int = field(default=0, compare=False)

    def __str__(self) -> str:
        from percale.netlink.nftables.text import rule_text  # it imports this module

        return f"{self.chain} {rule_text(self)}"
