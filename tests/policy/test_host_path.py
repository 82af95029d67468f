# SPDX-License-Identifier: Apache-2.0
"""The way of a packet through a host: host endpoints, connection tracking, failsafes and the guards."""

from __future__ import annotations

import pytest
from tests.policy.language import allow, allowed, denied, deny, pass_, tcp

from percale.policy.host_settings import FailsafePort

HOST = "host@n1@192.0.2.10"
ESTABLISHED, INVALID, FAILSAFE = "conntrack-established", "conntrack-invalid", "failsafe"


def judgements(explanation):
    """The path as short words: stage, direction, and what decided."""
    found = []
    for each in (finding.judgement for finding in explanation.findings):
        by = str(each.reason) if each.reason else each.policy.name if each.policy else each.profile
        found.append(" ".join(filter(None, (each.stage, each.direction, by, each.action))))
    return found


@pytest.fixture
def host(net):
    """A host n1 with the workloads web and db; no host endpoint yet."""
    net.endpoint("web", role="web")
    net.endpoint("db", role="db")
    return net


def forward(net, name, selector, **spec):
    return net.global_policy(name, selector, applyOnForward=True, **spec)


def untracked(net, name, selector, **spec):
    return net.global_policy(name, selector, applyOnForward=True, doNotTrack=True, **spec)


def pre_dnat(net, name, selector, **spec):
    return net.global_policy(name, selector, applyOnForward=True, preDNAT=True, **spec)


# Connection tracking


@pytest.mark.parametrize("state", ["established", "related"])
def test_later_packets_are_not_asked_again(host, state):
    """Packets of an allowed connection pass whatever policy says now."""
    host.policy("p", "all()", ingress=[deny()], egress=[deny()])
    assert host.verdict(f"web → db tcp 80 {state}") == allowed(reason=ESTABLISHED)


def test_invalid_packets_are_dropped(host):
    """A packet that fits no connection is dropped at the first endpoint, unless the agent is told not to."""
    assert host.verdict("web → db tcp 80 invalid") == denied(reason=INVALID)
    host.configure(drop_invalid=False)
    assert host.verdict("web → db tcp 80 invalid") == allowed("open", rule=0)


# Workload to its own host


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("Drop", denied(reason="endpoint-to-host-drop")),
        ("Accept", allowed(reason="endpoint-to-host-accept")),
        ("Return", allowed("open", rule=0)),
    ],
)
def test_endpoint_to_host_action_comes_behind_policy(host, action, expected):
    """What a workload may send reaches its own host only if the agent's setting lets it."""
    host.configure(endpoint_to_host_action=action)
    assert host.verdict(f"web → {HOST} tcp 80") == expected
    host.policy("p", "role == 'web'", egress=[deny()])
    assert host.verdict(f"web → {HOST} tcp 80") == denied("p", rule=0)


@pytest.mark.parametrize(("number", "reaches"), [(130, True), (133, True), (134, False), (135, True), (137, False)])
def test_neighbor_discovery_always_reaches_the_host(host, number, reaches):
    """Without these ICMPv6 messages a workload has no IPv6; others are judged like all traffic."""
    host.policy("p", "role == 'web'", egress=[deny()])
    expected = allowed(reason="icmpv6-to-host") if reaches else denied("p", rule=0)
    assert host.verdict(f"icmpv6/{number}/0 web → host@n1@fe80::1") == expected


def test_icmpv6_numbers_mean_nothing_to_icmp(host):
    """An IPv4 ICMP type with the number of a neighbor discovery message is judged by policy."""
    host.policy("p", "role == 'web'", egress=[deny()])
    assert host.verdict(f"icmp/135/0 web → {HOST}") == denied("p", rule=0)


def test_the_host_may_always_reach_its_workloads(host):
    """Ingress policy does not apply to what the host itself sends to its own workload."""
    host.policy("p", "role == 'db'", ingress=[deny()])
    assert host.verdict(f"{HOST} → db tcp 80") == allowed()


def test_another_host_is_outside(host):
    """For a workload on another host the sending host is like any other peer."""
    host.endpoint("far", node="n2", role="far")
    host.policy("p", "role == 'far'", ingress=[deny()])
    assert host.verdict(f"{HOST} → far tcp 80") == denied("p", rule=0)


