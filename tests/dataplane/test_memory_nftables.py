# SPDX-License-Identifier: Apache-2.0
"""nf_tables in memory refuses what the kernel refuses, with the same error, and applies the rest alike."""

from __future__ import annotations

import errno

import pytest

from percale.dataplane.memory_nftables import MemoryNftables
from percale.dataplane.tables import read_contents
from percale.netlink.nftables.connection import BatchError, NftSocket
from percale.netlink.nftables.datatypes import IFNAME, INET_SERVICE, IPV4_ADDR, VERDICT
from percale.netlink.nftables.expressions import (
    ACCEPT,
    DROP,
    VERDICT_REGISTER,
    Lookup,
    Masquerade,
    Meta,
    Payload,
    goto,
    jump,
)
from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table
from percale.netlink.nftables.operations import (
    Add,
    AddElements,
    Batch,
    Create,
    Delete,
    DeleteElements,
    Flush,
)

TABLE = Table("inet", "t")
BASE = Chain("base", "filter", "forward", 0)
A, B = Chain("a"), Chain("b")
HOSTS, NETS = Set("hosts", (IPV4_ADDR,)), Set("nets", (IPV4_ADDR,), interval=True)
BOTH = Set("both", (IPV4_ADDR, INET_SERVICE), interval=True)
VMAP = Set("vmap", (IFNAME,), (VERDICT,))
KEY = IFNAME.encode("cali1")


def address(last):
    return bytes((10, 0, 0, last))


def net(first, last):
    return Element.between(address(first), address(last))


def look(chain, one):
    return Add(Rule(chain, (Meta("nfproto"), Payload("network", 12, 4), Lookup(one.name))))


SETUP = [Add(TABLE), Add(BASE), Add(A), Add(B), Add(HOSTS), Add(NETS), Add(BOTH), Add(VMAP)]

CASES = {
    "a missing chain cannot be deleted": ([Delete(Chain("c"))], errno.ENOENT),
    "a missing chain cannot be flushed": ([Flush(Chain("c"))], errno.ENOENT),
    "a missing set cannot be deleted": ([Delete(Set("c", (IPV4_ADDR,)))], errno.ENOENT),
    "no rule in a missing chain": ([Add(Rule("c", (ACCEPT,)))], errno.ENOENT),
    "no jump to a missing chain": ([Add(Rule("a", (jump("c"),)))], errno.ENOENT),
    "no look-up in a missing set": ([look("a", Set("c", (IPV4_ADDR,)))], errno.ENOENT),
    "no element in a missing set": ([AddElements(Set("c", (IPV4_ADDR,)), [Element(address(1))])], errno.ENOENT),
    "no element that leads to a missing chain": ([AddElements(VMAP, [Element(KEY, None, goto("c"))])], errno.ENOENT),
    "a missing element cannot be deleted": ([DeleteElements(HOSTS, [Element(address(1))])], errno.ENOENT),
    "a missing interval cannot be deleted": ([DeleteElements(NETS, [net(1, 4)])], errno.ENOENT),
    "a chain that is jumped to cannot be deleted": ([Add(Rule("a", (jump("b"),))), Delete(B)], errno.EBUSY),
    "a chain that an element leads to cannot be deleted": (
        [AddElements(VMAP, [Element(KEY, None, goto("b"))]), Delete(B)],
        errno.EBUSY,
    ),
    "a set that a rule looks into cannot be deleted": ([look("a", HOSTS), Delete(HOSTS)], errno.EBUSY),
    "a chain that is there cannot be created": ([Create(A)], errno.EEXIST),
    "a set that is there cannot be created": ([Create(HOSTS)], errno.EEXIST),
    "overlapping intervals": ([AddElements(NETS, [net(1, 4), net(3, 6)])], errno.EEXIST),
    "an interval inside another": ([AddElements(NETS, [net(1, 9)]), AddElements(NETS, [net(3, 4)])], errno.EEXIST),
    "an interval around another": ([AddElements(NETS, [net(3, 4)]), AddElements(NETS, [net(1, 9)])], errno.EEXIST),
    "other data for a key": (
        [AddElements(VMAP, [Element(KEY, None, ACCEPT)]), AddElements(VMAP, [Element(KEY, None, DROP)])],
        errno.EEXIST,
    ),
    "a loop of two chains": ([Add(BASE), *(Add(Rule(*one)) for one in (
        ("base", (jump("a"),)), ("a", (jump("b"),)), ("b", (jump("a"),))))], errno.EMLINK),
    "a loop through a map": (
        [
            Add(Rule("base", (jump("a"),))),
            Add(Rule("a", (Meta("iifname"), Lookup("vmap", destination=VERDICT_REGISTER)))),
            AddElements(VMAP, [Element(KEY, None, goto("a"))]),
        ],
        errno.EMLINK,
    ),
    "jumps that go too deep": (
        [
            *(Add(Chain(f"c{number}")) for number in range(17)),
            *(Add(Rule(f"c{number}", (jump(f"c{number + 1}"),))) for number in range(16)),
            Add(Rule("base", (jump("c0"),))),
        ],
        errno.EMLINK,
    ),
    "a jump to a base chain": ([Add(Rule("a", (jump("base"),)))], errno.EOPNOTSUPP),
    "masquerade in a filter chain": ([Add(Rule("base", (Masquerade(),)))], errno.EOPNOTSUPP),
    "a map for verdicts must be one": (
        [Add(Rule("a", (Meta("iifname"), Lookup("hosts", destination=VERDICT_REGISTER))))],
        errno.EINVAL,
    ),
}  # fmt: skip

