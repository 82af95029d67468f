# SPDX-License-Identifier: Apache-2.0
"""What every dataplane promises, on the kernel and on its twin alike (spec/dataplane.md section 5.4)."""

from __future__ import annotations

import pytest
from tests.dataplane.language import allow, endpoint, ip_set, policy, ports, profile, snapshot, tier, updates

from percale.calc.host_state import (
    EndpointID,
    EndpointRemove,
    EndpointUpdate,
    HostInterfaceEndpoint,
    InSync,
    IPSetDelta,
    IPSetUpdate,
    PolicyRemove,
    PolicyUpdate,
    Pool,
    PoolRemove,
)
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.kernel import KernelDataplane
from percale.dataplane.layout import LAYOUT
from percale.dataplane.tables import read_contents
from percale.dataplane.twin import TwinDataplane
from percale.errors import Refused
from percale.netlink.nftables.expressions import DROP, jump
from percale.netlink.nftables.objects import Chain, Rule, Table
from percale.netlink.nftables.operations import Add, AddElements, Batch, Delete, DeleteElements, Flush

WEB = policy("web", ingress=[allow({"ip_sets": ("s:clients",)}, {"ports": ports(80, 443)}, protocol="tcp")])
CLIENTS = ip_set("s:clients", "10.65.0.1/32", "fd65::1/128")
SERVER = endpoint("s", "10.65.0.2/32", "fd65::2/128", tiers=[tier(WEB)])
CLIENT = endpoint("c", "10.65.0.1/32", "fd65::1/128")
WORLD = snapshot(CLIENTS, WEB, SERVER, CLIENT, Pool("pool", "10.65.0.0/16", True))


class Host:
    """A host with a dataplane; ``restart`` gives a new dataplane over what the former one left."""

    def __init__(self, make):
        self._make = make
        self.dataplane = make(DataplaneConfig())

    def restart(self, **config):
        self.dataplane.close()
        self.dataplane = self._make(DataplaneConfig(**config))
        return self.dataplane

    @property
    def nftables(self):
        return self.dataplane._nftables

    def held(self, family="inet"):
        return read_contents(self.nftables, Table(family, "percale"))

    def desired(self):
        return self.dataplane._renderer.filter.contents


@pytest.fixture(params=["twin", "kernel"])
def host(request):
    """A host of each kind."""
    if request.param == "twin":
        first = TwinDataplane()
        made = Host(lambda config: TwinDataplane(config, nftables=first.nftables, network=first.network))
    else:
        request.getfixturevalue("netns")
        made = Host(KernelDataplane)
    yield made
    made.dataplane.close()


def foreign(host, *operations, table="inet percale"):
    """Somebody else changes a table."""
    family, name = table.split()
    host.nftables.commit(Batch(Table(family, name), operations))


def test_read_back_equals_rendered(host):
    """What the tables hold is what was rendered: sets, chains, rules in order, and elements."""
    assert host.dataplane.apply(WORLD).ok
    held, desired = host.held(), host.desired()
    assert held.table.comment == LAYOUT
    assert held.sets == desired.sets
    assert held.chains == desired.chains
    assert held.rules == desired.rules
    assert held.elements == desired.elements


def test_nothing_is_touched_before_in_sync(host):
    """Until the snapshot is complete, what a former run left stays in force."""
    host.dataplane.apply(WORLD)
    before = host.held()
    again = host.restart()
    assert not again.apply(updates(CLIENTS)).in_sync
    assert host.held() == before
    assert again.apply([*updates(WEB, profile(), SERVER), InSync()]).in_sync
    assert host.held() != before


def test_same_state_twice_sends_nothing(host):
    """Applying what is applied already sends no message."""
    host.dataplane.apply(WORLD)
    sent = host.dataplane.messages_sent
    applied = host.dataplane.apply(WORLD)
    assert applied.ok
    assert not applied.plan
    assert host.dataplane.messages_sent == sent


def test_restart_with_unchanged_state_sends_nothing(host):
    """A new dataplane over unchanged tables finds nothing to do."""
    host.dataplane.apply(WORLD)
    before = host.held()
    applied = host.restart().apply(WORLD)
    assert applied.ok
    assert not applied.plan
    assert host.held() == before


