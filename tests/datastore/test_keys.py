# SPDX-License-Identifier: Apache-2.0
"""Where objects lie, and what keys mean."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from percale.datastore import keys
from percale.datastore.keys import (
    AffinityKey,
    BlockKey,
    EndpointStatusKey,
    HandleKey,
    HostEndpointStatusKey,
    KeyRange,
    StatusReportKey,
)
from percale.datastore.keyvalue import prefix_end
from percale.resources import KINDS, Key

ROOT = "/calico/resources/v3/projectcalico.org"
names = st.text("abc-.09", min_size=1, max_size=8)
hosts = st.text("abc-.", min_size=1, max_size=8)
loose = st.text("ab/% ", min_size=1, max_size=8)


@given(st.sampled_from(sorted(KINDS)), names, names)
def test_resource_keys_can_be_read_back(kind, namespace, name):
    """A resource's key names the same resource."""
    key = Key(kind, namespace if KINDS[kind].namespaced else "", name)
    assert keys.parse(keys.resource_path(key)) == key


@given(
    st.one_of(
        st.builds(HandleKey, hosts),
        st.builds(StatusReportKey, hosts, st.sampled_from(["", "r1"]), st.booleans()),
        st.builds(EndpointStatusKey, hosts, loose, loose, loose, st.sampled_from(["", "r1"])),
        st.builds(HostEndpointStatusKey, hosts, loose),
        st.builds(BlockKey, st.sampled_from(["10.0.0.0/26", "fd00::/122", "192.0.2.1/32"])),
        st.builds(AffinityKey, st.sampled_from(["10.0.0.0/26", "fd00::/122"]), hosts, st.just("host")),
    )
)
def test_internal_keys_can_be_read_back(key):
    """An internal key names the same object, whatever signs its parts hold."""
    assert keys.parse(key.path) == key


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (f"{ROOT}/tiers/default", Key("Tier", "", "default")),
        (f"{ROOT}/networkpolicies/ns1/t1.p", Key("NetworkPolicy", "ns1", "t1.p")),
        (f"{ROOT}/profiles/a%2fb", Key("Profile", "", "a/b")),
        (f"{ROOT}/profiles/a%252fb", Key("Profile", "", "a%2fb")),
        (f"{ROOT}/tiers/", None),
        (f"{ROOT}/tiers/a/b", None),
        (f"{ROOT}/networkpolicies/p", None),
        (f"{ROOT}/networkpolicies//p", None),
        (f"{ROOT}/networkpolicies/ns1/p/q", None),
        (f"{ROOT}/unknown/x", None),
        (f"{ROOT[1:]}/tiers/default", None),
        ("/calico/ipam/v2/assignment/ipv4/block/fd00::-122", None),
        ("/calico/ipam/v2/assignment/ipv4/block/junk", None),
        ("/calico/ipam/v2/config", None),
        ("/calico/ipam/v2/host/node1", None),
    ],
)
def test_parsing_is_strict(path, key):
    """Only exactly the layout's keys are known; anything else is not ours."""
    assert keys.parse(path) == key


def test_affinities_of_any_type():
    """Listing affinities knows three types of owners, the parser of any key only hosts."""
    path = "/calico/ipam/v2/{}/lb/ipv4/block/10.0.0.0-26"
    for owner in ("host", "virtual", "@"):
        assert keys.parse_affinity(path.format(owner)) == AffinityKey("10.0.0.0/26", "lb", owner)
    assert keys.parse_affinity(path.format("other")) is None
    assert keys.parse(path.format("virtual")) is None


def test_block_cidr_is_masked_in_the_key():
    """The key of a block has no host bits."""
    assert BlockKey("10.0.0.5/26").path == "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26"


@pytest.mark.parametrize(
    "make",
    [
        lambda: BlockKey("").path,
        lambda: AffinityKey("10.0.0.0/26", "").path,
        lambda: HandleKey("").path,
        lambda: EndpointStatusKey("n", "k8s", "", "eth0").path,
        lambda: StatusReportKey("").path,
        lambda: StatusReportKey("n", "a/b").path,
        lambda: keys.resource_path(Key("Unknown", "", "x")),
    ],
)
def test_incomplete_identifiers_are_refused(make):
    """A key is never made from missing or impossible parts."""
    with pytest.raises(ValueError):
        _ = make()


def test_ranges_of_a_namespaced_kind():
    """Namespace and name narrow the range; a name alone can't, it is in every namespace."""
    pods = f"{ROOT}/workloadendpoints/"
    assert keys.resource_range("WorkloadEndpoint") == KeyRange.prefix(pods)
    assert keys.resource_range("WorkloadEndpoint", namespace="a") == KeyRange.prefix(f"{pods}a/")
    assert keys.resource_range("WorkloadEndpoint", namespace="a", name="w") == KeyRange(f"{pods}a/w")
    assert keys.resource_range("WorkloadEndpoint", namespace="a", name="w", prefix=True) == KeyRange(
        f"{pods}a/w", prefix_end(f"{pods}a/w")
    )
    assert keys.resource_range("WorkloadEndpoint", name="w", prefix=True) == KeyRange.prefix(pods)


def test_ranges_of_statuses():
    """Each identifier narrows the range of endpoint statuses by one segment."""
    root = "/calico/felix/v2/"
    assert keys.endpoint_status_range() == KeyRange.prefix(root)
    assert keys.endpoint_status_range("r") == KeyRange.prefix(f"{root}region-r/host/")
    assert keys.endpoint_status_range("", "n") == KeyRange.prefix(f"{root}no-region/host/n/workload/")
    assert keys.endpoint_status_range("", "n", "k8s", "a/b", "e") == KeyRange(
        f"{root}no-region/host/n/workload/k8s/a%2fb/endpoint/e"
    )
