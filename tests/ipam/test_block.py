# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.ipam.block import Attribute, Block, HostReserved, Release, block_problems
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Reservations, parse_address, parse_network

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOTHING = Reservations()


def block(cidr="10.0.0.0/29", owner="host:n1", **more):
    return Block.create(parse_network(cidr), owner, NOW, 100, **more)


def take(subject, count, handle="h", **secondary):
    return subject.auto_assigned(count, Attribute(handle, secondary or None), NOTHING)


def texts(addresses):
    return [str(address) for address in addresses]


def test_new_block_is_free_in_ascending_order():
    """A new block lists every ordinal as free, from 0 on."""
    assert block().unallocated == tuple(range(8))
    assert block().is_empty


def test_host_reserved_ends_are_taken():
    """Host-reserved addresses belong to the reserving handle from the start and carry its note."""
    reserved = block(reserved=HostReserved(3, 1, "windows-reserved-ipam-handle", "for the host"))
    assert reserved.unallocated == (3, 4, 5, 6)
    assert reserved.attributes == (Attribute("windows-reserved-ipam-handle", {"note": "for the host"}),)
    assert reserved.is_empty


def test_addresses_leave_in_queue_order_and_come_back_last():
    """A freed address is the last to be used again."""
    subject, first = take(block(), 2)
    assert texts(first) == ["10.0.0.0", "10.0.0.1"]
    subject = subject.released([Release(first[0])], NOW).block
    assert subject.unallocated == (2, 3, 4, 5, 6, 7, 0)


def test_released_ordinals_return_ascending():
    """Several addresses released together go back in order of ordinals, not of the request."""
    subject, addresses = take(block(), 4)
    subject = subject.released([Release(addresses[3]), Release(addresses[1])], NOW).block
    assert subject.unallocated[-2:] == (1, 3)


def test_equal_owners_share_an_attribute():
    """Two allocations with equal handle and attributes share one attribute, others do not."""
    subject, _ = take(block(), 1, node="n1")
    subject, _ = take(subject, 1, node="n1")
    subject, _ = take(subject, 1, node="n2")
    assert subject.allocations[:4] == (0, 0, 1, None)


def test_allocation_carries_the_sequence_number_before_the_write():
    """An allocation's sequence number is the block's before the write that makes it."""
    subject, _ = take(block(), 1)
    subject, _ = take(subject.bumped(), 1)
    assert subject.bumped().sequence == 102
    assert subject.sequences == {0: 100, 1: 101}


@pytest.mark.parametrize(("asked", "given"), [(8, 8), (9, 8)])
def test_no_more_than_the_block_has(asked, given):
    """A full block gives what it has, without an error."""
    assert len(take(block(), asked)[1]) == given


def test_reserved_addresses_keep_their_place():
    """Automatic assignment walks past reserved addresses; a specific one may still take them."""
    reservations = Reservations.of(["10.0.0.0/30"])
    subject, addresses = block().auto_assigned(1, Attribute("h"), reservations)
    assert texts(addresses) == ["10.0.0.4"]
    assert subject.unallocated == (0, 1, 2, 3, 5, 6, 7)
    assert subject.assigned(parse_address("10.0.0.1"), Attribute("h")).allocations[1] == 0


def test_assigning_a_taken_address_fails():
    """A specific address that somebody has is refused."""
    subject = block().assigned(parse_address("10.0.0.5"), Attribute("h"))
    with pytest.raises(IpamError) as caught:
        subject.assigned(parse_address("10.0.0.5"), Attribute("h"))
    assert caught.value.reason is Reason.ALREADY_EXISTS


def test_releasing_twice_in_one_call_counts_once():
    """Duplicates in one release count once."""
    subject, (address,) = take(block(), 1)
    released = subject.released([Release(address), Release(address)], NOW)
    assert (texts(released.addresses), released.handles) == ([str(address)], ("h",))
    assert not released.unallocated


def test_releasing_a_free_address_reports_it():
    """An address that nobody has is reported, not an error."""
    released = block().released([Release(parse_address("10.0.0.3"))], NOW)
    assert texts(released.unallocated) == ["10.0.0.3"]
    assert released.block == block()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"handle": "other"}, Reason.BAD_HANDLE), ({"sequence": 99}, Reason.BAD_SEQUENCE_NUMBER)],
)
def test_release_with_wrong_precondition_releases_nothing(wrong, reason):
    """A handle or sequence number that is not the address's own fails the whole call."""
    subject, addresses = take(block(), 2)
    with pytest.raises(IpamError) as caught:
        subject.released([Release(addresses[0]), Release(addresses[1], **wrong)], NOW)
    assert caught.value.reason is reason


def test_release_with_right_preconditions():
    """The address's own handle and sequence number are accepted; a carriage return ends an old malformed handle."""
    subject = block().assigned(parse_address("10.0.0.5"), Attribute("h\rpod"))
    released = subject.released([Release(parse_address("10.0.0.5"), "h", 100)], NOW)
    assert released.handles == ("h",)