FINE = {
    "adjacent intervals": [AddElements(NETS, [net(1, 4), net(5, 6), Element(address(7))])],
    "an element twice": [AddElements(HOSTS, [Element(address(1))]), AddElements(HOSTS, [Element(address(1))])],
    "an interval in the place of another": [
        AddElements(NETS, [net(0, 255)]),
        DeleteElements(NETS, [net(0, 255)]),
        AddElements(NETS, [net(0, 127), net(200, 255)]),
    ],
    "the last address there is": [AddElements(NETS, [Element.between(bytes((255, 255, 255, 0)), b"\xff" * 4)])],
    "all addresses in two halves": [
        AddElements(NETS, [Element.between(bytes(4), b"\x7f\xff\xff\xff"), Element.between(b"\x80\0\0\0", b"\xff" * 4)])
    ],
    "another verdict for a key": [
        AddElements(VMAP, [Element(KEY, None, ACCEPT)]),
        DeleteElements(VMAP, [Element(KEY, None, ACCEPT)]),
        AddElements(VMAP, [Element(KEY, None, goto("a"))]),
    ],
    "intervals of two components": [
        AddElements(BOTH, [Element.between(address(0) + b"\0\x50\0\0", address(255) + b"\0\x5a\0\0")])
    ],
    "chain and set go after their references": [
        Add(Rule("base", (jump("a"),))),
        look("a", HOSTS),
        Flush(BASE),
        Delete(A),
        Delete(HOSTS),
    ],
    "an object that is there is left as it is": [Add(TABLE), Add(BASE), Add(A), Add(HOSTS)],
    "jumps as deep as they may go": [
        *(Add(Chain(f"c{number}")) for number in range(15)),
        *(Add(Rule(f"c{number}", (jump(f"c{number + 1}"),))) for number in range(14)),
        Add(Rule("base", (jump("c0"),))),
    ],
}


@pytest.fixture(params=["memory", "kernel"])
def nftables(request):
    """nf_tables of both kinds."""
    if request.param == "kernel":
        request.getfixturevalue("netns")
    made = MemoryNftables() if request.param == "memory" else NftSocket()
    made.commit(Batch(TABLE, tuple(SETUP)))
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES)
def test_refused(nftables, case):
    """What is wrong is refused with the kernel's error, and nothing of the batch is done."""
    operations, number = CASES[case]
    before = read_contents(nftables, TABLE)
    with pytest.raises(BatchError) as refusal:
        nftables.commit(Batch(TABLE, (Add(Chain("witness")), *operations)))
    # Older kernels say ELOOP of a loop, newer ones that it goes too deep.
    found = refusal.value.errno
    assert (errno.EMLINK if found == errno.ELOOP else found) == number
    assert read_contents(nftables, TABLE) == before


@pytest.mark.parametrize("case", FINE)
def test_accepted_alike(netns, case):
    """What the kernel accepts is accepted in memory, with the same result."""
    kernel, memory = NftSocket(), MemoryNftables()
    for one in (kernel, memory):
        one.commit(Batch(TABLE, tuple(SETUP)))
        one.commit(Batch(TABLE, tuple(FINE[case])))
    held, expected = read_contents(kernel, TABLE), read_contents(memory, TABLE)
    kernel.close()
    assert (held.chains, held.rules, held.sets, held.elements) == (
        expected.chains, expected.rules, expected.sets, expected.elements,
    )  # fmt: skip
