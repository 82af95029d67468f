# SPDX-License-Identifier: Apache-2.0
"""The expressions of a rule as values: what one step of nf_tables' virtual machine loads, compares or does.

A rule runs its expressions in order over a register file of sixteen 32-bit words; a comparison that fails ends the
rule. Equality is by value, and each expression here is in the form in which the kernel reports it: what was sent
compares equal to what is read back. The facts are those of linux/netfilter/nf_tables.h.

Registers are written as the kernel dumps them: 1 to 4 for words 0, 4, 8, 12, else 8 + word; ``register(word)`` gives
the number, 0 is the verdict register. A field of a concatenated key takes the words after its predecessor's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Literal

__all__ = [
    "ACCEPT",
    "DROP",
    "RETURN",
    "VERDICT_REGISTER",
    "Bitwise",
    "Cmp",
    "Connlimit",
    "Counter",
    "Ct",
    "CtSet",
    "Expression",
    "Fib",
    "Immediate",
    "Limit",
    "Log",
    "Lookup",
    "Masquerade",
    "Meta",
    "MetaSet",
    "Nat",
    "Notrack",
    "Opaque",
    "Payload",
    "PayloadSet",
    "Range",
    "Reject",
    "Verdict",
    "goto",
    "jump",
    "register",
    "register_offset",
]

VERDICT_REGISTER = 0


def register(word: int) -> int:
    """The register number, as the kernel reports it, of the 32-bit word 0 to 15."""
    if not 0 <= word <= 15:
        raise ValueError(f"there is no register word {word}: they go from 0 to 15")
    return word + 8 if word % 4 else word // 4 + 1


def register_offset(number: int) -> int:
    """The byte offset in the register file (0 to 60) of a register number 1 to 4 or 8 to 23."""
    return (number - 8) * 4 if number >= 8 else (number - 1) * 16


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the packet: ``accept``, ``drop``, ``return``, ``continue``, or ``jump``/``goto`` a chain.

    It stands as the last expression of a rule (the kernel's *immediate* into the verdict register) and as the datum of
    a verdict map's element.
    """

    code: Literal["accept", "drop", "continue", "jump", "goto", "return"]
    chain: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.chain}" if self.chain else self.code


ACCEPT = Verdict("accept")
DROP = Verdict("drop")
RETURN = Verdict("return")


def jump(chain: str) -> Verdict:
    """The verdict that runs ``chain`` and comes back."""
    return Verdict("jump", chain)


def goto(chain: str) -> Verdict:
    """The verdict that runs ``chain`` and returns to the caller of the present one."""
    return Verdict("goto", chain)


@dataclass(frozen=True, slots=True)
class Payload:
    """Load ``length`` bytes of the packet at ``offset`` of a header into a register."""

    base: Literal["link", "network", "transport"]
    offset: int
    length: int
    register: int = 1


@dataclass(frozen=True, slots=True)
class PayloadSet:
    """Write ``length`` bytes of a register into the packet at ``offset`` of a header.

    ``checksum`` is ``inet`` to correct the Internet checksum at ``checksum_offset`` (IPv4: 10), ``none`` for none.
    """

    base: Literal["link", "network", "transport"]
    offset: int
    length: int
    register: int = 1
    checksum: Literal["none", "inet"] = "none"
    checksum_offset: int = 0


@dataclass(frozen=True, slots=True)
class Meta:
    """Load a property of the packet (``iifname``, ``l4proto``, ``mark`` …) into a register."""

    key: str
    register: int = 1


@dataclass(frozen=True, slots=True)
class MetaSet:
    """Set a property of the packet (``mark``, ``nftrace`` …) from a register."""

    key: str
    register: int = 1


@dataclass(frozen=True, slots=True)
class Ct:
    """Load a property of the packet's connection (``state``, ``status``, ``direction``, ``mark`` …) into a register."""

    key: str
    register: int = 1
    direction: Literal["original", "reply"] | None = None


@dataclass(frozen=True, slots=True)
class CtSet:
    """Set a property of the packet's connection (``mark``) from a register."""

    key: str
    register: int = 1


@dataclass(frozen=True, slots=True)
class Cmp:
    """Go on only if the first ``len(data)`` bytes of the register compare so with ``data``.

    Data shorter than an interface name compares its prefix: ``cali*`` is ``Cmp("eq", b"cali")`` after ``iifname``.
    """

    op: Literal["eq", "neq", "lt", "lte", "gt", "gte"]
    data: bytes
    register: int = 1