def test_restart_programs_what_changed_meanwhile(host):
    """A new dataplane sends the difference between what is there and what should be, and nothing else."""
    host.dataplane.apply(WORLD)
    changed = policy("web", ingress=[allow(protocol="udp")])
    again = host.restart()
    applied = again.apply(snapshot(CLIENTS, changed, SERVER, CLIENT, Pool("pool", "10.65.0.0/16", True)))
    (batch,) = applied.plan.batches
    assert {type(operation) for operation in batch.operations} == {Flush, Add, Delete}
    assert [operation.item.name for operation in batch.operations if isinstance(operation, Flush)] == [
        chain.name for chain in host.desired().chains.values() if chain.comment.startswith("tier default ingress")
    ]
    assert host.held().rules == host.desired().rules


def test_base_chains_come_with_their_drop(host):
    """Dispatch and wildcard drop are made in the very transaction that makes the base chains (invariant 2)."""
    applied = host.dataplane.apply([InSync()])
    batch = applied.plan.batches[0]
    added = [operation.item for operation in batch.operations if isinstance(operation, Add)]
    bases = {item.name for item in added if isinstance(item, Chain) and item.is_base}
    assert {"f_from", "f_to", "host_in", "host_in2", "pre_raw"} <= bases
    for name in ("f_from", "f_to", "host_in"):
        lines = [item for item in added if isinstance(item, Rule) and item.chain == name]
        assert lines[-1].expressions[-1] == DROP
    assert all(item.policy == "accept" for item in added if isinstance(item, Chain))


def test_updates_keep_table_and_base_chains(host):
    """No update deletes the table or a base chain: packets inside would meet the drop (invariant 3)."""
    host.dataplane.apply(WORLD)
    batches = [
        host.dataplane.apply([PolicyUpdate(policy("web", ingress=[]))]),
        host.dataplane.apply([IPSetDelta("s:clients", frozenset({"10.0.0.0/8"}), frozenset())]),
        host.dataplane.apply([EndpointRemove(SERVER.id), PolicyRemove(WEB.id)]),
        host.dataplane.apply(WORLD),
    ]
    base = {name for name, chain in host.desired().chains.items() if chain.is_base}
    for applied in batches:
        assert applied.ok
        for operation in (one for batch in applied.plan.batches for one in batch.operations):
            if isinstance(operation, Delete | Flush):
                assert not isinstance(operation.item, Table)
                assert operation.item.name not in base


def test_a_refused_transaction_changes_nothing_and_is_retried_whole(host):
    """After a failure the tables are as before, and the next resync programs what is missing (invariant 4)."""
    host.dataplane.apply(WORLD)
    before = host.held()
    # Somebody refers to the tier's chain, so that it can be neither rewritten consistently nor deleted.
    (name,) = (one.name for one in before.chains.values() if one.comment.startswith("tier default ingress"))
    stranger = Chain("stranger", "filter", "forward", 50)
    foreign(host, Add(stranger), Add(Rule("stranger", (jump(name),))))
    with_stranger = host.held()
    applied = host.dataplane.apply([EndpointRemove(SERVER.id), PolicyRemove(WEB.id)])
    assert applied.error is not None
    assert not applied.ok
    assert host.held() == with_stranger
    assert set(host.dataplane.statuses().values()) == {"error"}
    assert host.dataplane.resync().ok
    assert host.held().chains == host.desired().chains
    assert host.held().elements == host.desired().elements
    assert "error" not in host.dataplane.statuses().values()


def test_drift_is_repaired(host):
    """A rule, an element or a chain that somebody changed is put right by a resync (invariant 12)."""
    host.dataplane.apply(WORLD)
    before = host.held()
    foreign(
        host,
        Flush(before.chains["f_to"]),
        Flush(before.sets["to_wl"]),
        Add(Chain("intruder")),
        Add(Rule("f_from", (DROP,))),
    )
    assert host.held() != before
    assert host.dataplane.resync().plan
    assert host.held().rules == before.rules
    assert host.held().elements == before.elements
    assert host.held().chains == before.chains
    assert not host.dataplane.resync().plan


def test_lost_table_is_made_again(host):
    """A table that somebody deleted comes back whole."""
    host.dataplane.apply(WORLD)
    before = host.held()
    foreign(host, Delete(before.table))
    assert host.dataplane.resync().ok
    assert host.held().rules == before.rules


