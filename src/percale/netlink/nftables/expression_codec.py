# SPDX-License-Identifier: Apache-2.0
"""Expressions to and from the kernel's attributes: one pair of functions per expression (linux/netfilter/nf_tables.h).

    LIST_ELEM (1), nested
        NAME (1)   "meta"
        DATA (2)   nested: the attributes named in the comment above each pair

All numbers are in network byte order and 32 bits wide where nothing else is said. What the kernel adds by itself on the
way back (a flag that follows from a register, an equal maximum) is taken off, so that values compare equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from percale.netlink.attributes import NESTED, attribute, be16, be32, be64, nested, pairs, parse, string, text_of, u8
from percale.netlink.nftables.expressions import (
    Bitwise,
    Cmp,
    Connlimit,
    Counter,
    Ct,
    CtSet,
    Expression,
    Fib,
    Immediate,
    Limit,
    Log,
    Lookup,
    Masquerade,
    Meta,
    MetaSet,
    Nat,
    Notrack,
    Opaque,
    Payload,
    PayloadSet,
    Range,
    Reject,
    Verdict,
)

__all__ = [
    "decode_datum",
    "decode_expressions",
    "encode_datum",
    "encode_expression",
    "encode_expressions",
]

Attributes = Mapping[int, bytes]

_LIST_ELEM, _NAME, _DATA = 1, 1, 2
_DATA_VALUE, _DATA_VERDICT = 1, 2


class _Names:
    """A two-way table of the kernel's numbers and nft's names; an unknown number becomes its decimal text and back."""

    def __init__(self, *names: str | None, first: int = 0, **others: int) -> None:
        self._numbers = {name: number for number, name in enumerate(names, first) if name} | others
        self._names = {number: name for name, number in self._numbers.items()}

    def number(self, name: str) -> int:
        known = self._numbers.get(name)
        return int(name) if known is None else known

    def name(self, number: int) -> Any:
        return self._names.get(number, str(number))


_VERDICTS = _Names("drop", "accept", **{"continue": -1, "jump": -3, "goto": -4, "return": -5})
_BASES = _Names("link", "network", "transport", "inner")
_COMPARISONS = _Names("eq", "neq", "lt", "lte", "gt", "gte")
_META_KEYS = _Names(
    "length", "protocol", "priority", "mark", "iif", "oif", "iifname", "oifname", "iiftype", "oiftype", "skuid",
    "skgid", "nftrace", "rtclassid", "secmark", "nfproto", "l4proto", "ibrname", "obrname", "pkttype", "cpu",
    "iifgroup", "oifgroup", "cgroup", "random", "ipsec", "iifkind", "oifkind", "ibrpvid", "ibrvproto", "time", "day",
    "hour", "sdif", "sdifname",
)  # fmt: skip
_CT_KEYS = _Names(
    "state", "direction", "status", "mark", "secmark", "expiration", "helper", "l3proto", "src", "dst", "protocol",
    "proto-src", "proto-dst", "label", "packets", "bytes", "avgpkt", "zone", "event", "ip saddr", "ip daddr",
    "ip6 saddr", "ip6 daddr", "id",
)  # fmt: skip
_DIRECTIONS = _Names("original", "reply")
_FIB_RESULTS = _Names("oif", "oifname", "type", first=1)
_FIB_FLAGS = (("saddr", 1), ("daddr", 2), ("mark", 4), ("iif", 8), ("oif", 16))
_FIB_PRESENT = 32
_NAT_KINDS = _Names("snat", "dnat")
_NAT_FAMILIES = _Names(ip=2, ip6=10)
# NF_NAT_RANGE_*: 1 and 2 (address, ports given) follow from the registers and are set by the kernel itself.
_NAT_FLAGS = (("random", 4), ("persistent", 8), ("fully-random", 16))
_REJECTS = _Names("icmp", "tcp reset", "icmpx")
_LIMITS = _Names("packets", "bytes")
_CHECKSUMS = _Names("none", "inet", "sctp")
_LOG_DEFAULT_LEVEL = 4


def _int(attributes: Attributes, kind: int, default: int = 0) -> int:
    value = attributes.get(kind)
    return default if value is None else int.from_bytes(value, "big")


def _signed(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def _optional(attributes: Attributes, kind: int) -> int | None:
    value = attributes.get(kind)
    return None if value is None else int.from_bytes(value, "big")


def _value(payload: bytes) -> bytes:
    return parse(payload).get(_DATA_VALUE, b"")


def _flag_names(flags: int, table: tuple[tuple[str, int], ...]) -> tuple[Any, ...]:
    return tuple(name for name, bit in table if flags & bit)


def _flag_bits(names: tuple[str, ...], table: tuple[tuple[str, int], ...]) -> int:
    return sum(bit for name, bit in table if name in names)


# Data: VALUE (1) bytes, or VERDICT (2) nested { CODE (1), CHAIN (2) }; also the datum of a set's element.
def encode_datum(kind: int, datum: bytes | Verdict) -> bytes:
    """An attribute that holds bytes or a verdict."""
    if isinstance(datum, bytes):
        return nested(kind, attribute(_DATA_VALUE, datum))
    chain = string(2, datum.chain) if datum.chain else b""
    return nested(kind, nested(_DATA_VERDICT, be32(1, _VERDICTS.number(datum.code)), chain))


@lru_cache(maxsize=8192)
def decode_datum(payload: bytes) -> bytes | Verdict:
    """The bytes or the verdict of a data attribute's payload."""
    attributes = parse(payload)
    if _DATA_VERDICT not in attributes:
        return attributes.get(_DATA_VALUE, b"")
    verdict = parse(attributes[_DATA_VERDICT])
    return Verdict(_VERDICTS.name(_signed(verdict[1])), text_of(verdict.get(2, b"")))


