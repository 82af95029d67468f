# SPDX-License-Identifier: Apache-2.0
"""What the client fills in before it writes."""

import pytest
from tests.resources.valid import resource

TIER = "projectcalico.org/tier"
ALLOW = [{"action": "Allow"}]


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, ("Ingress",)),
        ({"ingress": ALLOW}, ("Ingress",)),
        ({"egress": ALLOW}, ("Egress",)),
        ({"ingress": ALLOW, "egress": ALLOW}, ("Ingress", "Egress")),
        ({"types": ["Egress", "Ingress"]}, ("Egress", "Ingress")),
    ],
)
def test_types_follow_the_rules(spec, types):
    """Without types a policy has those of its rules; given types stay in their order."""
    assert resource("GlobalNetworkPolicy", spec).spec.types == types


def test_the_tier_is_filled_in_and_labelled():
    """The label always says what the spec says."""
    policy = resource("NetworkPolicy", labels={TIER: "other", "a": "b"})
    assert (policy.spec.tier, policy.labels) == ("default", {TIER: "default", "a": "b"})
    assert resource("NetworkPolicy", {"tier": "mine"}).labels == {TIER: "mine"}


def test_a_staged_deletion_has_no_types():
    """Whatever was given."""
    assert resource("StagedNetworkPolicy", {"stagedAction": "Delete", "types": ["Ingress"]}).spec.types == ()
    assert resource("StagedNetworkPolicy").spec.staged_action == "Set"


def test_an_endpoint_gets_its_name_and_labels():
    """The store's labels win over the user's."""
    endpoint = resource("WorkloadEndpoint", name="", labels={"projectcalico.org/namespace": "other"})
    assert endpoint.name == "n1-k8s-p-eth0"
    assert endpoint.labels == {"projectcalico.org/namespace": "shop", "projectcalico.org/orchestrator": "k8s"}


def test_a_tier_has_an_order_and_an_action():
    """An order of 0 is an order."""
    tier = resource("Tier", name="mine").spec
    assert (tier.order, tier.default_action) == (1_000_000, "Deny")
    assert resource("Tier", {"order": 0}, name="mine").spec.order == 0


@pytest.mark.parametrize(
    ("spec", "cidr", "block_size"),
    [
        ({"cidr": "192.0.2.0/24"}, "192.0.2.0/24", 26),
        ({"cidr": "2001:DB8:0::/64"}, "2001:db8::/64", 122),
        ({"cidr": "10.0.0.0/08", "blockSize": 28}, "10.0.0.0/8", 28),
        ({"cidr": "10.0.0.1/8"}, "10.0.0.1/8", 26),
        ({"cidr": "x"}, "x", 0),
    ],
)
def test_a_pool_is_canonical_and_complete(spec, cidr, block_size):
    """What is wrong stays as it is, for the check to name it."""
    pool = resource("IPPool", spec).spec
    assert (pool.cidr, pool.block_size) == (cidr, block_size)
    if block_size:
        assert (pool.node_selector, pool.allowed_uses, pool.assignment_mode, pool.ipip_mode, pool.vxlan_mode) == (
            "all()",
            ("Workload", "Tunnel"),
            "Automatic",
            "Never",
            "Never",
        )


@pytest.mark.parametrize(
    ("legacy", "balancing", "host"),
    [(None, "TCP", "Enabled"), (True, "Enabled", "Disabled"), (False, "Disabled", "Disabled")],
)
def test_agents_settings_follow_the_legacy_one(legacy, balancing, host):
    """The old switch decides the two new ones."""
    spec = resource("FelixConfiguration", {"bpfConnectTimeLoadBalancingEnabled": legacy}).spec
    assert (spec.bpf_connect_time_load_balancing, spec.bpf_host_networked_nat_without_ctlb) == (balancing, host)
    assert (spec.floating_ips, spec.nftables_mode, spec.nftables_flow_table_offload) == ("Disabled", "Auto", "Disabled")


def test_controllers_get_defaults_where_they_run():
    """A controller that is absent stays absent."""
    spec = resource("KubeControllersConfiguration", {"controllers": {"node": {}, "migration": {}}}).spec
    assert spec.controllers.node.leak_grace_period == "15m0s"
    assert spec.controllers.migration.policy_name_migrator == "Enabled"
    assert spec.controllers.load_balancer is None
    assert (spec.prometheus_metrics_port, spec.health_checks) == (9094, "Enabled")


def test_defaults_are_stable():
    """What is complete stays the same object."""
    from percale.resources import KINDS, defaulted

    for kind in KINDS:
        done = resource(kind)
        assert defaulted(done) == done
