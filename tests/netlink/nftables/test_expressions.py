# SPDX-License-Identifier: Apache-2.0
"""Expressions: what is sent to the kernel is what is read back."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.netlink.attributes import pairs
from percale.netlink.nftables import expressions
from percale.netlink.nftables.datatypes import IPV4_ADDR, VERDICT
from percale.netlink.nftables.expression_codec import decode_expressions, encode_expressions
from percale.netlink.nftables.expressions import (
    ACCEPT,
    DROP,
    RETURN,
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
    Verdict,
    goto,
    jump,
    register,
    register_offset,
)
from percale.netlink.nftables.objects import Chain, Rule, Set

ADDRESSES = Set("addresses", (IPV4_ADDR,))
TRANSLATION = Set("translation", (IPV4_ADDR,), (IPV4_ADDR,))
DISPATCH = Set("dispatch", (IPV4_ADDR,), (VERDICT,))
CHAINS = (
    Chain("forward", "filter", "forward"),
    Chain("raw", "filter", "prerouting", -300),
    Chain("source", "nat", "postrouting", 100),
    Chain("destination", "nat", "prerouting", -100),
    Chain("target"),
)
SADDR = Payload("network", 12, 4)
TCP = (Meta("l4proto"), Cmp("eq", b"\6"))
MARK = struct.pack("=I", 0x10)

RULES = [
    *(Rule("target", (Payload(base, 4, 4),)) for base in ("link", "network", "transport")),
    Rule("target", (Payload("network", 8, 16, 2), Payload("transport", 2, 2, register(5)))),
    Rule("target", (Payload("network", 0, 2), PayloadSet("network", 0, 2, 1, "inet", 10))),
    Rule("target", (Immediate(b"\1"), PayloadSet("network", 1, 1))),
    *(
        Rule("target", (Meta(key),))
        for key in ("protocol", "nfproto", "l4proto", "iifname", "oifname", "iif", "oif", "mark", "iiftype", "pkttype")
    ),
    Rule("target", (Immediate(MARK), MetaSet("mark"), MetaSet("nftrace"))),
    *(Rule("target", (Ct(key),)) for key in ("state", "status", "direction", "mark")),
    Rule("target", (Ct("ip saddr", 1, "original"), Ct("ip saddr", 2, "reply"))),
    Rule("target", (Immediate(MARK), CtSet("mark"))),
    *(Rule("target", (SADDR, Cmp(op, b"\1\2\3\4"))) for op in ("eq", "neq", "lt", "lte", "gt", "gte")),
    *(Rule("target", (Meta("iifname"), Cmp("eq", b"calicalicalicali"[:length]))) for length in (1, 4, 5, 15, 16)),
    Rule("target", (Meta("iifname"), Cmp("neq", b"cali"))),
    Rule("target", (Meta("iifname", 3), Cmp("eq", b"eth0".ljust(16, b"\0"), 3))),
    *(Rule("target", (Payload("transport", 2, 2), Range(op, b"\0\1", b"\0\5"))) for op in ("eq", "neq")),
    Rule("target", (Meta("mark"), Bitwise(MARK, bytes(4)), Cmp("eq", MARK))),
    Rule("target", (Meta("mark"), Bitwise(bytes(4), MARK, 1, register(1)), MetaSet("mark", register(1)))),
    Rule("target", (SADDR, Lookup("addresses"))),
    Rule("target", (SADDR, Lookup("addresses", invert=True))),
    Rule("target", (SADDR, Lookup("translation", 1, 2))),
    Rule("forward", (SADDR, Lookup("dispatch", 1, 0))),
    *(Rule("target", (Immediate(bytes(range(length))),)) for length in (1, 2, 4, 16)),
    *(Rule("target", (verdict,)) for verdict in (ACCEPT, DROP, RETURN, Verdict("continue"))),
    *(Rule("forward", (verdict,)) for verdict in (jump("target"), goto("target"))),
    *(Rule("raw", (Fib(("saddr", "mark", "iif"), result, present),))
      for result, present in (("oif", False), ("oif", True), ("oifname", False))),
    *(Rule("raw", (Fib((flag,), "type"),)) for flag in ("saddr", "daddr")),
    *(
        Rule("source", (Masquerade(flags),))
        for flags in ((), ("random",), ("persistent",), ("fully-random",), ("persistent", "fully-random"))
    ),
    Rule("source", (*TCP, Immediate(b"\3\xe8"), Immediate(b"\7\xd0", 2), Masquerade((), 1, 2))),
    Rule("source", (*TCP, Immediate(b"\3\xe8"), Masquerade(("random",), 1))),
    Rule("source", (Immediate(b"\1\2\3\4"), Nat("snat", "ip"))),
    Rule("source", (Immediate(bytes(16)), Nat("snat", "ip6"))),
    Rule("destination", (Immediate(b"\1\2\3\4"), Nat("dnat", "ip"))),
    Rule("destination", (*TCP, Immediate(b"\1\2\3\4"), Immediate(b"\0\5", 2), Nat("dnat", "ip", 1, None, 2))),
    Rule("source", (*TCP, Immediate(b"\1\2\3\4"), Immediate(b"\1\2\3\7", 2), Immediate(b"\0\5", 3),
                    Immediate(b"\0\6", 4), Nat("snat", "ip", 1, 2, 3, 4, ("persistent",)))),
    Rule("source", (SADDR, Lookup("translation", 1, 1), Nat("snat", "ip"))),
    *(Rule("target", (Reject(kind, code),)) for kind, code in (("icmpx", 0), ("icmpx", 1), ("icmpx", 3))),
    Rule("target", (*TCP, Reject("tcp reset", 0))),
    Rule("target", (Meta("nfproto"), Cmp("eq", b"\2"), Reject("icmp", 13))),
    *(Rule("target", (log,)) for log in (
        Log(), Log("x", 6), Log("p" * 127, 0), Log("a b: ", group=3), Log("x", group=0, snaplen=80, qthreshold=20))),
    Rule("target", (Counter(),)),
    *(Rule("target", (limit,)) for limit in (
        Limit(10), Limit(10, over=True), Limit(1, 60, 7), Limit(1024, 1, 512, "bytes"), Limit(5, 3600, 5, over=True))),
    *(Rule("target", (Connlimit(count, over),)) for count, over in ((1, False), (10, True))),
    Rule("raw", (Notrack(),)),
]  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "+".join(type(one).__name__ for one in rule.expressions))
def test_a_rule_reads_back_as_sent(bench, rule):
    """The kernel's dump of a rule decodes to the value that was sent."""
    bench.add(*CHAINS, ADDRESSES, TRANSLATION, DISPATCH, rule)
    assert [rule] == bench.rules(rule.chain)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "+".join(type(one).__name__ for one in rule.expressions))