def test_a_strangers_table_of_our_name_is_refused(host):
    """A table of our name without our mark is left alone, unless force is asked for (invariant 7)."""
    foreign(host, Add(Table("inet", "percale", "precious")), Add(Chain("mine")))
    with pytest.raises(Refused, match="not ours"):
        host.dataplane.start()
    assert list(host.held().chains) == ["mine"]
    assert host.restart(force=True).apply(WORLD).ok
    assert "mine" not in host.held().chains
    assert host.held().table.comment == LAYOUT


def test_another_layout_is_replaced(host):
    """A table of ours with another layout is replaced in one transaction."""
    foreign(host, Add(Table("inet", "percale", "percale layout 0")), Add(Chain("old")))
    applied = host.dataplane.apply(WORLD)
    assert applied.ok
    assert isinstance(applied.plan.batches[0].operations[0], Delete)
    assert "old" not in host.held().chains


def test_other_tables_are_left_alone(host):
    """Neither programming nor uninstalling touches a table that is not ours (invariants 7 and 10)."""
    foreign(host, Add(Table("inet", "other", "precious")), Add(Chain("theirs")), table="inet other")
    host.dataplane.apply(WORLD)
    host.dataplane.uninstall()
    assert host.held() is None
    assert host.held("arp") is None
    assert list(read_contents(host.nftables, Table("inet", "other")).chains) == ["theirs"]


def test_stop_leaves_everything(host):
    """Closing a dataplane leaves what it programmed (invariant 10)."""
    host.dataplane.apply(WORLD)
    before = host.held()
    host.restart()
    assert host.held() == before


def test_uninstall_twice_is_fine(host):
    """Uninstalling what is gone does nothing."""
    host.dataplane.apply(WORLD)
    assert host.dataplane.uninstall()
    assert not host.dataplane.uninstall().batches


def test_a_set_that_gets_a_prefix_becomes_an_interval_set_at_once(host):
    """The new set is complete before one transaction points the rules to it and deletes the old one; and back."""
    host.dataplane.apply(WORLD)
    plain = [one.name for one in host.held().sets.values() if one.comment == "s:clients"]
    applied = host.dataplane.apply([IPSetDelta("s:clients", frozenset({"10.0.0.0/8"}), frozenset())])
    assert applied.ok
    prepared, switched = applied.plan.batches
    assert not any(isinstance(each, Flush | Delete | DeleteElements) for each in prepared.operations)
    assert not any(isinstance(each, AddElements) for each in switched.operations)
    assert host.held().rules == host.desired().rules
    wide = {one.name: one.interval for one in host.held().sets.values() if one.comment == "s:clients"}
    assert sorted(wide.values()) == [False, True]
    assert set(plain) - set(wide)
    assert host.dataplane.apply([IPSetDelta("s:clients", frozenset(), frozenset({"10.0.0.0/8"}))]).ok
    assert {one.name for one in host.held().sets.values() if one.comment == "s:clients"} == set(plain)
    assert len(host.held().elements[min(plain)]) == 1


def test_a_set_that_moves_while_no_endpoint_needs_its_policy(host):
    """Rules that come back after their set changed its form look into the new one."""
    host.dataplane.apply(WORLD)
    host.dataplane.apply([EndpointRemove(SERVER.id)])
    host.dataplane.apply([IPSetDelta("s:clients", frozenset({"10.0.0.0/8"}), frozenset())])
    assert host.dataplane.apply([EndpointUpdate(SERVER)]).ok
    assert host.held().rules == host.desired().rules


def test_overlapping_members_are_covered(host):
    """Members inside others are accepted; the set holds the cover, and gives back what it hid."""
    members = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "11.0.0.0/9", "11.128.0.0/9", "fd00::/8", "fd00::1/128")
    host.dataplane.apply(snapshot(ip_set("s:clients", *members), WEB, SERVER))

    def held():
        contents = host.held()
        (name,) = (name for name in contents.sets if name.startswith("nets4_"))
        return len(contents.elements[name])

    assert held() == 3
    assert host.dataplane.apply([IPSetDelta("s:clients", frozenset(), frozenset({"10.0.0.0/8"}))]).ok
    assert held() == 3
    assert host.dataplane.apply([IPSetDelta("s:clients", frozenset(), frozenset({"10.1.0.0/16"}))]).ok
    assert held() == 3
    assert host.dataplane.apply([IPSetDelta("s:clients", frozenset({"10.0.0.0/7"}), frozenset())]).ok
    assert held() == 1
    assert host.held().elements == host.desired().elements


