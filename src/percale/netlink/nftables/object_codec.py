# SPDX-License-Identifier: Apache-2.0
"""Tables, chains, sets and rules to and from the kernel's attributes (linux/netfilter/nf_tables.h).

Comments travel as user data in the records of libnftnl, so that ``nft list`` shows them:

     0      1      2
    +------+------+-------------+
    | type | n    | n bytes     |  ...      a comment is a text with its closing zero
    +------+------+-------------+
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from percale.netlink.attributes import attribute, be32, nested, parse, string, text_of
from percale.netlink.nftables.datatypes import (
    VERDICT,
    DataType,
    concatenated_length,
    concatenated_number,
    types_of_number,
)
from percale.netlink.nftables.expression_codec import decode_expressions, encode_expressions
from percale.netlink.nftables.objects import Chain, Rule, Set, Table

__all__ = [
    "FAMILIES",
    "decode_chain",
    "decode_rule",
    "decode_set",
    "decode_table",
    "encode_chain",
    "encode_rule",
    "encode_set",
    "encode_table",
]

Attributes = Mapping[int, bytes]

FAMILIES = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}
_FAMILY_NAMES = {number: name for name, number in FAMILIES.items()}

_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
_ARP_HOOKS = ("input", "output", "forward")
_NETDEV_HOOKS = ("ingress", "egress")
_POLICIES = ("drop", "accept")

_SET_CONSTANT, _SET_INTERVAL, _SET_MAP, _SET_CONCAT = 0x2, 0x4, 0x8, 0x80
_VERDICT_TYPE = 0xFFFFFF00
_VERDICT_LENGTH = 16

_COMMENT = 0
_SET_KEY_BYTEORDER, _SET_DATA_BYTEORDER, _SET_COMMENT = 0, 1, 7
_BYTEORDERS = {"host": 1, "big": 2}
_COMMENT_MAXIMUM = 128

_RECORD = struct.Struct("=BB")
_BYTEORDER = struct.Struct("=BBI")


# table: NAME (1), HANDLE (4, 64 bits), USERDATA (6)
def encode_table(table: Table) -> bytes:
    """The attributes that name and describe a table."""
    return string(1, table.name) + _user_data(6, _comment(_COMMENT, table.comment))


def decode_table(family: int, attributes: Attributes) -> Table:
    """The table that a dump's attributes describe."""
    comment = _comment_of(attributes.get(6, b""), _COMMENT)
    return Table(_FAMILY_NAMES[family], text_of(attributes[1]), comment, _number(attributes, 4))  # type: ignore[arg-type]


# chain: TABLE (1), HANDLE (2), NAME (3), HOOK (4) { HOOKNUM (1), PRIORITY (2) }, POLICY (5), TYPE (7), USERDATA (12)
def encode_chain(family: str, chain: Chain) -> bytes:
    """The attributes that name and describe a chain, without its table."""
    head = string(3, chain.name)
    if chain.is_base:
        hook = nested(4, be32(1, _hooks(family).index(chain.hook)), be32(2, chain.priority))
        head += hook + be32(5, _POLICIES.index(chain.policy)) + string(7, chain.type)
    return head + _user_data(12, _comment(_COMMENT, chain.comment))


def decode_chain(family: str, attributes: Attributes) -> Chain:
    """The chain that a dump's attributes describe."""
    name, handle = text_of(attributes[3]), _number(attributes, 2)
    comment = _comment_of(attributes.get(12, b""), _COMMENT)
    if 4 not in attributes:
        return Chain(name, comment=comment, handle=handle)
    hook = parse(attributes[4])
    return Chain(
        name,
        text_of(attributes[7]),  # type: ignore[arg-type]
        _hooks(family)[_number(hook, 1)],  # type: ignore[arg-type]
        int.from_bytes(hook[2], "big", signed=True),
        _POLICIES[_number(attributes, 5)],  # type: ignore[arg-type]
        comment,
        handle,
    )


def _hooks(family: str) -> tuple[str, ...]:
    return _ARP_HOOKS if family == "arp" else _NETDEV_HOOKS if family == "netdev" else _HOOKS


