# SPDX-License-Identifier: Apache-2.0
"""Elements: few of every kind, many of a simple kind, intervals that touch."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from percale.netlink.attributes import pairs
from percale.netlink.nftables.connection import BatchError
from percale.netlink.nftables.datatypes import (
    CT_ESTABLISHED,
    CT_NEW,
    CT_STATE,
    ETHER_ADDR,
    IFNAME,
    INET_PROTO,
    INET_SERVICE,
    IPV4_ADDR,
    IPV6_ADDR,
    VERDICT,
)
from percale.netlink.nftables.element_codec import decode_elements, decode_keys, encode_element_lists
from percale.netlink.nftables.expressions import ACCEPT, DROP, goto, jump
from percale.netlink.nftables.objects import Chain, Element, Set
from percale.netlink.nftables.operations import Add, AddElements, DeleteElements, Flush

HOSTS = Set("hosts", (IPV4_ADDR,))
NETS = Set("nets", (IPV4_ADDR,), interval=True)
PORTS = Set("ports", (INET_SERVICE,), interval=True)
NETS6 = Set("nets6", (IPV6_ADDR,), interval=True)
NET_DATA = Set("net_data", (IPV4_ADDR,), (IPV4_ADDR,), interval=True)
DISPATCH = Set("dispatch", (IFNAME, CT_STATE), (VERDICT,))
SOURCES = Set("sources", (IFNAME, IPV4_ADDR), interval=True)
CELLS = Set("cells", (INET_PROTO, INET_SERVICE), (VERDICT,), interval=True)
TRANSLATION = Set("translation", (IPV4_ADDR, IPV4_ADDR), (IPV4_ADDR, INET_SERVICE))


def span(item, low, high, data=None):
    return Element.between(item.key_of(*low), item.key_of(*high), data)


KINDS = [
    (HOSTS, [Element(HOSTS.key_of("192.0.2.1")), Element(HOSTS.key_of("255.255.255.255"))]),
    (NETS, [span(NETS, ["10.0.0.0"], ["10.255.255.255"]), span(NETS, ["192.0.2.7"], ["192.0.2.7"])]),
    (NETS, [span(NETS, ["0.0.0.0"], ["255.255.255.255"])]),
    (NETS, [span(NETS, ["0.0.0.0"], ["0.0.0.0"]), span(NETS, ["255.255.255.255"], ["255.255.255.255"])]),
    (NETS, [span(NETS, [f"10.0.0.{low}"], [f"10.0.0.{low + 9}"]) for low in range(0, 50, 10)]),
    (PORTS, [span(PORTS, [0], [0]), span(PORTS, [22], [25]), span(PORTS, [65535], [65535])]),
    (NETS6, [span(NETS6, ["2001:db8::"], ["2001:db8::ffff:ffff"]), span(NETS6, ["fe80::1"], ["fe80::1"])]),
    (NET_DATA, [span(NET_DATA, ["10.0.0.0"], ["10.0.0.255"], b"\1\2\3\4"),
                span(NET_DATA, ["10.0.1.0"], ["10.0.1.255"], b"\4\3\2\1")]),
    (DISPATCH, [Element(DISPATCH.key_of("cali1", CT_ESTABLISHED), None, ACCEPT),
                Element(DISPATCH.key_of("cali1", CT_NEW), None, goto("prog")),
                Element(DISPATCH.key_of("cali2", CT_NEW), None, jump("prog")),
                Element(DISPATCH.key_of("cali3", CT_NEW), None, DROP)]),
    (SOURCES, [span(SOURCES, ["cali1", "192.0.2.1"], ["cali1", "192.0.2.1"]),
               span(SOURCES, ["cali1", "10.0.0.0"], ["cali1", "10.0.0.255"])]),
    (CELLS, [span(CELLS, ["tcp", 80], ["tcp", 90], goto("prog")), span(CELLS, ["udp", 53], ["udp", 53], ACCEPT)]),
    (TRANSLATION, [Element(TRANSLATION.key_of("192.0.2.1", "192.0.2.2"), None, TRANSLATION.data_of("10.0.0.1", 80))]),
]  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize(("item", "elements"), KINDS)
def test_elements_read_back_as_sent_and_can_be_deleted(bench, item, elements):
    """The kernel's dump of a set decodes to the elements that were sent; deleting them one by one empties it."""
    bench.add(Chain("prog"), item)
    bench.commit(AddElements(item, elements))
    assert sorted(elements, key=repr) == sorted(bench.elements(item), key=repr)
    for number, element in enumerate(elements, 1):
        bench.commit(DeleteElements(item, [element]))
        assert sorted(elements[number:], key=repr) == sorted(bench.elements(item), key=repr)


@pytest.mark.parametrize(("item", "elements"), KINDS)
def test_the_codec_agrees_with_itself(item, elements):
    """Decoding undoes encoding, without a kernel between."""
    assert sorted(elements, key=repr) == sorted(decode_elements(item, payloads(item, elements)), key=repr)


def payloads(item, elements):
    return [payload for packed in encode_element_lists(item, elements) for _, payload in pairs(packed)]


@st.composite
def disjoint_intervals(draw):
    """Intervals of ports that do not overlap but may touch."""
    ends = draw(st.lists(st.integers(0, 65535), min_size=2, max_size=24, unique=True))
    ends.sort()
    intervals = [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=False)]
    if draw(st.booleans()):  # let neighbors touch
        intervals = [(low, after - 1) for (low, _), (after, _) in pairwise(intervals)]
    return [span(PORTS, [low], [high]) for low, high in intervals if low <= high]