def test_whole_replacement_of_a_set_sends_the_difference(host):
    """A full update of a known set adds and removes members only where they differ."""
    host.dataplane.apply(WORLD)
    applied = host.dataplane.apply([IPSetUpdate(ip_set("s:clients", "10.65.0.1/32", "10.65.0.9/32"))])
    (batch,) = applied.plan.batches
    assert len(batch) == 2
    assert host.held().elements == host.desired().elements


def test_endpoints_of_one_policy_list_share_a_program(host):
    """A second endpoint with the same tiers and profiles adds elements and no chain."""
    host.dataplane.apply(WORLD)
    before = host.held()
    twin = endpoint("s2", "10.65.0.3/32", tiers=[tier(WEB)])
    applied = host.dataplane.apply([EndpointUpdate(twin)])
    assert applied.ok
    assert host.held().chains == before.chains
    assert host.held().rules == before.rules


def test_shadowed_endpoint_takes_over(host):
    """Of two endpoints on one interface the one with the smaller key is active; the other follows it."""
    first = endpoint("a", "10.65.0.1/32", interface="calix")
    second = endpoint("b", "10.65.0.2/32", interface="calix", tiers=[tier(WEB)])
    host.dataplane.apply(snapshot(CLIENTS, WEB, first, second))
    assert [one.key[16:20] for one in host.held().elements["src4"]] == [bytes((10, 65, 0, 1))]
    assert host.dataplane.apply([EndpointRemove(first.id)]).ok
    assert [one.key[16:20] for one in host.held().elements["src4"]] == [bytes((10, 65, 0, 2))]
    assert host.dataplane.apply([EndpointUpdate(first)]).ok
    assert [one.key[16:20] for one in host.held().elements["src4"]] == [bytes((10, 65, 0, 1))]
    assert list(host.dataplane.statuses()) == [first.id]


def test_pools(host):
    """Pools and masqueraded pools stand in interval sets, overlaps covered."""
    inner, outer = Pool("inner", "10.65.3.0/24", True), Pool("outer", "10.65.0.0/16", False)
    host.dataplane.apply(snapshot(inner, outer))
    assert (len(host.held().elements["pools4"]), len(host.held().elements["masq4"])) == (1, 1)
    assert host.dataplane.apply([PoolRemove("outer")]).ok
    assert host.held().elements["pools4"] == host.held().elements["masq4"]


def test_host_endpoints_are_counted_as_unsupported(host):
    """A host endpoint is not programmed, and the statistics say so."""
    one = HostInterfaceEndpoint(EndpointID("HostEndpoint", "", "eth0"), "eth0", (), ())
    host.dataplane.apply([*snapshot(CLIENT), EndpointUpdate(one)])
    assert host.dataplane.statistics().unsupported == 1
    host.dataplane.apply([EndpointRemove(one.id)])
    assert host.dataplane.statistics().unsupported == 0


@pytest.mark.parametrize("interface", ["lo", "eth0", "cali123456789012", ""])
def test_an_endpoint_on_an_interface_that_is_no_workloads_is_not_programmed(host, interface):
    """A name without the prefix would have the host's own traffic judged; the kernel has no name of 16 bytes."""
    strange = endpoint("x", "10.65.0.9/32", tiers=[tier(WEB)], interface=interface)
    object.__setattr__(strange, "interface", interface)
    assert host.dataplane.apply([*WORLD, EndpointUpdate(strange)]).ok
    found = host.dataplane.statistics()
    assert (found.endpoints, found.unsupported) == (2, 1)
    assert host.dataplane.apply([EndpointRemove(strange.id)]).ok
    assert host.dataplane.statistics().unsupported == 0


def test_statistics_and_plan_as_text(host):
    """Statistics count what is held, and a plan prints as nft's words."""
    applied = host.dataplane.apply(WORLD)
    found = host.dataplane.statistics()
    assert (found.endpoints, found.applied, found.failed) == (2, 1, 0)
    assert found.operations == len(applied.plan)
    assert "add table inet percale" in str(applied.plan)
    assert 'iifname "cali*" drop' in str(applied.plan)