# set: TABLE (1), NAME (2), FLAGS (3), KEY_TYPE (4), KEY_LEN (5), DATA_TYPE (6), DATA_LEN (7),
#      DESC (9) { CONCAT (2) { ELEM (1) { LEN (1) } ... } }, ID (10), USERDATA (13), HANDLE (16, 64 bits)
def encode_set(item: Set, identity: int) -> bytes:
    """The attributes that name and describe a set, without its table; ``identity`` is unique within the batch."""
    description = b""
    flags = _SET_CONSTANT * item.constant | _SET_INTERVAL * item.interval | _SET_MAP * item.is_map
    if item.interval and len(item.key) > 1:
        flags |= _SET_CONCAT
        description = nested(9, nested(2, *(nested(1, be32(1, component.size)) for component in item.key)))
    key = be32(3, flags) + be32(4, concatenated_number(item.key)) + be32(5, item.key_length)
    records = _byteorder(_SET_KEY_BYTEORDER, item.key)
    data = b""
    if item.data is not None:
        data = _encode_data_type(item.data)
        records += _byteorder(_SET_DATA_BYTEORDER, item.data)
    records += _comment(_SET_COMMENT, item.comment)
    return string(2, item.name) + key + data + description + be32(10, identity) + _user_data(13, records)


def decode_set(attributes: Attributes) -> Set:
    """The set that a dump's attributes describe."""
    flags = _number(attributes, 3)
    data = _decode_data_type(attributes) if flags & _SET_MAP else None
    return Set(
        text_of(attributes[2]),
        types_of_number(_number(attributes, 4), _number(attributes, 5)),
        data,
        bool(flags & _SET_INTERVAL),
        bool(flags & _SET_CONSTANT),
        _comment_of(attributes.get(13, b""), _SET_COMMENT),
        _number(attributes, 16),
    )


def _encode_data_type(data: tuple[DataType, ...]) -> bytes:
    if data == (VERDICT,):
        return be32(6, _VERDICT_TYPE) + be32(7, _VERDICT_LENGTH)
    return be32(6, concatenated_number(data)) + be32(7, concatenated_length(data))


def _decode_data_type(attributes: Attributes) -> tuple[DataType, ...]:
    number = _number(attributes, 6)
    return (VERDICT,) if number == _VERDICT_TYPE else types_of_number(number, _number(attributes, 7))


def _byteorder(kind: int, components: tuple[DataType, ...]) -> bytes:
    """What makes ``nft list`` print numbers of host byte order rightly.

    For a concatenation it goes by the types; for verdicts nft 1.0.6 fails an assertion if an order is named.
    """
    single = len(components) == 1 and components != (VERDICT,)
    order = _BYTEORDERS[components[0].byteorder] if single else 0
    return _BYTEORDER.pack(kind, 4, order)


# rule: TABLE (1), CHAIN (2), HANDLE (3, 64 bits), EXPRESSIONS (4), POSITION (6, 64 bits), USERDATA (7)
def encode_rule(rule: Rule) -> bytes:
    """The attributes of a rule, without its table, handle and position; a comment above 128 bytes is a ValueError."""
    body = string(2, rule.chain) + encode_expressions(4, rule.expressions)
    return body + _user_data(7, _comment(_COMMENT, rule.comment)) if rule.comment else body


def decode_rule(attributes: Attributes) -> Rule:
    """The rule that a dump's attributes describe."""
    expressions = decode_expressions(attributes.get(4, b""))
    comment = _comment_of(attributes.get(7, b""), _COMMENT)
    return Rule(text_of(attributes[2]), expressions, comment, _number(attributes, 3))


def _number(attributes: Attributes, kind: int) -> int:
    return int.from_bytes(attributes.get(kind, b""), "big")


def _user_data(kind: int, records: bytes) -> bytes:
    return attribute(kind, records) if records else b""


def _comment(kind: int, comment: str) -> bytes:
    if not comment:
        return b""
    text = comment.encode()
    if len(text) > _COMMENT_MAXIMUM:
        raise ValueError(f"the comment {comment!r} has {len(text)} bytes; nft allows {_COMMENT_MAXIMUM}")
    return _RECORD.pack(kind, len(text) + 1) + text + b"\0"


def _comment_of(records: bytes, wanted: int) -> str:
    offset = 0
    while offset + 2 <= len(records):
        kind, length = _RECORD.unpack_from(records, offset)
        if kind == wanted:
            return text_of(records[offset + 2 : offset + 2 + length])
        offset += 2 + length
    return ""