# Encapsulation guard


@pytest.mark.parametrize("question", ["web → db udp 4789", "4 web → db"])
def test_workloads_may_not_encapsulate(host, question):
    """VXLAN and IP-in-IP from a workload are dropped ahead of policy, unless the agent's settings allow them."""
    host.policy("p", "role == 'web'", egress=[allow()])
    assert host.verdict(question) == denied(reason="encap-from-workload")
    host.configure(allow_vxlan_from_workloads=True, allow_ipip_from_workloads=True)
    assert host.verdict(question) == allowed("open", rule=0)


@pytest.mark.parametrize("question", ["web → db tcp 4789", "web → db udp 4790", "5 web → db", "external → db udp 4789"])
def test_the_encapsulation_guard_is_narrow(host, question):
    """Only UDP to the VXLAN port and protocol 4, and only from workloads, are guarded."""
    assert host.verdict(question) == allowed("open", rule=0)


def test_the_vxlan_port_is_a_setting(host):
    """The guard follows the configured VXLAN port."""
    host.configure(vxlan_port=8472)
    assert host.verdict("web → db udp 8472") == denied(reason="encap-from-workload")
    assert host.verdict("web → db udp 4789") == allowed("open", rule=0)


# Host endpoints, normal class


def test_a_host_endpoint_without_policy_is_closed(net):
    """A host endpoint without policy and profile denies all but failsafe ports, in both directions."""
    net.host_endpoint("h")
    assert net.verdict(f"external → {HOST} tcp 80") == denied(reason="no-profile-match")
    assert net.verdict(f"{HOST} → external tcp 80") == denied(reason="no-profile-match")


@pytest.mark.parametrize(
    ("question", "is_open"),
    [
        (f"external → {HOST} tcp 22", True),
        (f"external → {HOST} udp 22", False),
        (f"external → {HOST} tcp 23", False),
        (f"external → {HOST} udp 68", True),
        (f"external → {HOST} udp 53", False),
        (f"{HOST} → external udp 53", True),
        (f"{HOST} → external tcp 53", False),
        (f"{HOST} → external tcp 22", False),
        (f"{HOST} → external tcp 6443", True),
        (f"external:53 → {HOST} udp 40000", False),
    ],
)
def test_failsafe_ports_are_open(net, question, is_open):
    """Each direction has its own ports, by protocol and destination port; they come before policy."""
    net.host_endpoint("h", role="host")
    net.global_policy("p", "role == 'host'", ingress=[deny()], egress=[deny()])
    assert net.verdict(question) == (allowed(reason=FAILSAFE) if is_open else denied("p", rule=0))


@pytest.mark.parametrize(("peer", "is_open"), [("198.51.100.1", True), ("203.0.113.1", False)])
def test_a_failsafe_port_may_be_for_one_network(net, peer, is_open):
    """The network of a failsafe port is the peer's: the source inbound, the destination outbound."""
    port = (FailsafePort(6, 22, "198.51.100.0/24"),)
    net.configure(failsafe_inbound=port, failsafe_outbound=port)
    net.host_endpoint("h")
    expected = allowed(reason=FAILSAFE) if is_open else denied(reason="no-profile-match")
    assert net.verdict(f"{peer} → {HOST} tcp 22") == expected
    assert net.verdict(f"{HOST} → {peer} tcp 22") == expected


def test_forwarded_traffic_ignores_normal_host_policy(host):
    """A host endpoint's normal policies are for the host's own traffic."""
    host.host_endpoint("h")
    assert host.verdict("external → db tcp 80") == allowed("open", rule=0)


def test_no_host_endpoint_no_judgement(host):
    """An interface without host endpoint is not judged for the host's own traffic."""
    assert host.verdict(f"external → {HOST} tcp 80") == allowed()


# Which host endpoint governs


def test_the_smallest_name_governs_an_interface(net):
    """Of two host endpoints for one interface the one with the smaller name is active."""
    net.host_endpoint("b", role="b")
    net.host_endpoint("a", role="a")
    net.global_policy("p", "role == 'a'", ingress=[allow()])
    assert net.verdict(f"external → {HOST} tcp 80") == allowed("p", rule=0)


