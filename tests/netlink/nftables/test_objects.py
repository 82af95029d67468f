# SPDX-License-Identifier: Apache-2.0
"""Tables, chains, sets and rules: what is sent to the kernel is what is read back, and what nft prints."""

from __future__ import annotations

import pytest

from percale.netlink.nftables import datatypes
from percale.netlink.nftables.datatypes import (
    CT_STATE,
    IFNAME,
    INET_PROTO,
    INET_SERVICE,
    IPV4_ADDR,
    IPV6_ADDR,
    MARK,
    VERDICT,
    DataType,
)
from percale.netlink.nftables.expressions import ACCEPT
from percale.netlink.nftables.objects import Chain, Rule, Set, Table
from percale.netlink.nftables.operations import Add, Delete

pytestmark = pytest.mark.kernel

CHAINS = [
    *(
        (family, Chain("c", "filter", hook, -7))
        for family in ("inet", "ip", "ip6")
        for hook in ("prerouting", "input", "forward", "output", "postrouting")
    ),
    ("arp", Chain("c", "filter", "input")),
    ("arp", Chain("c", "filter", "output", 0, "drop")),
    ("inet", Chain("c", "nat", "postrouting", 110)),
    ("ip", Chain("c", "route", "output", -150)),
    ("inet", Chain("c", "filter", "forward", 2**31 - 1, "drop", "a comment")),
    ("inet", Chain("c", "filter", "forward", -(2**31))),
    ("inet", Chain("c")),
    ("inet", Chain("c", comment="regular")),
]

SETS = [
    Set("s", (IPV4_ADDR,)),
    Set("s", (IPV6_ADDR,), interval=True),
    Set("s", (IPV4_ADDR,), constant=True, comment="host addresses"),
    Set("s", (IFNAME,), (VERDICT,)),
    Set("s", (IFNAME, CT_STATE), (VERDICT,), comment="dispatch"),
    Set("s", (IFNAME, IPV4_ADDR), interval=True),
    Set("s", (INET_PROTO, INET_SERVICE), (VERDICT,), interval=True),
    Set("s", (IPV4_ADDR, INET_PROTO, INET_SERVICE), interval=True, comment="x"),
    Set("s", (IPV4_ADDR,), (IPV4_ADDR,)),
    Set("s", (IPV4_ADDR, IPV4_ADDR), (IPV4_ADDR, INET_SERVICE)),
    Set("s", (IPV4_ADDR,), (MARK,), interval=True),
    *(Set("s", (item,)) for item in vars(datatypes).values() if isinstance(item, DataType) and item is not VERDICT),
]


@pytest.mark.parametrize(("family", "chain"), CHAINS)
def test_a_chain_reads_back_as_sent(bench, family, chain):
    """Hooks, priorities, policies and comments of every family survive."""
    table = Table(family, "other")
    bench.commit(Add(table), Add(chain), table=table)
    assert [chain] == bench.socket.chains(table)


@pytest.mark.parametrize("item", SETS, ids=str)
def test_a_set_reads_back_as_sent(bench, item):
    """Key and data types, flags and comments survive; every data type is covered."""
    bench.add(item)
    assert [item] == bench.socket.sets(bench.table)


# nft 1.0.6 has no name for the length of an integer.
@pytest.mark.parametrize("item", [item for item in SETS if datatypes.INTEGER not in item.key], ids=str)
def test_nft_prints_the_types_of_a_set(bench, netns, item):
    """``nft list`` shows the type line that a person would have written."""
    bench.add(item)
    listed = " ".join(netns.run("nft", "list", "table", "inet", "bench").split())
    assert str(item).split(";")[0].split("type ")[1] in listed
    assert not item.comment or f'comment "{item.comment}"' in listed
    assert not item.interval or "interval" in listed


@pytest.mark.parametrize("family", ["inet", "ip", "ip6", "arp", "bridge"])
def test_a_table_reads_back_as_sent(bench, family):
    """Family, name and comment survive, by name and in the list."""
    table = Table(family, "other", "layout 1")
    bench.commit(Add(table), table=table)
    assert table == bench.socket.table(family, "other")
    assert {table, bench.table} == set(bench.socket.tables())


def test_an_absent_table_is_none(bench):
    """Asking for a table that is not there, or of another family, is no error."""
    assert bench.socket.table("inet", "missing") is None
    assert bench.socket.table("ip", "bench") is None


def test_other_tables_are_passed_over(bench, netns):
    """Chains, sets and rules of one table only are decoded, even if another has the same names."""
    netns.run("nft", "add table inet stranger; add chain inet stranger c; add rule inet stranger c accept")
    netns.run("nft", "add set inet stranger s { type ipv4_addr; }")
    bench.add(Chain("c"))
    assert ([Chain("c")], [], []) == (bench.socket.chains(bench.table), bench.socket.sets(bench.table), bench.rules())


@pytest.mark.parametrize(("length", "fits"), [(128, True), (129, False)])
@pytest.mark.parametrize(
    "commented",
    [
        lambda comment: Chain("c", comment=comment),
        lambda comment: Set("s", (IPV4_ADDR,), comment=comment),
        lambda comment: Rule("c", (ACCEPT,), comment),
        lambda comment: Table("inet", "t", comment),
    ],
)
def test_the_longest_comment(bench, commented, length, fits):
    """128 bytes of comment are kept, 129 are refused before anything is sent."""
    item = commented("é" + "x" * (length - 2))
    if not fits:
        with pytest.raises(ValueError, match="129 bytes"):
            bench.add(item)
        return
    bench.add(Chain("c"))
    bench.commit(Delete(Chain("c")))
    if isinstance(item, Rule):
        bench.add(Chain("c"))
    bench.add(item)
    found = [*bench.socket.chains(bench.table), *bench.socket.sets(bench.table), *bench.rules(), *bench.socket.tables()]
    assert item in found


def test_nft_prints_a_rule_s_comment(bench, netns):
    """A comment is seen by people who use nft, and theirs by us."""
    bench.add(Chain("c"), Rule("c", (ACCEPT,), "by percale"))
    assert 'accept comment "by percale"' in netns.run("nft", "list", "chain", "inet", "bench", "c")
    netns.run("nft", 'add rule inet bench c drop comment "by nft"')
    assert [rule.comment for rule in bench.rules()] == ["by percale", "by nft"]


def test_an_unknown_key_type_becomes_an_integer(bench, netns):
    """A foreign set whose type is not known keeps its key length."""
    netns.run("nft", "add set inet bench s { type ipv4_addr . dscp; }")
    (item,) = bench.socket.sets(bench.table)
    assert (item.key[0].name, item.key_length) == ("integer", 8)


def test_keys_are_made_of_padded_components():
    """Several components are padded to 4 bytes each, a single one is not."""
    assert Set("s", (INET_PROTO, INET_SERVICE)).key_of("tcp", 80) == b"\6\0\0\0\0\x50\0\0"
    assert Set("s", (INET_SERVICE,)).key_of(80) == b"\0\x50"
    with pytest.raises(ValueError, match="2 values are needed, not 1"):
        Set("s", (INET_PROTO, INET_SERVICE)).key_of("tcp")