def test_the_codec_agrees_with_itself(rule):
    """Decoding undoes encoding, without a kernel between."""
    ((_, payload),) = pairs(encode_expressions(4, rule.expressions))
    assert rule.expressions == decode_expressions(payload)


def test_no_expression_is_missing_above():
    """The table covers every class of the module but the one for what is not modelled."""
    classes = {item for item in vars(expressions).values() if isinstance(item, type) and dataclasses.is_dataclass(item)}
    modelled = classes - {Opaque}
    assert modelled == {type(expression) for rule in RULES for expression in rule.expressions}


@pytest.mark.kernel
def test_a_foreign_expression_is_kept_apart(bench, netns):
    """What the codec does not model reads as ``Opaque`` and can be sent again."""
    bench.add(Chain("target"))
    netns.run("nft", "add set inet bench open { typeof meta l4proto . th dport; flags interval; }")
    netns.run("nft", "add rule inet bench target meta l4proto . th dport @open accept")
    (rule,) = bench.rules()
    assert [one.name for one in rule.expressions if isinstance(one, Opaque)] == ["byteorder"]
    bench.add(rule)
    first, second = bench.rules()
    assert first == second


@pytest.mark.kernel
def test_every_register_reads_back(bench):
    """The numbers that ``register`` gives are those that the kernel reports, for each of the sixteen words."""
    bench.add(Chain("target"), *(Rule("target", (Meta("mark", register(word)),)) for word in range(16)))
    assert [(Meta("mark", register(word)),) for word in range(16)] == [rule.expressions for rule in bench.rules()]


def test_registers_and_offsets_agree():
    """``register_offset`` undoes ``register``; words outside 0 to 15 are refused."""
    assert [4 * word for word in range(16)] == [register_offset(register(word)) for word in range(16)]
    for word in (-1, 16):
        with pytest.raises(ValueError):
            register(word)


def test_counts_are_no_part_of_a_counter():
    """A counter that has counted equals a fresh one, and is sent as zero."""
    assert Counter() == Counter(packets=5, bytes=500)
    assert encode_expressions(4, (Counter(),)) == encode_expressions(4, (Counter(5, 500),))


@given(st.binary(min_size=1, max_size=16), st.binary(min_size=16, max_size=16), st.integers(0, 15))
def test_any_data_survive(data, other, word):
    """Comparisons, ranges and masks keep their bytes."""
    rule = (
        Cmp("eq", data, register(word)),
        Range("neq", data, other[: len(data)]),
        Bitwise(data, other[: len(data)]),
        Immediate(data),
    )
    ((_, payload),) = pairs(encode_expressions(4, rule))
    assert rule == decode_expressions(payload)
