# SPDX-License-Identifier: Apache-2.0
"""Batches: whole or not at all, in order, and honest about what was refused."""

from __future__ import annotations

import errno

import pytest

from percale.netlink.nftables.connection import BatchError
from percale.netlink.nftables.datatypes import IPV4_ADDR
from percale.netlink.nftables.expressions import ACCEPT, DROP, RETURN, Lookup, Payload, jump
from percale.netlink.nftables.objects import Chain, Rule, Set
from percale.netlink.nftables.operations import (
    Add,
    AddElements,
    Batch,
    Create,
    Delete,
    DeleteElements,
    Flush,
    Insert,
    Replace,
)

pytestmark = pytest.mark.kernel

CHAIN = Chain("c")
ITEM = Set("s", (IPV4_ADDR,))


def verdicts(bench):
    return [str(rule.expressions[-1]) for rule in bench.rules("c")]


def add_verdicts(bench, *these):
    bench.add(CHAIN, *(Rule("c", (verdict,)) for verdict in these))


def test_an_empty_batch_sends_nothing(bench):
    """Nothing to do is no message."""
    before = bench.socket.statistics()
    bench.commit()
    assert before == bench.socket.statistics()


def test_messages_are_counted(bench):
    """One message per operation, and two for the batch itself."""
    before = bench.socket.statistics().messages_sent
    bench.add(CHAIN, ITEM)
    assert before + 4 == bench.socket.statistics().messages_sent


def test_a_refused_operation_undoes_those_before_it(bench):
    """Nothing of a batch is applied if one of its operations is refused."""
    with pytest.raises(BatchError):
        bench.commit(Add(CHAIN), Add(ITEM), Delete(Chain("missing")))
    assert (bench.socket.chains(bench.table), bench.socket.sets(bench.table)) == ([], [])


@pytest.mark.parametrize("position", [0, 1, 4])
def test_the_error_names_the_operation(bench, position):
    """Position, operation, errno and text tell what was refused."""
    operations = [Add(CHAIN), Add(ITEM), AddElements(ITEM, [bytes(4)]), Add(Rule("c", (ACCEPT,)))]
    wrong = Delete(Chain("missing"))
    operations.insert(position, wrong)
    with pytest.raises(BatchError) as caught:
        bench.commit(*operations)
    error = caught.value
    assert (wrong, position, errno.ENOENT) == (error.operation, error.position, error.errno)
    assert str(error) == f"operation {position} (delete chain missing): No such file or directory"


def test_the_operation_is_found_behind_one_of_many_messages(bench):
    """Elements that take several messages count as one operation."""
    keys = [number.to_bytes(4, "big") for number in range(10_000)]
    with pytest.raises(BatchError) as caught:
        bench.commit(Add(ITEM), AddElements(ITEM, keys), Delete(Chain("missing")))
    assert (caught.value.position, caught.value.complaints) == (2, 1)
    with pytest.raises(BatchError) as caught:
        bench.commit(Add(ITEM), DeleteElements(ITEM, keys))
    assert caught.value.position == 1
    assert len(str(caught.value)) < 300


def test_a_flood_of_complaints_is_still_told(bench):
    """More refused operations than the receive buffer holds answers for: the first is named all the same."""
    with pytest.raises(BatchError) as caught:
        bench.commit(*[Delete(Chain("missing"))] * 20_000)
    assert (caught.value.errno, caught.value.position) == (errno.ENOENT, 0)
    assert bench.socket.statistics().overruns == 1
    bench.add(CHAIN)
    assert bench.socket.chains(bench.table) == [CHAIN]


def test_a_passed_generation_is_refused(bench):
    """With the number of an old generation the batch is refused as a whole; with the present one it is applied."""
    old = bench.socket.generation()
    bench.add(CHAIN)
    with pytest.raises(BatchError) as caught:
        bench.socket.commit(Batch(bench.table, (Add(ITEM),)), generation=old)
    assert (caught.value.errno, caught.value.operation, caught.value.position) == (errno.ERESTART, None, None)
    bench.socket.commit(Batch(bench.table, (Add(ITEM),)), generation=bench.socket.generation())
    assert bench.socket.sets(bench.table) == [ITEM]


