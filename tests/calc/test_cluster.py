# SPDX-License-Identifier: Apache-2.0
"""The cluster's answers about any endpoint, without a host."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calc.clusters import HOST, RESOURCES
from tests.calc.protocol import referred_sets
from tests.calc.whole import members
from tests.calc.world import host_endpoint, network_set, policy, profile, workload

from percale.calc.calculation import Calculation
from percale.calc.cluster import Cluster
from percale.calc.compiled import IPSetKind
from percale.calc.contributors import Shared
from percale.calc.host_state import EndpointID
from percale.resources import EntityRule, GlobalNetworkPolicySpec, Rule

ADDRESSES = [
    *("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2", "10.0.0.77", "10.9.9.9", "11.0.0.1", "200.0.0.1"),
    *("fd00::1", "fd00::2", "fd00::77", "fd01::1"),
]
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}


@settings(max_examples=60)
@given(
    resources=st.lists(RESOURCES, max_size=30), deleted=st.lists(st.integers(0, 29), max_size=10), early=st.booleans()
)
def test_membership_is_the_same_asked_directly_and_from_the_kept_sets(resources, deleted, early):
    """For every set of an active policy or profile, every address and port."""
    calculation = Calculation(HOST)
    cluster = calculation.cluster
    for resource in resources:
        calculation.update(resource.key, resource)
        if early:
            cluster.endpoint_of_address(ip_address("10.0.0.1"))  # from now on the address book is kept up to date
    for number in deleted:
        if number < len(resources):
            calculation.update(resources[number].key, None)
    calculation.in_sync()
    calculation.flush()
    state = calculation.state()
    for owner in state.policies:
        cluster.policy(owner)
    for name in state.profiles:
        cluster.profile(name)
    for set_id in state.ip_sets:
        right = members(cluster, cluster.ip_set(set_id))
        for address in map(ip_address, ADDRESSES):
            for protocol in PROTOCOLS:
                for port in (53, 80):
                    wanted = _holds(right, state.ip_sets[set_id].kind, address, protocol, port)
                    assert cluster.membership.contains(set_id, address, protocol, port) is wanted
                    assert calculation.ip_sets.contains(set_id, address, protocol, port) is wanted


def _holds(texts, kind, address, protocol, port):
    if kind is IPSetKind.IP_PORT:
        return f"{address},{PROTOCOLS[protocol]}:{port}" in texts
    return any(address in ip_network(text) for text in texts)


def test_an_invalid_policy_counts_as_deleted_when_its_rules_are_asked_for():
    """A port needs a protocol that has ports: the policy applies to nobody, and the refusal says why."""
    ports = EntityRule(ports=(80,))
    broken = policy("broken", "all()").replace(
        spec=GlobalNetworkPolicySpec(
            selector="all()", types=("Ingress",), ingress=(Rule(action="Allow", destination=ports),)
        )
    )
    cluster = Cluster.of([workload("a", "10.0.0.1/32"), policy("sound", "all()"), broken])
    (endpoint,) = (each.id for each in cluster.endpoints())
    assert [each.name for tier in cluster.policies_for(endpoint).normal for each in tier.ingress] == ["sound"]
    assert "ports need a protocol" in str(cluster.refusals[broken.key])
    assert [each.id.name for each in cluster.policies()] == ["sound"]


def test_an_invalid_profile_counts_as_absent():
    """Its stand-in denies everything, as that of a profile which does not exist."""
    cluster = Cluster.of([profile("p", Rule(action="Allow", destination=EntityRule(ports=(80,))))])
    assert not cluster.profile("p").exists
    assert "ports need a protocol" in str(next(iter(cluster.refusals.values())))


@pytest.mark.parametrize("node", [HOST, "another"])
def test_an_invalid_profile_gives_no_labels(node):
    """Absent is absent: whoever lists it, here or elsewhere, is labelled as if there were none, whatever is asked."""
    broken = profile("p", Rule(action="Allow", destination=EntityRule(ports=(80,))), role="y")
    resources = [workload("a", "10.0.0.1/32", node=node, profiles=["p"], labels={}), broken]
    resources.append(policy("of-role", "role == 'y'"))
    cluster = Cluster.of(resources)
    (endpoint,) = (each.id for each in cluster.endpoints())
    assert "role" not in cluster.labels(endpoint)
    assert cluster.policies_for(endpoint).normal == ()
    calculation = Calculation(HOST)
    for resource in resources:
        calculation.update(resource.key, resource)
    calculation.in_sync()
    calculation.flush()
    assert not calculation.state().policies


def test_a_profile_that_becomes_invalid_is_withdrawn():
    """Its labels go, and come back with the next valid version."""
    cluster = Cluster.of([workload("a", "10.0.0.1/32", profiles=["p"], labels={}), profile("p", role="y")])
    (endpoint,) = (each.id for each in cluster.endpoints())
    broken = profile("p", Rule(action="Allow", destination=EntityRule(ports=(80,))), role="y")
    found = []
    for version in (broken, profile("p", role="z")):
        cluster.update(version.key, version)
        found.append(cluster.labels(endpoint).get("role"))
    assert found == [None, "z"]


@settings(max_examples=60)
@given(resources=st.lists(RESOURCES, max_size=30))
def test_policies_of_an_endpoint_are_those_its_host_enforces(resources):
    """The cluster answers for any endpoint what the calculation tells its own host."""
    cluster = Cluster.of({resource.key: resource for resource in resources}.values())
    calculation = Calculation(HOST)
    for resource in resources:
        calculation.update(resource.key, resource)
    calculation.in_sync()
    calculation.flush()
    for endpoint in calculation.state().endpoints.values():
        found = cluster.policies_for(endpoint.id)
        assert found.normal == endpoint.tiers
        if endpoint.id.kind == "HostEndpoint":
            assert found[1:] == (endpoint.untracked_tiers, endpoint.pre_dnat_tiers, endpoint.forward_tiers)
        for tier in found.normal:
            for policy_id in (*tier.ingress, *tier.egress):
                compiled = cluster.policy(policy_id)
                assert compiled == calculation.state().policies[policy_id]
                assert all(cluster.ip_set(set_id) for set_id in referred_sets(compiled))


def test_an_address_belongs_to_a_workload_before_a_host_and_never_to_a_network_set():
    """Of several owners of one sort the smallest name is answered."""
    web, other = workload("web", "10.0.0.1/32", node="n2"), workload("other", "10.0.0.1/32", node="n2")
    cluster = Cluster.of([network_set("block", "10.0.0.0/8"), host_endpoint("h", "10.0.0.1", "fd00::1"), web, other])
    assert cluster.endpoint_of_address(ip_address("10.0.0.1")) == EndpointID("WorkloadEndpoint", "ns1", other.name)
    assert cluster.endpoint_of_address(ip_address("fd00::1")) == EndpointID("HostEndpoint", "", "h")
    assert cluster.endpoint_of_address(ip_address("10.0.0.2")) is None
    cluster.update(other.key, None)
    assert cluster.endpoint_of_address(ip_address("10.0.0.1")) == EndpointID("WorkloadEndpoint", "ns1", web.name)


def test_an_endpoint_without_addresses_is_absent():
    """Gaining an address it appears, losing it again it is gone."""
    key = EndpointID("WorkloadEndpoint", "ns1", workload("web").name)
    cluster = Cluster.of([workload("web")])
    with pytest.raises(KeyError):
        cluster.endpoint(key)
    cluster.update(workload("web").key, workload("web", "10.0.0.1/32"))
    assert cluster.endpoint(key).nets == ("10.0.0.1/32",)
    cluster.update(workload("web").key, workload("web"))
    assert list(cluster.endpoints()) == []


@pytest.mark.parametrize("allowed", [False, True])
def test_source_spoofing_must_be_allowed(allowed):
    """An endpoint that asks for it is absent unless the agent's setting allows it."""
    spoofing = workload("web", "10.0.0.1/32", allow_spoofed_source_prefixes=("10.9.0.0/16",))
    cluster = Cluster.of([spoofing], source_spoofing_allowed=allowed)
    assert len(list(cluster.endpoints())) == allowed