def test_the_wildcard_governs_what_no_other_does(net):
    """A host endpoint for all interfaces stands back where one names the interface; it governs loopback as well."""
    net.host_endpoint("all", iface="*", role="all")
    net.host_endpoint("one", iface="eth0", role="one")
    net.global_policy("p", "role == 'all'", ingress=[allow()], egress=[allow()])
    assert net.verdict(f"external → {HOST} tcp 80 in=eth1") == allowed("p", rule=0)
    assert net.verdict(f"external → {HOST} tcp 80 in=eth0") == denied(reason="no-profile-match")
    assert net.verdict("host@n1@127.0.0.1 → host@n1@127.0.0.1 tcp 80") == allowed("p", rule=0)


def test_an_address_on_the_interface_governs(net):
    """A host endpoint without interface governs the one that has an expected address; one with another never does."""
    net.host_endpoint("by-address", iface="", ips=["192.0.2.10"])
    net.host_endpoint("elsewhere", iface="eth7", ips=["192.0.2.10"])
    assert net.verdict(f"external → {HOST} tcp 80 in=eth1") == allowed()
    net.address_on("n1", "eth1", "192.0.2.10")
    assert net.verdict(f"external → {HOST} tcp 80 in=eth1") == denied(reason="no-profile-match")
    assert net.explain(f"external → {HOST} tcp 80 in=eth1").decider.judgement.endpoint.name == "by-address"


def test_host_endpoints_of_other_nodes_do_not_count(net):
    """A host endpoint governs its own node only."""
    net.host_endpoint("h", node="n2")
    assert net.verdict(f"external → {HOST} tcp 80") == allowed()


# Forward class


def test_forward_policy_judges_what_passes_the_host(host):
    """Apply-on-forward policies of a host endpoint judge traffic to and from workloads, beside the workloads' own."""
    host.host_endpoint("h", role="host")
    forward(host, "f", "role == 'host'", ingress=[allow(**tcp(80))], egress=[deny(**tcp(81)), allow()])
    assert judgements(host.explain("external → db tcp 80")) == [
        "forward ingress f allow",
        "normal ingress open allow",
    ]
    assert host.verdict("external → db tcp 81") == denied(reason="end-of-tier", tier="default")
    assert host.verdict("db → external tcp 81") == denied("f", rule=0)
    assert host.verdict("db → external tcp 82") == allowed("f", rule=1)


def test_forward_policy_without_tier_allows(host):
    """A host endpoint without forward policies leaves forwarded traffic alone; so does a last tier that passes."""
    host.host_endpoint("h", role="host")
    assert judgements(host.explain("external → db tcp 80")) == ["normal ingress open allow"]
    forward(host, "f", "role == 'host'", ingress=[pass_()])
    assert judgements(host.explain("external → db tcp 80")) == ["forward ingress f pass", "normal ingress open allow"]


def test_the_wildcards_forward_policy_covers_workload_interfaces(host):
    """Between two local workloads a wildcard host endpoint judges first and last."""
    host.host_endpoint("all", iface="*", role="host")
    forward(host, "f", "role == 'host'", ingress=[allow()], egress=[allow()])
    assert judgements(host.explain("web → db tcp 80")) == [
        "forward ingress f allow",
        "normal egress open allow",
        "normal ingress open allow",
        "forward egress f allow",
    ]


def test_failsafe_ports_are_nothing_to_forward_policy(host):
    """A forwarded packet to a failsafe port is judged like any other."""
    host.host_endpoint("h", role="host")
    forward(host, "f", "role == 'host'", ingress=[deny()])
    assert host.verdict("external → db tcp 22") == denied("f", rule=0)


# Pre-DNAT class


def test_pre_dnat_policy_sees_the_original_destination(host):
    """Pre-DNAT policy judges the address and port that the client used, forward and workload policy the final ones."""
    host.host_endpoint("h", role="host")
    pre_dnat(host, "early", "role == 'host'", ingress=[deny(**tcp(8080)), pass_()])
    assert host.verdict("external → db tcp 80 via=203.0.113.5:8080") == denied("early", rule=0)
    assert host.verdict("external → db tcp 8080 via=203.0.113.5:80") == allowed("open", rule=0)


