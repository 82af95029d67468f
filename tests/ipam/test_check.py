# SPDX-License-Identifier: Apache-2.0
"""Comparing the records of addresses with who uses them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from percale.ipam import Attribute, AutoRequest, Block, HandleRecord, Use, parse_address, parse_network
from percale.ipam.check import compare
from percale.ipam.pools import Pool

POOL = Pool("p", parse_network("192.0.2.0/24"), 26, True, ("Workload",), "all()", None, False)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def block(**taken):
    """A block of n1 whose first addresses have these handles."""
    made = Block.create(parse_network("192.0.2.0/26"), "host:n1", NOW, 7)
    for ordinal, (handle, node) in enumerate(taken.items()):
        made = made.assigned(made.address(ordinal), Attribute(handle, {"node": node}))
    return made


def used(*addresses):
    return [Use(parse_address(address), f"workload of {address}") for address in addresses]


def test_nothing_is_wrong():
    """Addresses that are allocated, used and have their handles are no problem."""
    found = compare([block(h="n1")], [HandleRecord("h", 3)], [POOL], used("192.0.2.0"))
    assert found.problems == 0
    assert [allocation.owners for allocation in found.allocations] == [("workload of 192.0.2.0",)]


def test_leaks():
    """An allocated address that nobody uses is leaked; its sequence number says which allocation it is."""
    found = compare([block(h="n1", k="n2")], [HandleRecord("h", 3), HandleRecord("k", 3)], [POOL], used("192.0.2.0"))
    (leak,) = found.leaks
    assert (str(leak.address), leak.handle, leak.sequence, leak.borrowed) == ("192.0.2.1", "k", 7, True)
    assert found.problems == 1


@pytest.mark.parametrize(
    "attribute", [Attribute(released_at=NOW), Attribute("Windows-Reserved-IPAM-Handle", {"note": "n"})]
)
def test_cooling_and_reserved_addresses_are_no_leaks(attribute):
    """What cools down, or what a host keeps for itself, is not expected to be used."""
    made = block(h="n1")
    found = compare([replace(made, attributes=(attribute,))], [HandleRecord("h", 3)], [], [])
    assert found.leaks == ()


@pytest.mark.parametrize(
    ("pools", "outside", "unallocated"),
    [([POOL], [], ["192.0.2.255"]), ([replace(POOL, enabled=False)], ["192.0.2.255"], []), ([], ["192.0.2.255"], [])],
)
def test_used_addresses_that_nobody_gave_out(pools, outside, unallocated):
    """A used address is to lie in an enabled pool, and there to be allocated."""
    found = compare([], [], pools, used("192.0.2.255"))
    assert [str(use.address) for use in found.outside] == outside
    assert [str(use.address) for use in found.unallocated] == unallocated
    assert found.problems == 1


def test_handles():
    """A handle without addresses is a problem, an address whose handle has no record is none."""
    found = compare([block(h="n1")], [HandleRecord("other", 3)], [POOL], used("192.0.2.0"))
    assert found.empty_handles == (HandleRecord("other", 3),)
    assert found.missing_handles == ("h",)
    assert found.problems == 1


def test_damaged_blocks_are_told_and_compared_as_far_as_possible():
    """A block with an allocation that points nowhere counts, and its other addresses are still compared."""
    made = block(h="n1")
    broken = replace(made, allocations=(0, 9, *made.allocations[2:]), unallocated=made.unallocated[1:])
    found = compare([broken], [HandleRecord("h", 1)], [POOL], used("192.0.2.0"))
    assert found.damaged == ("block 192.0.2.0/26 has an allocation without attribute",)
    assert len(found.allocations) == 1
    assert found.problems == 1


def test_of_a_store(cluster):
    """The allocator compares what it has stored; a damaged block does not stop it."""
    cluster.ipam.auto_assign(AutoRequest("n1", num4=2, handle="h"))
    (key,) = cluster.keys("/block/10")[:1] or cluster.keys("/assignment/")
    assert [leak.handle for leak in cluster.ipam.compare([]).leaks] == ["h", "h"]
    cluster.store.put(key, cluster.store.get(key).value.replace(b'"allocations":[0', b'"allocations":[7'))
    assert cluster.ipam.compare([]).damaged


def test_a_handle_is_forgotten_unless_it_changed(cluster):
    """The record of a handle goes only at the revision at which it was seen."""
    cluster.ipam.auto_assign(AutoRequest("n1", num4=1, handle="h"))
    (key,) = cluster.keys("/handle/")
    revision = cluster.store.get(key).mod_revision
    assert not cluster.ipam.forget_handle(HandleRecord("h", revision - 1))
    assert cluster.ipam.forget_handle(HandleRecord("h", revision))
    assert cluster.keys("/handle/") == []