@dataclass(frozen=True, slots=True)
class Range:
    """Go on only if the register lies (``eq``) or does not lie (``neq``) between two values, both included."""

    op: Literal["eq", "neq"]
    low: bytes
    high: bytes
    register: int = 1


@dataclass(frozen=True, slots=True)
class Bitwise:
    """Put ``(source & mask) ^ xor`` into ``destination``; mask and xor have equal length."""

    mask: bytes
    xor: bytes
    source: int = 1
    destination: int = 1


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find the key at ``register`` in a set; go on only if it is there (or, with ``invert``, is not).

    With a ``destination`` the set is a map and the datum goes there; ``VERDICT_REGISTER`` makes it a verdict map.
    """

    set_name: str
    register: int = 1
    destination: int | None = None
    invert: bool = False


@dataclass(frozen=True, slots=True)
class Immediate:
    """Put constant data into a register; a constant verdict is the ``Verdict`` itself."""

    data: bytes
    register: int = 1


@dataclass(frozen=True, slots=True)
class Fib:
    """Ask the routing table and load its answer: ``oif`` (0 without a route), ``oifname`` or the address ``type``.

    ``flags`` name the question in the order saddr, daddr, mark, iif, oif; ``present`` loads just 1 or 0.
    """

    flags: tuple[Literal["saddr", "daddr", "mark", "iif", "oif"], ...]
    result: Literal["oif", "oifname", "type"]
    present: bool = False
    register: int = 1


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Translate the source to the address of the outgoing interface; optionally ports from two registers.

    ``flags``: ``random``, ``persistent``, ``fully-random``, in this order. Without ``port_max`` it equals ``port_min``.
    """

    flags: tuple[Literal["random", "persistent", "fully-random"], ...] = ()
    port_min: int | None = None
    port_max: int | None = None


@dataclass(frozen=True, slots=True)
class Nat:
    """Translate source or destination to the address (and port) in registers; an absent maximum equals the minimum."""

    kind: Literal["snat", "dnat"]
    family: Literal["ip", "ip6"]
    address_min: int | None = 1
    address_max: int | None = None
    port_min: int | None = None
    port_max: int | None = None
    flags: tuple[Literal["random", "persistent", "fully-random"], ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """Drop with an answer: ``icmp`` (code of the packet's family), ``icmpx`` (family-neutral code) or ``tcp reset``.

    Codes of icmpx: 0 no-route, 1 port-unreachable, 2 host-unreachable, 3 admin-prohibited.
    """

    kind: Literal["icmp", "tcp reset", "icmpx"] = "icmpx"
    code: int = 1


@dataclass(frozen=True, slots=True)
class Log:
    """Log the packet to the kernel log at ``level``, or to the nfnetlink ``group`` if one is given, and go on.

    ``prefix`` has at most 127 bytes. ``snaplen`` and ``qthreshold`` (bytes, packets; 0 is the kernel's default) need a
    group; ``level`` (0 emerg … 4 warning, 6 info …) has no meaning with one.
    """

    prefix: str = ""
    level: int = 4
    group: int | None = None
    snaplen: int = 0
    qthreshold: int = 0


@dataclass(frozen=True, slots=True)
class Counter:
    """Count packets and bytes from zero.

    The counts are read, never sent, and no part of the value, so that equal rules stay equal under traffic.
    """

    packets: int = field(default=0, compare=False)
    bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Limit:
    """Go on only while the rate per ``unit`` seconds is kept; with ``over``, only when it is exceeded.

    ``burst`` is in packets (or bytes); for packets the kernel turns 0 into 5.
    """

    rate: int
    unit: int = 1
    burst: int = 5
    kind: Literal["packets", "bytes"] = "packets"
    over: bool = False


@dataclass(frozen=True, slots=True)
class Connlimit:
    """Go on only while at most ``count`` connections are counted by this rule; with ``over``, only above."""

    count: int
    over: bool = False


@dataclass(frozen=True, slots=True)
class Notrack:
    """Take the packet out of connection tracking; only valid before it, at priority raw."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """An expression that this codec does not model; kept so that a foreign rule can be told apart."""

    name: str
    data: bytes


Expression: TypeAlias = (
    "Verdict | Payload | PayloadSet | Meta | MetaSet | Ct | CtSet | Cmp | Range | Bitwise | Lookup | Immediate | Fib"
    " | Masquerade | Nat | Reject | Log | Counter | Limit | Connlimit | Notrack | Opaque"
)
