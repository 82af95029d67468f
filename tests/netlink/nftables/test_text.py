# SPDX-License-Identifier: Apache-2.0
"""The text of rules, elements and operations."""

from __future__ import annotations

import struct

import pytest

from percale.netlink.nftables.datatypes import (
    CT_ESTABLISHED,
    CT_INVALID,
    CT_RELATED,
    IFNAME,
    INET_PROTO,
    INET_SERVICE,
    IPV4_ADDR,
    VERDICT,
)
from percale.netlink.nftables.expressions import (
    ACCEPT,
    DROP,
    Bitwise,
    Cmp,
    Connlimit,
    Counter,
    Ct,
    CtSet,
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
    goto,
    register,
)
from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table
from percale.netlink.nftables.operations import Add, Batch, Create, Delete, DeleteElements, Flush, Insert, Replace
from percale.netlink.nftables.text import element_text, expressions_text, operation_text, rule_text

SADDR, DADDR, DPORT = Payload("network", 12, 4), Payload("network", 16, 4), Payload("transport", 2, 2)
TCP = (Meta("l4proto"), Cmp("eq", b"\6"))


def u32(number):
    return struct.pack("=I", number)


TEXTS = [
    ((Meta("iifname"), Cmp("eq", b"cali"), DROP), 'iifname "cali*" drop'),
    ((Meta("oifname"), Cmp("neq", b"eth0".ljust(16, b"\0")), ACCEPT), 'oifname != "eth0" accept'),
    ((Meta("iifname"), Ct("state", 2), Lookup("from_wl", 1, 0)), "iifname . ct state vmap @from_wl"),
    ((*TCP, DPORT, Cmp("eq", b"\0\x50"), goto("p")), "meta l4proto tcp th dport 80 goto p"),
    ((DPORT, Range("neq", b"\0\1", b"\0\5")), "th dport != 1-5"),
    ((DPORT, Cmp("gte", b"\0\1")), "th dport >= 1"),
    ((SADDR, Bitwise(b"\xff\0\0\0", bytes(4)), Cmp("eq", b"\x0a\0\0\0")), "ip saddr 10.0.0.0/8"),
    ((SADDR, Lookup("s4", invert=True)), "ip saddr != @s4"),
    ((SADDR, Payload("network", 16, 4, register(1)), Lookup("pairs")), "ip saddr . ip daddr @pairs"),
    ((DADDR, Lookup("fip", 1, 1), Nat("dnat", "ip")), "dnat ip to ip daddr map @fip"),
    ((Ct("state"), Bitwise(u32(CT_ESTABLISHED | CT_RELATED), bytes(4)), Cmp("neq", bytes(4)), ACCEPT),
     "ct state established,related accept"),
    ((Ct("state"), Bitwise(u32(CT_INVALID), bytes(4)), Cmp("neq", bytes(4)), DROP), "ct state invalid drop"),
    ((Meta("mark"), Bitwise(u32(16), bytes(4)), Cmp("eq", u32(16))), "meta mark & 0x00000010 == 0x00000010"),
    ((Immediate(u32(5)), MetaSet("mark"), CtSet("mark")), "meta mark set 0x00000005 ct mark set 0x00000005"),
    ((Fib(("saddr", "mark", "iif"), "oif"), Cmp("eq", bytes(4)), DROP), "fib saddr . mark . iif oif 0 drop"),
    ((Masquerade(("fully-random",)),), "masquerade fully-random"),
    ((Immediate(b"\3\xe8"), Immediate(b"\7\xd0", 2), Masquerade((), 1, 2)), "masquerade to :1000-2000"),
    ((Immediate(b"\1\2\3\4"), Immediate(b"\0\x50", 2), Nat("dnat", "ip", 1, None, 2)), "dnat ip to 1.2.3.4:80"),
    ((Reject(),), "reject with icmpx port-unreachable"),
    ((Reject("tcp reset", 0),), "reject with tcp reset"),
    ((Log("x: ", 6),), 'log prefix "x: " level info'),
    ((Log("x", group=2, snaplen=80),), 'log prefix "x" group 2 snaplen 80'),
    ((Limit(10, over=True), DROP), "limit rate over 10/second burst 5 packets drop"),
    ((Connlimit(10, over=True),), "ct count over 10"),
    ((Counter(), Notrack()), "counter notrack"),
    ((Payload("network", 4, 2), Cmp("eq", b"\0\1")), "@nh,32,16 0x0001"),
    ((Immediate(b"\0\1"), PayloadSet("network", 4, 2)), "@nh,32,16 set 1"),
    ((Opaque("quota", b""),), "[quota]"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_rules_print_in_the_words_of_nft(rule, text):
    """Loads are shown where they are used, with the value's own text."""
    assert text == expressions_text(rule)


def test_a_comment_ends_the_rule():
    """The comment stands behind the expressions, in quotes."""
    rule = Rule("c", (ACCEPT,), "why")
    assert rule_text(rule) == 'accept comment "why"'
    assert str(rule) == 'c accept comment "why"'


DISPATCH = Set("from_wl", (IFNAME,), (VERDICT,))
NETS = Set("nets", (IPV4_ADDR,), interval=True)
CELLS = Set("cells", (INET_PROTO, INET_SERVICE), interval=True)


@pytest.mark.parametrize(
    ("item", "element", "text"),
    [
        (DISPATCH, Element(DISPATCH.key_of("cali1"), None, goto("p")), '"cali1" : goto p'),
        (NETS, Element(NETS.key_of("10.0.0.0"), NETS.key_of("10.255.255.255")), "10.0.0.0/8"),
        (NETS, Element(NETS.key_of("10.0.0.1"), NETS.key_of("10.0.0.2")), "10.0.0.1-10.0.0.2"),
        (NETS, Element(NETS.key_of("0.0.0.0"), NETS.key_of("255.255.255.255")), "0.0.0.0/0"),
        (NETS, b"\x0a\0\0\1", "10.0.0.1"),
        (CELLS, Element(CELLS.key_of("tcp", 80), CELLS.key_of("tcp", 90)), "tcp . 80-90"),
        (CELLS, Element(CELLS.key_of("tcp", 80)), "tcp . 80"),
    ],
)
def test_elements_print_in_the_words_of_nft(item, element, text):
    """Single keys, ranges, prefixes and data."""
    assert text == element_text(item, element)


TABLE, CHAIN, RULE = Table("inet", "t"), Chain("c"), Rule("c", (ACCEPT,), handle=7)


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (Create(Table("inet", "t", "ours")), 'create table inet t { comment "ours"; }'),
        (Delete(TABLE), "delete table inet t"),
        (Add(CHAIN), "add chain inet t c"),
        (Add(Chain("f", "filter", "forward", -1)),
         "add chain inet t f { type filter hook forward priority -1; policy accept; }"),
        (Flush(CHAIN), "flush chain inet t c"),
        (Add(NETS), "add set inet t nets { type ipv4_addr; flags interval; }"),
        (Delete(DISPATCH), "delete map inet t from_wl"),
        (Add(RULE), "add rule inet t c accept"),
        (Add(RULE, after=5), "add rule inet t c position 5 accept"),
        (Insert(RULE), "insert rule inet t c accept"),
        (Replace(RULE, 5), "replace rule inet t c handle 5 accept"),
        (Delete(RULE), "delete rule inet t c handle 7"),
        (DeleteElements(NETS, [b"\x0a\0\0\1", b"\x0a\0\0\2"]), "delete element inet t nets { 10.0.0.1, 10.0.0.2 }"),
    ],
)  # fmt: skip
def test_operations_print_as_lines_for_nft(operation, text):
    """One line per operation, and a batch is its lines."""
    assert text == operation_text(operation, TABLE)
    assert f"{text}\n{text}" == str(Batch(TABLE, (operation, operation)))