# immediate: DREG (1), DATA (2)
def _encode_verdict(verdict: Verdict) -> bytes:
    return be32(1, 0) + encode_datum(2, verdict)


def _encode_immediate(immediate: Immediate) -> bytes:
    return be32(1, immediate.register) + encode_datum(2, immediate.data)


def _decode_immediate(attributes: Attributes) -> Expression:
    datum = decode_datum(attributes[2])
    return Immediate(datum, _int(attributes, 1)) if isinstance(datum, bytes) else datum


# payload: DREG (1) or SREG (5), BASE (2), OFFSET (3), LEN (4), CSUM_TYPE (6), CSUM_OFFSET (7), CSUM_FLAGS (8)
def _encode_payload(payload: Payload) -> bytes:
    place = be32(2, _BASES.number(payload.base)) + be32(3, payload.offset) + be32(4, payload.length)
    return be32(1, payload.register) + place


def _encode_payload_set(payload: PayloadSet) -> bytes:
    place = be32(2, _BASES.number(payload.base)) + be32(3, payload.offset) + be32(4, payload.length)
    checksum = be32(6, _CHECKSUMS.number(payload.checksum)) + be32(7, payload.checksum_offset)
    return be32(5, payload.register) + place + checksum


def _decode_payload(attributes: Attributes) -> Expression:
    base, offset, length = _BASES.name(_int(attributes, 2)), _int(attributes, 3), _int(attributes, 4)
    if 5 not in attributes:
        return Payload(base, offset, length, _int(attributes, 1))
    checksum = _CHECKSUMS.name(_int(attributes, 6))
    return PayloadSet(base, offset, length, _int(attributes, 5), checksum, _int(attributes, 7))


# meta: DREG (1) or SREG (3), KEY (2)
def _encode_meta(meta: Meta) -> bytes:
    return be32(1, meta.register) + be32(2, _META_KEYS.number(meta.key))


def _encode_meta_set(meta: MetaSet) -> bytes:
    return be32(2, _META_KEYS.number(meta.key)) + be32(3, meta.register)


