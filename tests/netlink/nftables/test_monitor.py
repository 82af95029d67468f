# SPDX-License-Identifier: Apache-2.0
"""Notifications: whose change of which table."""

from __future__ import annotations

import pytest

from percale.netlink.nftables.connection import Monitor, NftSocket
from percale.netlink.nftables.datatypes import IPV4_ADDR
from percale.netlink.nftables.expressions import ACCEPT
from percale.netlink.nftables.objects import Chain, Rule, Set
from percale.netlink.nftables.operations import AddElements

pytestmark = pytest.mark.kernel

ITEM = Set("s", (IPV4_ADDR,))


def test_our_own_changes_are_told_by_the_port(bench):
    """A change of our own is no drift; the same by another socket is."""
    with Monitor() as monitor, NftSocket() as other:
        bench.add(Chain("c"), ITEM)
        assert not any(monitor.touched(bench.table, [bench.socket.port_id], 0) for _ in range(10))
        bench.add(Chain("d"))
        assert monitor.touched(bench.table, [other.port_id], 5)


@pytest.mark.parametrize(
    "command",
    [
        "add rule inet bench c accept",
        "flush chain inet bench c",
        "add element inet bench s { 192.0.2.1 }",
        "delete set inet bench s",
        "delete table inet bench",
    ],
)
def test_a_stranger_s_change_of_our_table_is_heard(bench, netns, command):
    """Rules, elements, sets and the table itself: any change by ``nft`` is noticed."""
    bench.add(Chain("c"), ITEM, Rule("c", (ACCEPT,)))
    with Monitor() as monitor:
        netns.run("nft", command)
        assert monitor.touched(bench.table, [bench.socket.port_id], 5)


def test_a_stranger_s_change_of_another_table_is_not_ours(bench, netns):
    """Other tables, and tables of our name in another family, are none of our business."""
    with Monitor() as monitor:
        netns.run("nft", "add table inet stranger")
        netns.run("nft", "add table ip bench")
        assert not any(monitor.touched(bench.table, [bench.socket.port_id], 0) for _ in range(10))


def test_a_commit_ends_with_its_generation(bench):
    """The last notification of a commit carries the generation that it made."""
    with Monitor() as monitor:
        bench.add(ITEM)
        bench.commit(AddElements(ITEM, [bytes(4)]))
        changes = []
        while more := monitor.receive(0):
            changes += more
        assert [bench.socket.generation()] == [change.generation for change in changes][-1:]
        assert {bench.socket.port_id} == {change.port_id for change in changes}