@given(disjoint_intervals())
def test_any_disjoint_intervals_survive_the_codec(elements):
    """Gaps, touching ends and single keys are told apart."""
    assert elements == decode_elements(PORTS, payloads(PORTS, elements))


@pytest.mark.kernel
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(disjoint_intervals())
def test_any_disjoint_intervals_survive_the_kernel(bench, elements):
    """The same, with the kernel between."""
    bench.commit(Add(PORTS), Flush(PORTS), AddElements(PORTS, elements))
    assert elements == bench.elements(PORTS)


@given(st.sets(st.binary(min_size=6, max_size=6), max_size=40))
def test_bare_keys_are_encoded_like_elements(keys):
    """The quick form of a key is byte for byte that of an element without anything else."""
    item = Set("macs", (ETHER_ADDR,))
    plain = sorted(keys)
    assert payloads(item, plain) == payloads(item, [Element(key) for key in plain])
    assert plain == decode_keys(item, payloads(item, plain))


@pytest.mark.parametrize("length", [3, 5])
def test_a_bare_key_of_wrong_length_is_refused(length):
    """Keys must have the set's length; the error names the key."""
    with pytest.raises(ValueError, match="the set's keys have 4"):
        list(encode_element_lists(HOSTS, [bytes(4), bytes(length)]))


@pytest.mark.parametrize(("count", "lists"), [(0, 0), (1, 1), (3750, 1), (3751, 2), (7500, 2), (7501, 3)])
def test_lists_are_cut_below_the_attribute_s_limit(count, lists):
    """A list holds at most 60000 bytes of elements, here 3750 of 16 bytes."""
    keys = [number.to_bytes(4, "big") for number in range(count)]
    packed = list(encode_element_lists(HOSTS, keys))
    assert lists == len(packed) == len(list(encode_element_lists(HOSTS, [Element(key) for key in keys])))
    assert all(len(one) <= 60004 for one in packed)


@pytest.mark.kernel
def test_many_keys_read_back(bench):
    """Fifty thousand keys arrive in one batch, and all come back although the kernel is still resizing its table."""
    keys = [number.to_bytes(4, "big") for number in range(50_000)]
    bench.add(HOSTS)
    bench.commit(AddElements(HOSTS, keys))
    assert keys == sorted(bench.socket.keys(bench.table, HOSTS))
    assert keys == sorted(element.key for element in bench.elements(HOSTS))
    bench.commit(DeleteElements(HOSTS, keys[1:]))
    assert keys[:1] == bench.socket.keys(bench.table, HOSTS)


@pytest.mark.kernel
def test_many_elements_with_data_read_back(bench):
    """More elements than one message holds, each with a verdict, come back whole."""
    elements = [Element(DISPATCH.key_of(f"cali{number}", CT_NEW), None, goto("prog")) for number in range(3000)]
    bench.add(Chain("prog"), DISPATCH)
    bench.commit(AddElements(DISPATCH, elements))
    assert set(elements) == set(bench.elements(DISPATCH))


@pytest.mark.kernel
def test_keys_of_a_set_that_others_have_commented(bench, netns):
    """Elements to which nft has given a comment or a counter still read as their keys."""
    bench.add(HOSTS)
    bench.commit(AddElements(HOSTS, [bytes(4)]))
    netns.run("nft", 'add element inet bench hosts { 192.0.2.9 comment "theirs" }')
    assert [bytes(4), HOSTS.key_of("192.0.2.9")] == sorted(bench.socket.keys(bench.table, HOSTS))


@pytest.mark.kernel
def test_adding_what_is_there_is_no_error_but_other_data_are(bench):
    """An equal element may be added again; another verdict for its key is refused."""
    key = DISPATCH.key_of("cali1", CT_NEW)
    bench.add(DISPATCH)
    for _ in range(2):
        bench.commit(AddElements(DISPATCH, [Element(key, None, ACCEPT)]))
    with pytest.raises(BatchError) as caught:
        bench.commit(AddElements(DISPATCH, [Element(key, None, DROP)]))
    assert caught.value.already_exists


@pytest.mark.kernel
def test_a_changed_verdict_is_a_deletion_and_an_addition_in_one_batch(bench):
    """Deleting a key and adding it with other data works within one batch."""
    key = DISPATCH.key_of("cali1", CT_NEW)
    bench.add(DISPATCH)
    bench.commit(AddElements(DISPATCH, [Element(key, None, ACCEPT)]))
    old, new = Element(key, None, ACCEPT), Element(key, None, DROP)
    bench.commit(DeleteElements(DISPATCH, [old]), AddElements(DISPATCH, [new]))
    assert [new] == bench.elements(DISPATCH)


@pytest.mark.kernel
def test_nft_prints_our_elements_as_a_person_would(bench, netns):
    """Names, addresses, ports, states and verdicts, not bytes."""
    bench.add(Chain("prog"), DISPATCH, SOURCES, CELLS, NETS)
    for item, elements in KINDS:
        if item in (DISPATCH, SOURCES, CELLS):
            bench.commit(AddElements(item, elements))
    bench.commit(AddElements(NETS, KINDS[1][1]))
    listed = " ".join(netns.run("nft", "list", "table", "inet", "bench").split())
    for text in (
        '"cali1" . new : goto prog',
        '"cali1" . established : accept',
        '"cali1" . 10.0.0.0/24',
        "tcp . 80-90 : goto prog",
        "10.0.0.0/8",
    ):
        assert text in listed
