# SPDX-License-Identifier: Apache-2.0
import json
from uuid import uuid4

import pytest

from percale.ipam import AutoRequest, IpamConfig, IpamError, Reason, Release, parse_address, parse_network


def request(host="n1", num4=1, **more):
    return AutoRequest(host, num4=num4, handle=more.pop("handle", "h"), **more)


def addresses(family):
    return [str(item.address) for item in family.addresses]


def held(cluster):
    """Every address in use, by handle."""
    found = {}
    for block in cluster.ipam.blocks():
        for attribute in block.attributes:
            found.setdefault(attribute.handle, []).extend(map(str, block.addresses_of(attribute.handle)))
    return found


def test_both_families_in_one_call(cluster):
    """A dual-stack request gets an address of each family under one handle."""
    got = cluster.ipam.auto_assign(request(num6=1))
    assert (len(got.v4.addresses), len(got.v6.addresses), got.error) == (1, 1, None)
    assert [item.version for item in cluster.ipam.addresses_of("h")] == [4, 6]


def test_release_by_handle_leaves_nothing_but_the_block(cluster):
    """After its release a handle has no record, and its addresses are free."""
    cluster.ipam.auto_assign(request(num4=6))
    assert len(cluster.ipam.release_by_handle("h")) == 6
    assert cluster.keys("/handle/") == []
    assert held(cluster) == {}
    with pytest.raises(IpamError) as caught:
        cluster.ipam.release_by_handle("h")
    assert caught.value.reason is Reason.NOT_FOUND


def test_handle_counts_are_true_when_a_request_spans_blocks(cluster):
    """The handle's counts are what each block holds, not what was asked of it."""
    cluster.ipam.auto_assign(request(num4=6))
    (key,) = cluster.keys("/handle/")
    counts = json.loads(cluster.store.get(key).value)["block"]
    assert sorted(counts.values()) == [2, 4]


def test_too_high_counts_of_others_are_cured(cluster):
    """A handle whose stored count was too high is gone when its addresses are."""
    cluster.ipam.auto_assign(request())
    (key,) = cluster.keys("/handle/")
    (block,) = cluster.ipam.blocks()
    cluster.store.put(key, json.dumps({"block": {block.cidr: 5, "10.0.0.12/30": 1}, "deleted": False}).encode())
    cluster.ipam.release_by_handle("h")
    assert cluster.keys("/handle/") == []


def test_shortfall_is_partial_not_an_error(cluster):
    """A pool that runs out gives what it has and says so."""
    got = cluster.ipam.auto_assign(request(num4=17)).v4
    assert (len(got.addresses), got.is_partial, got.error) == (16, True, None)
    assert got.messages


@pytest.mark.parametrize(("limit", "given"), [(1, 4), (2, 8)])
def test_block_limit_border(cluster, limit, given):
    """A host that owns as many blocks as it may gets no further one; what it got stays assigned."""
    cluster.ipam.set_config(IpamConfig(strict_affinity=True, max_blocks_per_host=limit))
    got = cluster.ipam.auto_assign(request(num4=9)).v4
    assert (len(got.addresses), got.error.reason) == (given, Reason.BLOCK_LIMIT)


def test_strict_affinity_never_borrows(cluster):
    """With strict affinity a host does not take addresses out of another's block."""
    cluster.ipam.auto_assign(request("n1", num4=13))
    cluster.ipam.set_config(IpamConfig(strict_affinity=True))
    assert cluster.ipam.auto_assign(request("n2", handle="g")).v4.addresses == ()
    cluster.ipam.set_config(IpamConfig())
    assert len(cluster.ipam.auto_assign(request("n2", handle="g")).v4.addresses) == 1


def test_interrupted_claim_is_finished_by_the_next_call(cluster):
    """A pending affinity of this host becomes confirmed and its block is used."""
    cluster.store.put("/calico/ipam/v2/host/n1/ipv4/block/10.0.0.8-30", b'{"state":"pending","deleted":false}')
    assert addresses(cluster.ipam.auto_assign(request()).v4) == ["10.0.0.8"]
    assert b"confirmed" in cluster.store.get("/calico/ipam/v2/host/n1/ipv4/block/10.0.0.8-30").value


def test_stale_affinity_to_anothers_block_is_dropped(cluster):
    """An affinity to a block that another host owns is removed, not used."""
    cluster.ipam.claim(parse_network("10.0.0.8/30"), "n2")
    cluster.store.put("/calico/ipam/v2/host/n1/ipv4/block/10.0.0.8-30", b'{"state":"pending","deleted":false}')
    assert addresses(cluster.ipam.auto_assign(request()).v4) != ["10.0.0.8"]
    assert "/calico/ipam/v2/host/n1/ipv4/block/10.0.0.8-30" not in cluster.keys("/host/")