def test_pre_dnat_accept_skips_forward_policy_but_not_the_workload(host):
    """What pre-DNAT policy allows passes the forward policy of its interface, and is judged by the workload's own."""
    host.host_endpoint("h", role="host")
    pre_dnat(host, "early", "role == 'host'", ingress=[allow()])
    forward(host, "f", "role == 'host'", ingress=[deny()])
    host.policy("p", "role == 'db'", ingress=[deny(**tcp(81)), allow()])
    assert host.verdict("external → db tcp 80") == allowed("p", rule=1)
    assert host.verdict("external → db tcp 81") == denied("p", rule=0)


def test_pre_dnat_accept_reaches_the_host(net):
    """What pre-DNAT policy allows to the host itself passes its normal policy."""
    net.host_endpoint("h", role="host")
    pre_dnat(net, "early", "role == 'host'", ingress=[allow(**tcp(80))])
    assert net.verdict(f"external → {HOST} tcp 80") == allowed("early", rule=0)
    assert net.verdict(f"external → {HOST} tcp 81") == denied(reason="no-profile-match")


def test_failsafe_ports_survive_pre_dnat_policy(net):
    """Pre-DNAT policy cannot close a failsafe port."""
    net.host_endpoint("h", role="host")
    pre_dnat(net, "early", "role == 'host'", ingress=[deny()])
    assert net.verdict(f"external → {HOST} tcp 22") == allowed(reason=FAILSAFE)
    assert net.verdict(f"external → {HOST} tcp 80") == denied("early", rule=0)


# Untracked class


def test_untracked_accept_skips_connection_tracking(net):
    """What untracked policy allows is no longer tracked: an invalid state does not drop it."""
    net.host_endpoint("h", role="host")
    untracked(net, "u", "role == 'host'", ingress=[allow(**tcp(80))], egress=[deny()])
    assert net.verdict(f"external → {HOST} tcp 80 invalid") == allowed("u", rule=0)
    assert net.verdict(f"external → {HOST} tcp 81 invalid") == denied(reason=INVALID)
    assert net.verdict(f"{HOST} → external tcp 80") == denied("u", rule=0)


def test_untracked_policy_lets_failsafe_replies_through(net):
    """Without connections the replies of failsafe ports are known by their source port."""
    net.host_endpoint("h", role="host", profiles=["open"])
    untracked(net, "u", "role == 'host'", ingress=[deny()], egress=[deny()])
    assert net.verdict(f"external:53 → {HOST} udp 40000") == allowed("open", rule=0)
    assert net.verdict(f"external:54 → {HOST} udp 40000") == denied("u", rule=0)
    assert net.verdict(f"{HOST}:22 → external tcp 40000") == allowed("open", rule=0)


def test_the_wildcard_has_no_untracked_policy(net):
    """A host endpoint for all interfaces ignores untracked policies."""
    net.host_endpoint("all", iface="*", role="host", profiles=["open"])
    untracked(net, "u", "role == 'host'", ingress=[deny()])
    assert net.verdict(f"external → {HOST} tcp 80") == allowed("open", rule=0)


def test_workloads_are_not_subject_to_untracked_policy(host):
    """Neither an untracked policy that selects a workload nor one of a host endpoint judges a workload's packets."""
    host.host_endpoint("h", role="host")
    untracked(host, "u", "all()", egress=[deny()], ingress=[deny()])
    assert host.verdict("web → db tcp 80") == allowed("open", rule=0)
    assert host.verdict("web → external tcp 80") == allowed("open", rule=0)


# Conflicts


def test_one_interface_belongs_to_the_smaller_endpoint(net):
    """Of two endpoints with one interface the second is kept aside and closed until the first goes."""
    first = net.endpoint("a", iface="cali0")
    net.endpoint("b", iface="cali0")
    assert net.verdict("external → a tcp 80") == allowed("open", rule=0)
    assert net.verdict("external → b tcp 80") == denied(reason="inactive-endpoint")
    net.remove(first)
    assert net.verdict("external → b tcp 80") == allowed("open", rule=0)
