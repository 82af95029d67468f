# SPDX-License-Identifier: Apache-2.0
"""Explanations: what they say, what they advise, and the values behind the text."""

from __future__ import annotations

import json

import pytest
from tests.policy.language import allow, deny, log, tcp

from percale.errors import ValidationError
from percale.policy.explain import explain


@pytest.fixture
def shop(net):
    """A shop: web-7f on n1, db-0 on n2, and two policies for the database."""
    net.endpoint("db-0", ns="shop", node="n2", role="db", iface="eth0", ports=[("pg", "TCP", 5432)])
    net.endpoint("web-7f", ns="shop", role="web")
    net.policy("db-admin", "role == 'db'", ns="shop", order=1, ingress=[allow("role == 'admin'", **tcp(22))])
    net.policy(
        "db-allow", "role == 'db'", ns="shop", ingress=[deny("role == 'old'"), allow("role == 'api'", **tcp(5432))]
    )
    return net


def near(net, question):
    return str(net.explain(question).near)


def test_a_denial_says_where_why_what_nearly_matched_and_what_to_try(shop):
    """The text names the endpoint, the deciding judgement, the nearest rule with each criterion, and a remedy."""
    assert str(shop.explain("tcp shop/web-7f → shop/db-0:5432")).splitlines() == [
        "DENY  tcp  shop/web-7f → shop/db-0:5432",
        "  at    ingress of shop/db-0 (node n2, eth0)",
        "  by    tier 'default', end of tier: 2 policies select this endpoint and none of their rules match",
        "  near  NetworkPolicy shop/db-allow rule 1: protocol tcp ✓, ports 5432 ✓, "
        "source role == 'api' ✗ (role is 'web')",
        "  try   NetworkPolicy shop/db-allow rule 1: widen the source, or label the client role=api",
    ]


def test_a_permission_names_both_halves(shop):
    """An allowed flow passed the source's egress on its host and the destination's ingress on its own."""
    assert str(shop.explain("tcp shop/db-0 → shop/web-7f:80")).splitlines() == [
        "ALLOW  tcp  shop/db-0 → shop/web-7f:80",
        "  at    egress of shop/db-0 (node n2, eth0)",
        "  by    Profile open rule 0: allow",
        "  at    ingress of shop/web-7f (node n1, caliweb-7f)",
        "  by    Profile open rule 0: allow",
    ]


def test_a_rule_that_denies_is_named_with_its_tier(shop):
    """The deciding rule is named by kind, name and index; the index counts from 0."""
    shop.endpoint("old", ns="shop", role="old")
    told = shop.explain("tcp old → db-0:5432")
    assert told.decider.by == "NetworkPolicy shop/db-allow rule 0: deny, in tier 'default'"
    assert told.remedies[-1] == "narrow NetworkPolicy shop/db-allow rule 0, or allow this flow before it"


def test_the_remedy_of_a_near_miss_is_its_failed_criteria(shop):
    """Each criterion that failed has its own advice."""
    assert shop.explain("tcp shop/web-7f → shop/db-0:5433").remedies == (
        "NetworkPolicy shop/db-admin rule 0: widen the source, or label the client role=admin, "
        "and add port 5433 to the destination ports",
    )


def test_a_rule_that_fails_everywhere_is_no_advice(shop):
    """If the nearest rule fails by three criteria the advice is a new rule."""
    told = shop.explain("udp shop/web-7f → shop/db-0:53")
    assert len(told.near.failed) == 3
    assert told.remedies == ("add a rule to a policy that selects this endpoint: allow udp to port 53",)


def test_a_stranger_has_no_labels(shop):
    """For an address that no endpoint has, the explanation says so and offers a network set."""
    told = shop.explain("tcp 203.0.113.9 → shop/db-0:5432")
    assert "source role == 'api' ✗ (no endpoint has 203.0.113.9)" in str(told)
    assert "network set" in told.remedies[0]


def test_an_address_of_an_endpoint_is_the_endpoint(shop):
    """An address is looked up: its owner is judged and named."""
    told = shop.explain("tcp 10.0.0.2 → 10.0.0.1:5432")
    assert (told.source.name, told.destination.name) == ("shop/web-7f", "shop/db-0")


