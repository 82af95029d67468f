# SPDX-License-Identifier: Apache-2.0
"""Operations, rules and elements as text, close to what ``nft`` reads and ``nft list`` prints; a stable form.

A rule is printed by following what each register holds: a load puts an expression's text there, a comparison or lookup
takes it. What has no name is printed as ``nft`` does raw payload: ``@nh,96,32``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from percale.netlink.nftables import datatypes, expressions
from percale.netlink.nftables.datatypes import DataType, padded
from percale.netlink.nftables.expressions import VERDICT_REGISTER, Expression, Verdict, register_offset
from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table
from percale.netlink.nftables.operations import (
    Add,
    AddElements,
    Batch,
    Create,
    Delete,
    DeleteElements,
    Insert,
    Operation,
    Replace,
)

__all__ = ["batch_text", "element_text", "expressions_text", "operation_text", "rule_text"]


class _Loaded(NamedTuple):
    """What a register holds: its text, its length in bytes, the type of its values, and a mask laid over it."""

    text: str
    length: int
    type: DataType | None = None
    mask: bytes = b""


_PAYLOADS: dict[tuple[str, int, int], tuple[str, DataType | None]] = {
    ("network", 9, 1): ("ip protocol", datatypes.INET_PROTO),
    ("network", 12, 4): ("ip saddr", datatypes.IPV4_ADDR),
    ("network", 16, 4): ("ip daddr", datatypes.IPV4_ADDR),
    ("network", 8, 16): ("ip6 saddr", datatypes.IPV6_ADDR),
    ("network", 24, 16): ("ip6 daddr", datatypes.IPV6_ADDR),
    ("transport", 0, 1): ("icmp type", datatypes.ICMP_TYPE),
    ("transport", 1, 1): ("icmp code", None),
    ("transport", 0, 2): ("th sport", datatypes.INET_SERVICE),
    ("transport", 2, 2): ("th dport", datatypes.INET_SERVICE),
}
_BASE_LETTERS = {"link": "ll", "network": "nh", "transport": "th"}

_META: dict[str, tuple[int, DataType | None]] = {
    "iifname": (16, datatypes.IFNAME),
    "oifname": (16, datatypes.IFNAME),
    "iif": (4, datatypes.IFINDEX),
    "oif": (4, datatypes.IFINDEX),
    "mark": (4, datatypes.MARK),
    "l4proto": (1, datatypes.INET_PROTO),
    "nfproto": (1, datatypes.NF_PROTO),
    "protocol": (2, None),
    "iiftype": (2, None),
    "pkttype": (1, None),
}
_BARE_META = ("iifname", "oifname", "iif", "oif")
_CT: dict[str, tuple[int, DataType | None]] = {
    "state": (4, datatypes.CT_STATE),
    "status": (4, None),
    "mark": (4, datatypes.MARK),
    "direction": (1, None),
}
_OPERATORS = {"eq": "", "neq": "!= ", "lt": "< ", "lte": "<= ", "gt": "> ", "gte": ">= "}
_LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
_UNITS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
_ICMPX_CODES = ("no-route", "port-unreachable", "host-unreachable", "admin-prohibited")


def _number_text(data: bytes) -> str:
    return f"0x{int.from_bytes(data, 'big'):0{2 * len(data)}x}"


def _value_text(kind: DataType | None, data: bytes) -> str:
    if kind is None or (len(data) != kind.size and kind is not datatypes.IFNAME):
        return _number_text(data)
    if kind is datatypes.MARK:
        return f"0x{int.from_bytes(data, sys.byteorder):08x}"
    return kind.format(data)


class _Registers:
    """The register file while a rule is printed."""

    def __init__(self) -> None:
        self._loaded: dict[int, _Loaded] = {}

    def load(self, number: int, text: str, length: int, kind: DataType | None = None, mask: bytes = b"") -> None:
        self._loaded[register_offset(number)] = _Loaded(text, length, kind, mask)

    def take(self, number: int) -> _Loaded:
        return self._loaded.get(register_offset(number), _Loaded(f"[reg {number}]", 0))

    def text(self, number: int | None) -> str:
        return "" if number is None else self.take(number).text

    def key(self, number: int) -> str:
        """The concatenation that begins at a register: its parts stand one behind the other, each padded to 4 bytes."""
        offset = register_offset(number)
        parts = []
        while (part := self._loaded.pop(offset, None)) is not None:
            parts.append(part.text)
            offset += padded(part.length)
        return " . ".join(parts) or f"[reg {number}]"


def _payload(one: expressions.Payload, registers: _Registers) -> None:
    raw = f"@{_BASE_LETTERS.get(one.base, one.base)},{one.offset * 8},{one.length * 8}"
    text, kind = _PAYLOADS.get((one.base, one.offset, one.length), (raw, None))
    registers.load(one.register, text, one.length, kind)


def _payload_set(one: expressions.PayloadSet, registers: _Registers) -> str:
    place = f"@{_BASE_LETTERS.get(one.base, one.base)},{one.offset * 8},{one.length * 8}"
    return f"{place} set {registers.text(one.register)}"


def _meta(one: expressions.Meta, registers: _Registers) -> None:
    length, kind = _META.get(one.key, (4, None))
    registers.load(one.register, one.key if one.key in _BARE_META else f"meta {one.key}", length, kind)


def _ct(one: expressions.Ct, registers: _Registers) -> None:
    length, kind = _CT.get(one.key, (4, None))
    direction = f"{one.direction} " if one.direction else ""
    registers.load(one.register, f"ct {direction}{one.key}", length, kind)


def _fib(one: expressions.Fib, registers: _Registers) -> None:
    present = " present" if one.present else ""
    kind = datatypes.IFINDEX if one.result == "oif" else None
    registers.load(one.register, f"fib {' . '.join(one.flags)} {one.result}{present}", 4, kind)


def _immediate(one: expressions.Immediate, registers: _Registers) -> None:
    kind = {4: datatypes.IPV4_ADDR, 16: datatypes.IPV6_ADDR, 2: datatypes.INET_SERVICE}.get(len(one.data))
    registers.load(one.register, _value_text(kind, one.data), len(one.data), kind, one.data)


def _bitwise(one: expressions.Bitwise, registers: _Registers) -> None:
    loaded = registers.take(one.source)
    if any(one.xor):
        text = f"({loaded.text} & {_number_text(one.mask)}) ^ {_number_text(one.xor)}"
        registers.load(one.destination, text, loaded.length)
    else:
        registers.load(one.destination, loaded.text, loaded.length, loaded.type, one.mask)


def _cmp(one: expressions.Cmp, registers: _Registers) -> str:
    loaded = registers.take(one.register)
    operator = _OPERATORS[one.op]
    if not loaded.mask:
        return f"{loaded.text} {operator}{_value_text(loaded.type, one.data)}"
    if loaded.type is datatypes.CT_STATE and one.op == "neq" and not any(one.data):
        return f"{loaded.text} {_flags_text(loaded.type, loaded.mask)}"
    prefix = _prefix_length(loaded.mask)
    if prefix is not None and loaded.type in (datatypes.IPV4_ADDR, datatypes.IPV6_ADDR):
        return f"{loaded.text} {operator}{_value_text(loaded.type, one.data)}/{prefix}"
    mask, data = _value_text(loaded.type, loaded.mask), _value_text(loaded.type, one.data)
    return f"{loaded.text} & {mask} {operator or '== '}{data}"


def _flags_text(kind: DataType, mask: bytes) -> str:
    number = int.from_bytes(mask, sys.byteorder)
    return ",".join(kind.format(kind.encode(1 << bit)) for bit in range(32) if number >> bit & 1)


def _prefix_length(mask: bytes) -> int | None:
    """The number of leading ones, or None if ones follow a zero."""
    bits = f"{int.from_bytes(mask, 'big'):0{len(mask) * 8}b}"
    ones = len(bits.rstrip("0"))
    return ones if "0" not in bits[:ones] else None


def _range(one: expressions.Range, registers: _Registers) -> str:
    loaded = registers.take(one.register)
    ends = "-".join(_value_text(loaded.type, end) for end in (one.low, one.high))
    return f"{loaded.text} {_OPERATORS[one.op]}{ends}"


def _lookup(one: expressions.Lookup, registers: _Registers) -> str | None:
    key = registers.key(one.register)
    if one.destination is None:
        return f"{key} {'!= ' if one.invert else ''}@{one.set_name}"
    if one.destination == VERDICT_REGISTER:
        return f"{key} vmap @{one.set_name}"
    registers.load(one.destination, f"{key} map @{one.set_name}", 4)
    return None


def _mark_text(registers: _Registers, number: int) -> str:
    loaded = registers.take(number)
    return _value_text(datatypes.MARK, loaded.mask) if len(loaded.mask) == 4 and loaded.type else loaded.text


def _ports_text(registers: _Registers, low: int | None, high: int | None) -> str:
    if low is None:
        return ""
    return f":{registers.text(low)}" + (f"-{registers.text(high)}" if high is not None else "")


def _masquerade(one: expressions.Masquerade, registers: _Registers) -> str:
    ports = _ports_text(registers, one.port_min, one.port_max)
    return " ".join(part for part in ("masquerade", f"to {ports}" if ports else "", ",".join(one.flags)) if part)


def _nat(one: expressions.Nat, registers: _Registers) -> str:
    addresses = registers.text(one.address_min)
    if one.address_max is not None:
        addresses += f"-{registers.text(one.address_max)}"
    ports = _ports_text(registers, one.port_min, one.port_max)
    return " ".join(part for part in (f"{one.kind} {one.family} to {addresses}{ports}", ",".join(one.flags)) if part)


def _reject(one: expressions.Reject, _: _Registers) -> str:
    if one.kind == "tcp reset":
        return "reject with tcp reset"
    known = one.kind == "icmpx" and one.code < len(_ICMPX_CODES)
    return f"reject with {one.kind} {_ICMPX_CODES[one.code] if known else one.code}"


def _log(one: expressions.Log, _: _Registers) -> str:
    parts = ["log"] + ([f'prefix "{one.prefix}"'] if one.prefix else [])
    if one.group is None:
        parts.append(f"level {_LEVELS[one.level] if one.level < len(_LEVELS) else 'audit'}")
    else:
        parts.append(f"group {one.group}")
        parts += [f"snaplen {one.snaplen}"] * bool(one.snaplen)
        parts += [f"queue-threshold {one.qthreshold}"] * bool(one.qthreshold)
    return " ".join(parts)


def _limit(one: expressions.Limit, _: _Registers) -> str:
    over, unit = "over " * one.over, _UNITS.get(one.unit, f"{one.unit} seconds")
    size = " bytes" if one.kind == "bytes" else ""
    return f"limit rate {over}{one.rate}{size}/{unit} burst {one.burst} {one.kind}"


_STATEMENTS: dict[type, Callable[[Any, _Registers], str | None]] = {
    expressions.Payload: _payload,
    expressions.PayloadSet: _payload_set,
    expressions.Meta: _meta,
    expressions.MetaSet: lambda one, registers: f"meta {one.key} set {_mark_text(registers, one.register)}",
    expressions.Ct: _ct,
    expressions.CtSet: lambda one, registers: f"ct {one.key} set {_mark_text(registers, one.register)}",
    expressions.Fib: _fib,
    expressions.Immediate: _immediate,
    expressions.Bitwise: _bitwise,
    expressions.Cmp: _cmp,
    expressions.Range: _range,
    expressions.Lookup: _lookup,
    expressions.Masquerade: _masquerade,
    expressions.Nat: _nat,
    expressions.Reject: _reject,
    expressions.Log: _log,
    expressions.Limit: _limit,
    expressions.Connlimit: lambda one, _: f"ct count {'over ' * one.over}{one.count}",
    expressions.Counter: lambda _, __: "counter",
    expressions.Notrack: lambda _, __: "notrack",
    expressions.Opaque: lambda one, _: f"[{one.name}]",
    Verdict: lambda one, _: str(one),
}


def expressions_text(rule: Iterable[Expression]) -> str:
    """Expressions in the words of nft, such as ``iifname . ct state vmap @from_wl``."""
    registers = _Registers()
    statements = (_STATEMENTS[type(one)](one, registers) for one in rule)
    return " ".join(statement for statement in statements if statement)


def rule_text(rule: Rule) -> str:
    """A rule without its chain: its expressions and its comment."""
    comment = f' comment "{rule.comment}"' if rule.comment else ""
    return expressions_text(rule.expressions) + comment


def element_text(item: Set, element: Element | bytes) -> str:
    """An element of a set: its key or range, and the datum of a map, such as ``"cali1" . new : goto prog``."""
    key, end, data = (element, None, None) if isinstance(element, bytes) else element
    text = _parts_text(item.key, key, key if end is None else end)
    if data is None:
        return text
    return f"{text} : {data if isinstance(data, Verdict) else _parts_text(item.data or (), data, data)}"


def _parts_text(components: tuple[DataType, ...], low: bytes, high: bytes) -> str:
    parts = []
    offset = 0
    for component in components:
        cut = slice(offset, offset + component.size)
        parts.append(_range_text(component, low[cut], high[cut]))
        offset += padded(component.size)
    return " . ".join(parts)


def _range_text(kind: DataType, low: bytes, high: bytes) -> str:
    if low == high:
        return _value_text(kind, low)
    different = bytes(one ^ other for one, other in zip(low, high, strict=True))
    prefix = _prefix_length(bytes(0xFF ^ byte for byte in different))
    if prefix is not None and kind in (datatypes.IPV4_ADDR, datatypes.IPV6_ADDR) and not _overlap(low, different):
        return f"{kind.format(low)}/{prefix}"
    return f"{_value_text(kind, low)}-{_value_text(kind, high)}"


def _overlap(low: bytes, different: bytes) -> bool:
    return any(one & other for one, other in zip(low, different, strict=True))


def operation_text(operation: Operation, table: Table | None = None) -> str:
    """One operation as a line for ``nft -f``; without its table the place of that stays empty."""
    where = f"{table.family} {table.name} " if table else ""
    verb = type(operation).__name__.removesuffix("Elements").lower()
    if isinstance(operation, AddElements | DeleteElements):
        members = ", ".join(element_text(operation.set, one) for one in operation.elements)
        return f"{verb} element {where}{operation.set.name} {{ {members} }}"
    item = operation.item
    if isinstance(item, Table):
        commented = item.comment and isinstance(operation, Add | Create)
        return f"{verb} {item}" + (f' {{ comment "{item.comment}"; }}' if commented else "")
    if isinstance(item, Rule):
        return f"{verb} rule {where}{item.chain} {_rule_place(operation)}".rstrip()
    if isinstance(operation, Add | Create):
        kind, _, rest = str(item).partition(" ")
        return f"{verb} {kind} {where}{rest}"
    kind = "chain" if isinstance(item, Chain) else "map" if item.is_map else "set"
    return f"{verb} {kind} {where}{item.name}"


def _rule_place(operation: Operation) -> str:
    match operation:
        case Delete(Rule() as rule):
            return f"handle {rule.handle}"
        case Replace(rule, handle):
            return f"handle {handle} {rule_text(rule)}"
        case Add(Rule() as rule, after):
            return (f"position {after} " if after else "") + rule_text(rule)
        case Insert(rule, before):
            return (f"position {before} " if before else "") + rule_text(rule)
        case _:
            raise AssertionError(f"{operation} has no rule")


def batch_text(batch: Batch) -> str:
    """A batch as lines for ``nft -f``, one per operation."""
    return "\n".join(operation_text(operation, batch.table) for operation in batch.operations)