@pytest.mark.parametrize("item", [CHAIN, ITEM])
def test_add_is_content_with_what_is_there_and_create_is_not(bench, item):
    """``add`` twice is fine, ``create`` of what exists is EEXIST."""
    bench.add(item)
    bench.add(item)
    with pytest.raises(BatchError) as caught:
        bench.commit(Create(item))
    assert caught.value.already_exists


def test_rules_are_appended_in_order(bench):
    """``add rule`` goes to the end."""
    add_verdicts(bench, ACCEPT, DROP, RETURN)
    assert verdicts(bench) == ["accept", "drop", "return"]


def test_a_rule_is_inserted_at_the_head_or_before_another(bench):
    """``insert rule`` without a handle goes to the head, with one before that rule."""
    add_verdicts(bench, ACCEPT, DROP)
    drop = bench.rules("c")[1]
    bench.commit(Insert(Rule("c", (RETURN,))), Insert(Rule("c", (ACCEPT,)), before=drop.handle))
    assert verdicts(bench) == ["return", "accept", "accept", "drop"]


def test_a_rule_is_added_behind_another(bench):
    """``add rule`` with a handle goes behind that rule."""
    add_verdicts(bench, ACCEPT, DROP)
    bench.commit(Add(Rule("c", (RETURN,)), after=bench.rules("c")[0].handle))
    assert verdicts(bench) == ["accept", "return", "drop"]


def test_a_rule_is_replaced_and_deleted_by_its_handle(bench):
    """Replacement keeps the place; deletion takes just that rule."""
    add_verdicts(bench, ACCEPT, ACCEPT, ACCEPT)
    first, second, _ = bench.rules("c")
    bench.commit(Replace(Rule("c", (DROP,)), second.handle), Delete(first))
    assert verdicts(bench) == ["drop", "accept"]


def test_a_rule_without_handle_is_not_deleted(bench):
    """Without a handle the kernel would flush the chain, so it is refused here."""
    add_verdicts(bench, ACCEPT)
    with pytest.raises(ValueError, match="by its handle"):
        bench.commit(Delete(Rule("c", (ACCEPT,))))
    assert verdicts(bench) == ["accept"]


def test_flush_empties_one_chain_or_set(bench):
    """``flush`` leaves the object and everything else in place."""
    add_verdicts(bench, ACCEPT)
    bench.add(Chain("d"), Rule("d", (DROP,)), ITEM)
    bench.commit(AddElements(ITEM, [bytes(4)]))
    bench.commit(Flush(CHAIN), Flush(ITEM))
    assert [rule.chain for rule in bench.rules()] == ["d"]
    assert bench.elements(ITEM) == []


def test_a_chain_or_set_in_use_is_not_deleted(bench):
    """Deleting what a rule refers to is EBUSY; after the flush of that rule in the same batch it works."""
    user = Chain("user")
    lookup = Rule("user", (Payload("network", 12, 4), Lookup("s"), jump("c")))
    bench.add(CHAIN, ITEM, user, lookup)
    for item in (CHAIN, ITEM):
        with pytest.raises(BatchError) as caught:
            bench.commit(Delete(item))
        assert caught.value.errno == errno.EBUSY
    bench.commit(Flush(user), Delete(CHAIN), Delete(ITEM))
    assert [user] == bench.socket.chains(bench.table)


def test_deleting_the_table_takes_all_with_it(bench):
    """A table goes with its chains, sets and rules."""
    add_verdicts(bench, ACCEPT)
    bench.commit(Delete(bench.table))
    assert bench.socket.table("inet", "bench") is None


def test_a_batch_prints_as_nft_reads_it(bench, netns):
    """The text of a batch is accepted by ``nft`` and has the same effect."""
    rule = Rule("c", (Payload("network", 12, 4), Lookup("s"), jump("d")), "why")
    operations = (Create(CHAIN), Add(Chain("d")), Add(ITEM), AddElements(ITEM, [b"\xc0\0\2\1"]), Add(rule))
    text = str(Batch(bench.table, operations))
    netns.run("nft", "-f", "-", text=text)
    assert rule.comment == bench.rules("c")[0].comment
    assert rule.expressions == bench.rules("c")[0].expressions[-3:]  # nft puts a test of the family before
    assert bench.socket.keys(bench.table, ITEM) == [b"\xc0\0\2\1"]
    bench.commit(Flush(CHAIN), Delete(CHAIN), Delete(Chain("d")), Delete(ITEM))
    bench.commit(*operations)
    assert [rule] == bench.rules("c")