@pytest.mark.parametrize(
    ("rule", "question", "said"),
    [
        ({"protocol": "UDP"}, "tcp external → a:1", "protocol udp ✗ (it is tcp)"),
        ({"protocol": 47}, "tcp external → a:1", "protocol 47 ✗ (it is tcp)"),
        ({"notProtocol": "TCP"}, "tcp external → a:1", "not protocol tcp ✗ (it is tcp)"),
        ({"ipVersion": 6}, "tcp external → a:1", "IP version 6 ✗ (it is 4)"),
        (
            {"protocol": "ICMP", "icmp": {"type": 8, "code": 1}},
            "icmp/8/0 external → a",
            "ICMP type 8/1 ✗ (it is icmp/8/0)",
        ),
        ({"protocol": "ICMP", "notICMP": {"type": 8}}, "icmp/8/0 external → a", "not ICMP type 8 ✗ (it is icmp/8/0)"),
        (tcp(80, "90:99", "http"), "tcp external → a:1", "ports 80, 90:99, http ✗ (port is 1)"),
        ({"protocol": "TCP", "src": {"ports": [1]}}, "tcp external:2 → a:1", "source ports 1 ✗ (port is 2)"),
        ({"protocol": "TCP", "dst": {"notPorts": [1]}}, "tcp external → a:1", "destination not ports 1 ✗ (port is 1)"),
        ({"src": {"nets": ["10.0.0.0/8"]}}, "tcp external → a:1", "source nets 10.0.0.0/8 ✗ (address is 192.0.2.1)"),
        ({"src": {"notNets": ["192.0.2.0/24"]}}, "tcp external → a:1", "source not nets 192.0.2.0/24 ✗"),
        (
            {"src": "has(x) && y in {'1', '2'}"},
            "tcp b → a:1",
            "source has(x) ✗ (no x), source y in {'1', '2'} ✗ (y is '3')",
        ),
        ({"src": "!(x == '1' || y != '2')"}, "tcp b → a:1", "source !(x == '1' || y != '2') ✗ (no x, y is '3')"),
        ({"src": {"notSelector": "y == '3'"}}, "tcp b → a:1", "source !y == '3' ✗ (y is '3')"),
        (
            {"src": {"namespaceSelector": "env == 'p'"}},
            "tcp b → a:1",
            "source namespace's env == 'p' ✗ (no namespace's env)",
        ),
        (
            {"src": {"serviceAccounts": {"names": ["s"]}}},
            "tcp b → a:1",
            "source service account in {'s'} ✗ (no service account)",
        ),
        (
            {"src": {"services": {"name": "s"}}},
            "tcp b → a:1",
            "source service default/s ✗ (10.0.0.2",
        ),
    ],
)
def test_every_criterion_says_what_it_wants_and_what_there_is(net, rule, question, said):
    """For each kind of criterion the nearest miss tells the wanted value and the flow's own."""
    net.endpoint("a", role="a")
    net.endpoint("b", y="3")
    net.policy("p", "role == 'a'", ingress=[allow(**rule)])
    assert said in near(net, question)


@pytest.mark.parametrize(
    "text",
    [
        "has(x)",
        "x == 'it'",
        "x != 'it'",
        "x in {'a', 'b'}",
        "x not in {'3'}",
        "x contains 'a'",
        "x starts with 'a'",
        "x ends with 'a'",
        "!has(x)",
        "(x == 'a' || z == 'b')",
        "!(x == 'a' && z == 'b')",
        'x == "it\'s"',
    ],
)
def test_selectors_are_told_as_people_write_them(net, text):
    """The explanation spells a condition in the selector language, so that it can be pasted back."""
    net.endpoint("a", role="a")
    net.policy("p", "role == 'a'", ingress=[allow(text)])
    assert f"source {text} ✗ (no endpoint has 192.0.2.1)" in near(net, "tcp external → a:1")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("web → db udp 4789", "UDP to the VXLAN port 4789"),
        ("web → db tcp 80 invalid", "connection tracking"),
        ("web → host@n1@192.0.2.10:80", "defaultEndpointToHostAction Drop"),
        ("external → bare:80 in=eth0", "no policy decides and the endpoint has no profile"),
        ("external → shut:80 in=eth0", "no policy decides and no rule matches in the endpoint's profiles: empty"),
        (
            "external → web:80 in=eth9",
            "tier 'default', end of tier: 1 policy selects this endpoint and none of its rules",
        ),
    ],
)
def test_reasons_without_a_rule_are_told_in_words(net, question, said):
    """Every reason that is not a rule has a sentence."""
    net.profile("empty")
    net.endpoint("web")
    net.endpoint("db")
    net.endpoint("bare", profiles=[])
    net.endpoint("shut", profiles=["empty"])
    net.host_endpoint("gate", iface="eth9", role="gate")
    net.global_policy("f", "role == 'gate'", applyOnForward=True, types=["Ingress"])
    told = net.explain(question)
    assert told.verdict == "deny"
    assert said in told.decider.by