def _decode_meta(attributes: Attributes) -> Expression:
    key = _META_KEYS.name(_int(attributes, 2))
    return MetaSet(key, _int(attributes, 3)) if 3 in attributes else Meta(key, _int(attributes, 1))


# ct: DREG (1) or SREG (4), KEY (2), DIRECTION (3, 8 bits)
def _encode_ct(ct: Ct) -> bytes:
    direction = u8(3, _DIRECTIONS.number(ct.direction)) if ct.direction else b""
    return be32(1, ct.register) + be32(2, _CT_KEYS.number(ct.key)) + direction


def _encode_ct_set(ct: CtSet) -> bytes:
    return be32(2, _CT_KEYS.number(ct.key)) + be32(4, ct.register)


def _decode_ct(attributes: Attributes) -> Expression:
    key = _CT_KEYS.name(_int(attributes, 2))
    if 4 in attributes:
        return CtSet(key, _int(attributes, 4))
    return Ct(key, _int(attributes, 1), _DIRECTIONS.name(_int(attributes, 3)) if 3 in attributes else None)


# cmp: SREG (1), OP (2), DATA (3)
def _encode_cmp(cmp: Cmp) -> bytes:
    return be32(1, cmp.register) + be32(2, _COMPARISONS.number(cmp.op)) + encode_datum(3, cmp.data)


def _decode_cmp(attributes: Attributes) -> Expression:
    return Cmp(_COMPARISONS.name(_int(attributes, 2)), _value(attributes[3]), _int(attributes, 1))


# range: SREG (1), OP (2), FROM_DATA (3), TO_DATA (4)
def _encode_range(ends: Range) -> bytes:
    limits = encode_datum(3, ends.low) + encode_datum(4, ends.high)
    return be32(1, ends.register) + be32(2, _COMPARISONS.number(ends.op)) + limits


def _decode_range(attributes: Attributes) -> Expression:
    op = _COMPARISONS.name(_int(attributes, 2))
    return Range(op, _value(attributes[3]), _value(attributes[4]), _int(attributes, 1))


# bitwise: SREG (1), DREG (2), LEN (3), MASK (4), XOR (5), OP (6, 0 is mask and xor)
def _encode_bitwise(bits: Bitwise) -> bytes:
    registers = be32(1, bits.source) + be32(2, bits.destination) + be32(3, len(bits.mask))
    return registers + encode_datum(4, bits.mask) + encode_datum(5, bits.xor)


def _decode_bitwise(attributes: Attributes) -> Expression:
    return Bitwise(_value(attributes[4]), _value(attributes[5]), _int(attributes, 1), _int(attributes, 2))


# lookup: SET (1), SREG (2), DREG (3), FLAGS (5, 1 is invert)
def _encode_lookup(lookup: Lookup) -> bytes:
    destination = b"" if lookup.destination is None else be32(3, lookup.destination)
    return string(1, lookup.set_name) + be32(2, lookup.register) + destination + be32(5, lookup.invert)


def _decode_lookup(attributes: Attributes) -> Expression:
    invert = bool(_int(attributes, 5) & 1)
    return Lookup(text_of(attributes[1]), _int(attributes, 2), _optional(attributes, 3), invert)


# fib: DREG (1), RESULT (2), FLAGS (3)
def _encode_fib(fib: Fib) -> bytes:
    flags = _flag_bits(fib.flags, _FIB_FLAGS) | (_FIB_PRESENT if fib.present else 0)
    return be32(1, fib.register) + be32(2, _FIB_RESULTS.number(fib.result)) + be32(3, flags)


def _decode_fib(attributes: Attributes) -> Expression:
    flags = _int(attributes, 3)
    result = _FIB_RESULTS.name(_int(attributes, 2))
    return Fib(_flag_names(flags, _FIB_FLAGS), result, bool(flags & _FIB_PRESENT), _int(attributes, 1))