@pytest.mark.parametrize(("age", "free"), [(599, False), (600, True)])
def test_cooldown_border(age, free):
    """An address is free again when the cooldown has passed, not before."""
    subject, (address,) = take(block(), 1)
    cooling = subject.released([Release(address)], NOW, cooldown_s=600).block
    assert not cooling.is_empty
    assert cooling.attributes == (Attribute(released_at=NOW),)
    later = cooling.collected(NOW + timedelta(seconds=age), 600)
    assert (0 in later.unallocated, later.is_empty) == (free, free)


def test_cooling_address_counts_as_unallocated():
    """Releasing an address that cools down already reports it and changes nothing."""
    subject, (address,) = take(block(), 1)
    cooling = subject.released([Release(address)], NOW, 600).block
    again = cooling.released([Release(address)], NOW, 600)
    assert (texts(again.unallocated), again.block) == (["10.0.0.0"], cooling)


def test_release_by_handle_takes_all_of_it():
    """Every address of the handle is freed, nobody else's; attributes are renumbered."""
    subject, _ = take(block(), 2, "a")
    subject, _ = take(subject, 1, "b")
    released = subject.released_by_handle("a", NOW)
    assert texts(released.addresses) == ["10.0.0.0", "10.0.0.1"]
    assert released.block.allocations[:3] == (None, None, 0)
    assert released.block.attributes == (Attribute("b"),)


@pytest.mark.parametrize("address", ["9.255.255.255", "10.0.0.8", "fd00::1"])
def test_foreign_addresses_have_no_ordinal(address):
    """The last address before and the first one after a block are not in it."""
    with pytest.raises(ValueError, match="is not in block"):
        block().ordinal(parse_address(address))


@pytest.mark.parametrize(("owner", "reason"), [(None, Reason.NO_AFFINITY), ("host:n2", Reason.AFFINITY_MISMATCH)])
def test_owner_is_required(owner, reason):
    """A block without owner and one of another owner are told apart."""
    with pytest.raises(IpamError) as caught:
        block(owner=owner).require_owner("host:n1")
    assert caught.value.reason is reason
    block().require_owner("host:n1")


def test_problems_of_a_broken_block():
    """A block that loses or doubles addresses is reported."""
    sane = block()
    broken = Block(sane.network, None, None, (*sane.allocations[:-1], 0), (0, 0, 9))
    assert len(block_problems(broken)) == 4


@st.composite
def histories(draw):
    steps = st.one_of(
        st.tuples(st.just("auto"), st.integers(1, 4), st.sampled_from("abc")),
        st.tuples(st.just("assign"), st.integers(0, 7), st.sampled_from("abc")),
        st.tuples(st.just("release"), st.lists(st.integers(0, 7), min_size=1, max_size=3), st.just("")),
        st.tuples(st.just("handle"), st.just(0), st.sampled_from("abc")),
        st.tuples(st.just("wait"), st.integers(1, 20), st.just("")),
    )
    return draw(st.lists(steps, max_size=30)), draw(st.sampled_from([0, 10]))


@given(histories())
def test_block_agrees_with_a_naive_model(history):
    """Whatever happens, the block is sane and holds exactly what a dictionary and a list would hold."""
    steps, cooldown = history
    subject, now = block(), NOW
    owners, cooling, queue = {}, {}, list(range(8))

    def collect():
        for ordinal in sorted(cooling):
            if now - cooling[ordinal] >= timedelta(seconds=cooldown):
                del cooling[ordinal]
                queue.append(ordinal)

    def free(ordinals):
        for ordinal in ordinals:
            if owners.pop(ordinal, None) is not None:
                cooling[ordinal] = now
        collect()

    for verb, what, handle in steps:
        subject = subject.collected(now, cooldown)
        collect()
        if verb == "auto":
            subject, addresses = take(subject, what, handle)
            expected, queue = queue[:what], queue[what:]
            assert [subject.ordinal(address) for address in addresses] == expected
            owners.update(dict.fromkeys(expected, handle))
        elif verb == "assign" and what in queue:
            subject = subject.assigned(subject.address(what), Attribute(handle))
            queue.remove(what)
            owners[what] = handle
        elif verb == "release":
            subject = subject.released([Release(subject.address(n)) for n in what], now, cooldown).block
            free(what)
        elif verb == "handle":
            subject = subject.released_by_handle(handle, now, cooldown).block
            free([ordinal for ordinal, owner in owners.items() if owner == handle])
        elif verb == "wait":
            now += timedelta(seconds=what)
        assert block_problems(subject) == []
        assert subject.unallocated == tuple(queue)
        used = {n: subject.attributes[i] for n, i in enumerate(subject.allocations) if i is not None}
        assert {n: item.handle for n, item in used.items() if item.released_at is None} == owners
        assert set(subject.sequences) == set(owners) | set(cooling)