@pytest.mark.parametrize(("age", "taken"), [(59, False), (60, True)])
def test_takeover_of_an_idle_block_border(cluster, age, taken):
    """An empty block of another host can be had 60 seconds after it was claimed."""
    cluster.ipam.set_config(IpamConfig(strict_affinity=True))
    cluster.ipam.claim(parse_network("10.0.0.0/28"), "n2")
    cluster.clock.advance(age)
    assert bool(cluster.ipam.auto_assign(request("n1")).v4.addresses) is taken


def test_blocks_in_pools_that_left_the_node_are_given_up(cluster):
    """An empty block goes back when its pool does not select the node any more."""
    cluster.ipam.auto_assign(request())
    cluster.ipam.release_by_handle("h")
    cluster.put("IPPool", "ippools", "v4", {"cidr": "10.0.0.0/28", "blockSize": 30, "nodeSelector": "has(gpu)"})
    cluster.put("IPPool", "ippools", "w4", {"cidr": "10.1.0.0/28", "blockSize": 30})
    assert addresses(cluster.ipam.auto_assign(request()).v4)[0].startswith("10.1.")
    assert cluster.keys("/block/10.0") == []


@pytest.mark.parametrize("broken", [{"cidr": "10.0.0.300/8"}, {"nodeSelector": "("}, {"namespaceSelector": "="}])
def test_unreadable_pool_is_left_out(cluster, caplog, broken):
    """A pool with a member that cannot be read is reported and treated as absent."""
    spec = {"cidr": "10.9.0.0/24"} | broken
    cluster.put("IPPool", "ippools", "a", spec, annotations={"seen": str(uuid4())})
    assert cluster.ipam.auto_assign(request()).error is None
    assert "pool left out" in caplog.text


def test_missing_node(cluster):
    """Automatic assignment needs the Node resource."""
    assert cluster.ipam.auto_assign(request("nowhere")).error.reason is Reason.NOT_FOUND


def test_namespace_selector(cluster):
    """A pool with a namespace selector serves the namespaces that it selects, no namespace having no labels."""
    cluster.put("IPPool", "ippools", "v4", {"cidr": "10.0.0.0/28", "blockSize": 30, "namespaceSelector": "team == 'a'"})
    assert cluster.ipam.auto_assign(request()).error.reason is Reason.NO_POOLS_FOR_NODE
    assert cluster.ipam.auto_assign(request(namespace_labels={"team": "a"})).error is None


def test_specific_address_and_its_release(cluster):
    """A specific address is assigned once, and an old sequence number can't release its next owner."""
    address = parse_address("10.0.0.5")
    cluster.ipam.assign(address, "n1", "h")
    (block,) = cluster.ipam.blocks()
    old = block.sequences[1]
    cluster.ipam.release([Release(address)])
    cluster.ipam.assign(address, "n1", "g")
    assert cluster.ipam.release([Release(address, sequence=old)]).error.reason is Reason.BAD_SEQUENCE_NUMBER
    assert cluster.ipam.attributes_of(address).handle == "g"


def test_unowned_block_vanishes_with_its_last_address(cluster):
    """A block whose host gave it up is deleted when its last address is released."""
    cluster.ipam.auto_assign(request())
    cluster.ipam.release_host("n1")
    (block,) = cluster.ipam.blocks()
    assert block.affinity is None
    cluster.ipam.release_by_handle("h")
    assert cluster.keys("/block/") == []


@pytest.mark.parametrize(
    ("config", "allowed"),
    [
        (IpamConfig(auto_allocate_blocks=False), False),
        (IpamConfig(strict_affinity=True, auto_allocate_blocks=False), True),
        (IpamConfig(max_blocks_per_host=1), False),
        (IpamConfig(strict_affinity=True, max_blocks_per_host=1), True),
        (IpamConfig(cooldown_s=1200), True),
        (IpamConfig(cooldown_s=1201), False),
    ],
)
def test_configuration_borders(cluster, config, allowed):
    """Combinations that make no sense are refused and nothing is stored."""
    if allowed:
        cluster.ipam.set_config(config)
        assert cluster.ipam.config() == config
    else:
        with pytest.raises(IpamError):
            cluster.ipam.set_config(config)
        assert cluster.keys("config") == []