# masq: FLAGS (1), REG_PROTO_MIN (2), REG_PROTO_MAX (3)
def _encode_masquerade(masquerade: Masquerade) -> bytes:
    flags = _flag_bits(masquerade.flags, _NAT_FLAGS)
    return be32(1, flags) + _registers((2, masquerade.port_min), (3, masquerade.port_max))


def _decode_masquerade(attributes: Attributes) -> Expression:
    ports = _least_and_greatest(attributes, 2, 3)
    return Masquerade(_flag_names(_int(attributes, 1), _NAT_FLAGS), *ports)


# nat: TYPE (1), FAMILY (2), REG_ADDR_MIN (3), REG_ADDR_MAX (4), REG_PROTO_MIN (5), REG_PROTO_MAX (6), FLAGS (7)
def _encode_nat(nat: Nat) -> bytes:
    head = be32(1, _NAT_KINDS.number(nat.kind)) + be32(2, _NAT_FAMILIES.number(nat.family))
    addresses = _registers((3, nat.address_min), (4, nat.address_max))
    ports = _registers((5, nat.port_min), (6, nat.port_max))
    flags = _flag_bits(nat.flags, _NAT_FLAGS)
    return head + addresses + ports + (be32(7, flags) if flags else b"")


def _decode_nat(attributes: Attributes) -> Expression:
    kind, family = _NAT_KINDS.name(_int(attributes, 1)), _NAT_FAMILIES.name(_int(attributes, 2))
    addresses, ports = _least_and_greatest(attributes, 3, 4), _least_and_greatest(attributes, 5, 6)
    return Nat(kind, family, *addresses, *ports, _flag_names(_int(attributes, 7), _NAT_FLAGS))


def _registers(*registers: tuple[int, int | None]) -> bytes:
    return b"".join(be32(kind, number) for kind, number in registers if number is not None)


def _least_and_greatest(attributes: Attributes, low: int, high: int) -> tuple[int | None, int | None]:
    """Two registers of a range; the kernel reports an absent greatest one as the least one."""
    least, greatest = _optional(attributes, low), _optional(attributes, high)
    return least, None if greatest == least else greatest


# reject: TYPE (1), ICMP_CODE (2, 8 bits, not for a reset)
def _encode_reject(reject: Reject) -> bytes:
    return be32(1, _REJECTS.number(reject.kind)) + u8(2, reject.code)


def _decode_reject(attributes: Attributes) -> Expression:
    return Reject(_REJECTS.name(_int(attributes, 1)), _int(attributes, 2))


# log: GROUP (1, 16 bits), PREFIX (2), SNAPLEN (3), QTHRESHOLD (4, 16 bits), LEVEL (5), FLAGS (6)
def _encode_log(log: Log) -> bytes:
    prefix = string(2, log.prefix) if log.prefix else b""
    if log.group is None:
        return prefix + be32(5, log.level)
    snaplen = be32(3, log.snaplen) if log.snaplen else b""
    return be16(1, log.group) + prefix + snaplen + (be16(4, log.qthreshold) if log.qthreshold else b"")


def _decode_log(attributes: Attributes) -> Expression:
    level, group = _int(attributes, 5, _LOG_DEFAULT_LEVEL), _optional(attributes, 1)
    return Log(text_of(attributes.get(2, b"")), level, group, _int(attributes, 3), _int(attributes, 4))


# counter: BYTES (1, 64 bits), PACKETS (2, 64 bits)
def _encode_counter(_: Counter) -> bytes:
    return be64(1, 0) + be64(2, 0)


def _decode_counter(attributes: Attributes) -> Expression:
    return Counter(packets=_int(attributes, 2), bytes=_int(attributes, 1))