def test_stages_are_named_where_they_are_not_the_normal_one(net):
    """Forward, pre-DNAT and untracked judgements say so."""
    net.endpoint("web")
    net.host_endpoint("gate", role="gate")
    net.global_policy("f", "role == 'gate'", applyOnForward=True, ingress=[deny()])
    assert net.explain("external → web:80").decider.at == "forward ingress of gate (node n1, eth0)"
    net.global_policy("f", "role == 'gate'", applyOnForward=True, preDNAT=True, ingress=[deny()])
    assert net.explain("external → web:80").decider.at == "pre-DNAT ingress of gate (node n1, eth0)"


def test_a_global_negative_selector_is_told_as_such(net):
    """A rule of a global policy with only notSelector keeps it as a negative criterion."""
    net.endpoint("a", role="a")
    net.endpoint("b", y="3")
    net.global_policy("p", "role == 'a'", ingress=[allow({"notSelector": "y == '3'"})])
    assert near(net, "tcp b → a:1") == "GlobalNetworkPolicy p rule 0: source not y == '3' ✗ (y is '3')"
    assert net.explain("tcp b → a:1").to_json()["near"]["criteria"][0]["criterion"] == "source.notSelector"


def test_long_lists_are_cut(net):
    """Of more than six nets six are named and the others counted."""
    net.endpoint("a", role="a")
    for count, end in ((6, "10.5.0.0/16 ✗"), (7, "10.5.0.0/16 and 1 more ✗")):
        net.policy("p", "role == 'a'", ingress=[allow({"nets": [f"10.{n}.0.0/16" for n in range(count)]})])
        assert end in near(net, "tcp external → a:1")


def test_the_nearest_rule_fails_by_least(net):
    """Fewest failed criteria win, then most that hold, then the first; a rule that allows comes before a pass."""
    net.endpoint("a", role="a")
    net.policy(
        "p",
        "role == 'a'",
        ingress=[
            {"action": "Pass", "protocol": "UDP"},
            allow({"nets": ["10.0.0.0/8"]}, protocol="UDP"),
            allow({"nets": ["10.0.0.0/8"]}),
            allow({"nets": ["10.0.0.0/8"]}, protocol="TCP"),
            allow({"nets": ["11.0.0.0/8"]}, protocol="TCP"),
            log({"nets": ["192.0.2.0/24"]}),
        ],
    )
    assert net.explain("tcp external → a:1").near.rule == 3


def test_an_allowed_flow_has_no_near_miss(shop):
    """Nothing is to be mended where the flow is allowed."""
    told = shop.explain("tcp shop/db-0 → shop/web-7f:80")
    assert (told.near, told.remedies) == (None, ())


def test_a_flow_between_strangers_is_not_judged(net):
    """Where no host of the cluster is on the way nothing judges, unless a forwarding host is named."""
    net.host_endpoint("h", role="gate")
    assert "no policy judges this flow" in str(net.explain("tcp 192.0.2.1 → 192.0.2.2:80"))
    net.global_policy("f", "role == 'gate'", applyOnForward=True, ingress=[deny()])
    assert net.explain("tcp 192.0.2.1 → 192.0.2.2:80").verdict == "allow"
    assert net.explain("tcp 192.0.2.1 → 192.0.2.2:80 at=n1").verdict == "deny"