def test_an_endpoint_cannot_give_itself_what_only_profiles_give():
    """Labels of namespaces and service accounts are dropped, the service account's name is set."""
    web = workload(
        "web", "10.0.0.1/32", labels={"pcns.env": "prod", "pcsa.x": "y", "a": "b"}, service_account_name="sa"
    )
    labels = Cluster.of([web]).labels(EndpointID(*web.key))
    assert labels == {
        "a": "b",
        "projectcalico.org/namespace": "ns1",
        "projectcalico.org/orchestrator": "k8s",
        "projectcalico.org/serviceaccount": "sa",
    }


def test_a_profile_that_does_not_exist_denies_everything():
    """Its stand-in says so."""
    cluster = Cluster.of([profile("there", Rule(action="Allow"))])
    assert cluster.profile("there").exists
    ghost = cluster.profile("ghost")
    assert (ghost.exists, [str(rule.action) for rule in ghost.ingress + ghost.egress]) == (False, ["deny", "deny"])


def test_a_policy_that_cannot_be_compiled_is_passed_over():
    """A question about an endpoint answers without it and keeps the reason."""
    web, bad = workload("web", "10.0.0.1/32"), policy("bad", "all()", "not a selector")
    cluster = Cluster.of([web, bad, policy("good", "all()")])
    [tier] = cluster.policies_for(EndpointID(*web.key)).normal
    assert [each.name for each in tier.ingress] == ["good"]
    assert list(cluster.refusals) == [bad.key]


def test_equal_label_sets_are_held_once():
    """Replicas of one workload share their labels; so do they after the memory has begun anew."""
    shared = Shared(remembered=2)
    first = shared.labels({"a": "b"})
    assert shared.labels({"a": "b"}) is first
    for number in range(10):
        shared.labels({"n": str(number)})
    again = shared.labels({"a": "b"})
    assert again == first
    assert shared.labels({"a": "b"}) is again