# limit: RATE (1, 64 bits), UNIT (2, 64 bits), BURST (3), TYPE (4), FLAGS (5, 1 is over)
def _encode_limit(limit: Limit) -> bytes:
    how = be32(3, limit.burst) + be32(4, _LIMITS.number(limit.kind)) + be32(5, limit.over)
    return be64(1, limit.rate) + be64(2, limit.unit) + how


def _decode_limit(attributes: Attributes) -> Expression:
    kind, over = _LIMITS.name(_int(attributes, 4)), bool(_int(attributes, 5) & 1)
    return Limit(_int(attributes, 1), _int(attributes, 2), _int(attributes, 3), kind, over)


# connlimit: COUNT (1), FLAGS (2, 1 is over)
def _encode_connlimit(limit: Connlimit) -> bytes:
    return be32(1, limit.count) + be32(2, limit.over)


def _decode_connlimit(attributes: Attributes) -> Expression:
    return Connlimit(_int(attributes, 1), bool(_int(attributes, 2) & 1))


_ENCODERS: dict[type, tuple[str, Callable[[Any], bytes]]] = {
    Verdict: ("immediate", _encode_verdict),
    Immediate: ("immediate", _encode_immediate),
    Payload: ("payload", _encode_payload),
    PayloadSet: ("payload", _encode_payload_set),
    Meta: ("meta", _encode_meta),
    MetaSet: ("meta", _encode_meta_set),
    Ct: ("ct", _encode_ct),
    CtSet: ("ct", _encode_ct_set),
    Cmp: ("cmp", _encode_cmp),
    Range: ("range", _encode_range),
    Bitwise: ("bitwise", _encode_bitwise),
    Lookup: ("lookup", _encode_lookup),
    Fib: ("fib", _encode_fib),
    Masquerade: ("masq", _encode_masquerade),
    Nat: ("nat", _encode_nat),
    Reject: ("reject", _encode_reject),
    Log: ("log", _encode_log),
    Counter: ("counter", _encode_counter),
    Limit: ("limit", _encode_limit),
    Connlimit: ("connlimit", _encode_connlimit),
    Notrack: ("notrack", lambda _: b""),
}

_DECODERS: dict[str, Callable[[Attributes], Expression]] = {
    "immediate": _decode_immediate,
    "payload": _decode_payload,
    "meta": _decode_meta,
    "ct": _decode_ct,
    "cmp": _decode_cmp,
    "range": _decode_range,
    "bitwise": _decode_bitwise,
    "lookup": _decode_lookup,
    "fib": _decode_fib,
    "masq": _decode_masquerade,
    "nat": _decode_nat,
    "reject": _decode_reject,
    "log": _decode_log,
    "counter": _decode_counter,
    "limit": _decode_limit,
    "connlimit": _decode_connlimit,
    "notrack": lambda _: Notrack(),
}


# Rules repeat the same few loads, comparisons and verdicts: hashing a value costs a fifth of encoding it.
@lru_cache(maxsize=8192)
def encode_expression(expression: Expression) -> bytes:
    """One expression as an element of an expression list."""
    if isinstance(expression, Opaque):
        name, data = expression.name, expression.data
    else:
        name, encode = _ENCODERS[type(expression)]
        data = encode(expression)
    return nested(_LIST_ELEM, string(_NAME, name), attribute(_DATA | NESTED, data))


def encode_expressions(kind: int, expressions: tuple[Expression, ...]) -> bytes:
    """An attribute that holds a list of expressions."""
    return nested(kind, *map(encode_expression, expressions))


def decode_expressions(payload: bytes) -> tuple[Expression, ...]:
    """The expressions of a list attribute's payload; what this codec does not model becomes ``Opaque``."""
    return tuple(_decode_expression(element) for _, element in pairs(payload))


@lru_cache(maxsize=8192)
def _decode_expression(payload: bytes) -> Expression:
    attributes = parse(payload)
    name, data = text_of(attributes[_NAME]), attributes.get(_DATA, b"")
    decode = _DECODERS.get(name)
    return Opaque(name, data) if decode is None else decode(parse(data))