def test_the_machine_form_has_stable_keys(shop):
    """The JSON form holds the facts of the text under keys that scripts may rely on."""
    told = shop.explain("tcp shop/web-7f → shop/db-0:5432").to_json()
    assert json.loads(json.dumps(told)) == told
    assert list(told) == ["verdict", "flow", "decider", "path", "near", "try"]
    assert told["flow"]["destination"] == {
        "name": "shop/db-0",
        "endpoint": "WorkloadEndpoint:shop/n2-k8s-db--0-eth0",
        "node": "n2",
        "address": "10.0.0.1",
        "port": 5432,
    }
    assert told["decider"] == {
        "node": "n2",
        "at": "ingress of shop/db-0 (node n2, eth0)",
        "by": "tier 'default', end of tier: 2 policies select this endpoint and none of their rules match",
        "action": "deny",
        "reason": "end-of-tier",
        "endpoint": "WorkloadEndpoint:shop/n2-k8s-db--0-eth0",
        "stage": "normal",
        "direction": "ingress",
        "tier": "default",
    }
    assert told["path"][-1] == told["decider"]
    assert told["near"]["criteria"][-1] == {
        "criterion": "source.selector",
        "wanted": "role == 'api'",
        "holds": False,
        "found": "role is 'web'",
    }


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("tcp ghost → db-0:1", "no endpoint is called 'ghost'"),
        ("tcp db-1 → web-7f:1", "did you mean db-0"),
        ("tcp shop/db-1 → web-7f:1", "did you mean shop/db-0"),
        ("tcp other/db-0 → web-7f:1", "no endpoint is called 'other/db-0'"),
        ("tcp twin → web-7f:1", "may be any of several endpoints\n.*a/n1-k8s-twin-eth0, b/n1-k8s-twin-eth0"),
        ("tcp host → 192.0.2.1:1", "which host is meant"),
        ("tcp web-7f → host:1", "no address of host is known\n.*host@ADDRESS"),
        ("tcp 10.0.0.1 → web-7f@fd00::2:1", "needs the port"),
        ("tcp 10.0.0.1 → [fd00::2]:1", "no addresses of one family"),
        ("tcp nowhere → web-7f:1", "no address of nowhere is known"),
    ],
)
def test_what_is_not_there_is_said(shop, question, said):
    """A question about something unknown or ambiguous is refused with what to write instead."""
    shop.endpoint("twin", ns="a")
    shop.endpoint("twin", ns="b")
    shop.host_endpoint("nowhere", node="n9")
    with pytest.raises(ValidationError, match=said):
        shop.explain(question)


def test_an_endpoint_goes_by_several_names(shop):
    """The workload's name, with or without namespace, and the endpoint's own name mean the same."""
    for name in ("db-0", "shop/db-0", "n2-k8s-db--0-eth0", "shop/n2-k8s-db--0-eth0"):
        assert shop.explain(f"tcp {name} → web-7f:1").source.name == "shop/db-0"


def test_a_host_endpoint_is_its_host(net):
    """A host endpoint by name is a process of its host, on the interface and addresses that it names."""
    net.host_endpoint("gate", node="n3", iface="eth5", ips=["192.0.2.30"])
    told = net.explain("tcp external → gate:80")
    assert (told.destination.node, str(told.destination.address)) == ("n3", "192.0.2.30")
    assert told.decider.at == "ingress of gate (node n3, eth5)"
    assert told.remedies[-1] == "give the endpoint a profile that allows the flow"


def test_host_means_the_host_of_the_other_end(net):
    """Without a node, host is the host of the endpoint at the other end."""
    net.endpoint("a", node="n3")
    net.host_endpoint("gate", node="n3", ips=["192.0.2.30"])
    assert net.explain("tcp a → host:80").destination.node == "n3"


def test_one_question_needs_no_explainer(shop):
    """The function answers one question of a cluster."""
    assert explain(shop.cluster, "tcp shop/web-7f → shop/db-0:5432").verdict == "deny"
