# SPDX-License-Identifier: Apache-2.0
"""Every criterion of a rule at its borders, judged by the rendered rules (spec/policy.md section 4)."""

from __future__ import annotations

import pytest
from tests.dataplane.language import allow, endpoint, ip_set, log, ping, policy, ports, snapshot, tcp, tier, udp

from percale.calc.compiled import Icmp
from percale.dataplane.packet import Packet

CLIENT, SERVER = "10.65.0.1", "10.65.0.2"
CLIENT6, SERVER6 = "fd65::1", "fd65::2"
SETS = (
    ip_set("s:hosts", "10.65.0.1/32", "fd65::1/128"),
    ip_set("s:nets", "10.64.0.0/15", "10.9.0.1/32", "fd65::/16"),
    ip_set("s:none"),
    ip_set("n:http", "10.65.0.2,tcp:80", "fd65::2,tcp:80", "10.65.0.2,udp:80"),
    ip_set("n:client", "10.65.0.1,tcp:40000"),
    ip_set("svc:web", "10.65.0.2,tcp:80", "10.65.0.2,tcp:81"),
)


@pytest.fixture
def verdict(make_twin):
    """The verdict of a policy with one rule that allows, on packets from the outside to a workload."""

    def judge(one, packet):
        ingress = policy("p", ingress=[one])
        server = endpoint("s", "10.65.0.2/32", "fd65::2/128", tiers=[tier(ingress)])
        twin = make_twin(*snapshot(*SETS, ingress, server), links=["calis"])
        return twin.walk(Packet(**{**_fields(packet), "iif": "eth0", "oif": "calis"})).allowed

    return judge


def _fields(packet):
    return {name: getattr(packet, name) for name in packet.__slots__}


web = tcp(CLIENT, SERVER, 80)
web6 = tcp(CLIENT6, SERVER6, 80)

CASES = [
    ("a rule without criteria matches everything", allow(), web, web6, ping(CLIENT, SERVER), None),
    ("ipVersion 4", allow(ip_version=4), web, None, web6),
    ("ipVersion 6", allow(ip_version=6), web6, None, web),
    ("protocol by name", allow(protocol="tcp"), web, web6, None, udp(CLIENT, SERVER), ping(CLIENT, SERVER)),
    ("protocol by number", allow(protocol=17), udp(CLIENT, SERVER), None, web),
    ("notProtocol", allow(not_protocol="udp"), web, ping(CLIENT, SERVER), None, udp(CLIENT, SERVER)),
    ("one net, first and last address",
     allow({"nets": ("10.65.0.0/31",)}), tcp("10.65.0.0", SERVER), tcp("10.65.0.1", SERVER), None,
     tcp("10.64.255.255", SERVER), tcp("10.65.0.2", SERVER), web6),
    ("several nets are or-ed",
     allow({"nets": ("10.65.0.1/32", "10.66.0.0/16")}), web, tcp("10.66.255.255", SERVER), None,
     tcp("10.65.0.0", SERVER), tcp("10.67.0.0", SERVER), web6),
    ("overlapping nets", allow({"nets": ("10.0.0.0/8", "10.65.0.0/16")}), web, None, tcp("11.0.0.0", SERVER)),
    ("all of one family", allow({"nets": ("0.0.0.0/0",)}), web, None, web6),
    ("nets of both families, each in its own",
     allow({"nets": ("10.65.0.1/32", "fd65::1/128")}), web, web6, None, tcp("10.65.0.3", SERVER),
     tcp("fd65::3", SERVER6)),
    ("one excluded net", allow({"not_nets": ("10.65.0.0/16",)}), tcp("10.66.0.0", SERVER), None, web, web6),
    ("several excluded nets",
     allow({"not_nets": ("10.65.0.0/16", "10.67.0.0/16")}), tcp("10.66.0.0", SERVER), None, web,
     tcp("10.67.0.1", SERVER), web6),
    ("all of a family excluded", allow({"not_nets": ("0.0.0.0/0",)}), None, web, web6),
    ("destination net", allow(dst={"nets": ("10.65.0.2/32",)}), web, None, web6),
    ("one port", allow(dst={"ports": ports(80)}, protocol="tcp"), web, web6, None, tcp(CLIENT, SERVER, 79),
     tcp(CLIENT, SERVER, 81), udp(CLIENT, SERVER, 80)),
    ("a port range", allow(dst={"ports": ports((80, 90))}, protocol="tcp"), web, tcp(CLIENT, SERVER, 90), None,
     tcp(CLIENT, SERVER, 79), tcp(CLIENT, SERVER, 91)),
    ("several ports and ranges",
     allow(dst={"ports": ports(22, (80, 90), (85, 95), 65535)}, protocol="tcp"), tcp(CLIENT, SERVER, 22), web,
     tcp(CLIENT, SERVER, 95), tcp(CLIENT, SERVER, 65535), None, tcp(CLIENT, SERVER, 23), tcp(CLIENT, SERVER, 96),
     tcp(CLIENT, SERVER, 65534)),
    ("source ports", allow({"ports": ports((39999, 40000))}, protocol="tcp"), web, None,
     tcp(CLIENT, SERVER, source_port=39998), tcp(CLIENT, SERVER, source_port=40001)),
    ("excluded ports", allow(dst={"not_ports": ports((80, 90))}, protocol="tcp"), tcp(CLIENT, SERVER, 79),
     tcp(CLIENT, SERVER, 91), None, web, tcp(CLIENT, SERVER, 90)),
    ("several excluded ports", allow(dst={"not_ports": ports(80, 82)}, protocol="tcp"), tcp(CLIENT, SERVER, 81), None,
     web, tcp(CLIENT, SERVER, 82)),
    ("ports without a protocol are those of protocols that have them",
     allow(dst={"ports": ports(0)}), tcp(CLIENT, SERVER, 0), None, ping(CLIENT, SERVER), web),
    ("a set of hosts", allow({"ip_sets": ("s:hosts",)}), web, web6, None, tcp("10.65.0.3", SERVER),
     tcp("fd65::3", SERVER6)),
    ("a set of nets", allow({"ip_sets": ("s:nets",)}), tcp("10.64.0.0", SERVER), tcp("10.65.255.255", SERVER),
     tcp("10.9.0.1", SERVER), web6, None, tcp("10.63.255.255", SERVER), tcp("10.66.0.0", SERVER),
     tcp("10.9.0.2", SERVER)),
    ("an empty set matches nothing", allow({"ip_sets": ("s:none",)}), None, web, web6),
    ("outside an empty set is everything", allow({"not_ip_sets": ("s:none",)}), web, web6, None),
    ("in all of several sets", allow({"ip_sets": ("s:hosts", "s:nets")}), web, None, tcp("10.65.0.3", SERVER)),
    ("in one set and not in another", allow({"ip_sets": ("s:nets",), "not_ip_sets": ("s:hosts",)}),
     tcp("10.65.0.3", SERVER), None, web, tcp("10.66.0.0", SERVER)),
    ("a named port", allow(dst={"named_port_sets": ("n:http",)}), web, web6, udp(CLIENT, SERVER, 80), None,
     tcp(CLIENT, SERVER, 81), tcp(CLIENT, "10.65.0.3", 80)),
    ("a named port and the rule's own protocol", allow(dst={"named_port_sets": ("n:http",)}, protocol="tcp"), web, None,
     udp(CLIENT, SERVER, 80)),
    ("named or numeric port", allow(dst={"named_port_sets": ("n:http",), "ports": ports(443)}, protocol="tcp"), web,
     tcp(CLIENT, SERVER, 443), None, tcp(CLIENT, SERVER, 81)),
    ("named ports of both sides",
     allow({"named_port_sets": ("n:client",)}, {"named_port_sets": ("n:http",), "ports": ports(443)}, protocol="tcp"),
     web, tcp(CLIENT, SERVER, 443), None, tcp(CLIENT, SERVER, 443, source_port=40001), tcp(CLIENT, SERVER, 81)),
    ("an excluded named port", allow(dst={"not_named_port_sets": ("n:http",)}, protocol="tcp"),
     tcp(CLIENT, SERVER, 81), None, web),
    ("a named port nobody has", allow(dst={"named_port_sets": ("s:none",)}), None, web),
    ("a service", allow(dst={"ip_port_sets": ("svc:web",)}), web, tcp(CLIENT, SERVER, 81), None,
     udp(CLIENT, SERVER, 80), tcp(CLIENT, SERVER, 82)),
    ("icmp type", allow(icmp=Icmp(8), protocol="icmp", ip_version=4), ping(CLIENT, SERVER), ping(CLIENT, SERVER, 8, 1),
     None, ping(CLIENT, SERVER, 7), ping(CLIENT6, SERVER6, 8), web),
    ("icmp type and code", allow(icmp=Icmp(3, 4), protocol="icmp", ip_version=4), ping(CLIENT, SERVER, 3, 4), None,
     ping(CLIENT, SERVER, 3, 3), ping(CLIENT, SERVER, 4, 4)),
    ("icmpv6 type", allow(icmp=Icmp(128), protocol="icmpv6", ip_version=6), ping(CLIENT6, SERVER6, 128), None,
     ping(CLIENT6, SERVER6, 129), ping(CLIENT, SERVER, 128)),
    ("not this icmp type", allow(not_icmp=Icmp(8), protocol="icmp", ip_version=4), ping(CLIENT, SERVER, 0), None,
     ping(CLIENT, SERVER, 8), web),
    ("not this icmp type and code", allow(not_icmp=Icmp(3, 4), protocol="icmp", ip_version=4),
     ping(CLIENT, SERVER, 3, 3), ping(CLIENT, SERVER, 4, 4), None, ping(CLIENT, SERVER, 3, 4)),
    ("three criteria with several entries each are and-ed, unlike the reference",
     allow({"nets": ("10.65.0.0/30", "10.66.0.0/16")},
           {"ports": ports(80, 443), "nets": ("10.65.0.2/32", "10.65.1.0/24"), "named_port_sets": ("n:http",)},
           protocol="tcp"),
     web, tcp(CLIENT, "10.65.1.1", 443), None, tcp("10.65.0.4", SERVER), tcp(CLIENT, "10.65.2.0", 443),
     tcp(CLIENT, SERVER, 22)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "matching", "others"),
    [pytest.param(case[1], case[2 : case.index(None)], case[case.index(None) + 1 :], id=case[0]) for case in CASES],
)
def test_criterion(verdict, one, matching, others):
    """A rule matches exactly the packets that meet all of its criteria."""
    assert [packet for packet in matching if not verdict(one, packet)] == []
    assert [packet for packet in others if verdict(one, packet)] == []


def test_every_criterion_has_a_case():
    """The table above leaves no criterion of a rule out."""
    asked = set()
    for case in CASES:
        one = case[1]
        asked |= {name for name in ("ip_version", "protocol", "not_protocol", "icmp", "not_icmp") if getattr(one, name)}
        for side in (one.source, one.destination):
            asked |= {name for name in side.__slots__ if getattr(side, name)}
    criteria = {"ip_version", "protocol", "not_protocol", "icmp", "not_icmp", *allow().source.__slots__}
    assert asked == criteria


def test_log_goes_on_and_logs_once(make_twin):
    """A rule that logs writes one line, whichever of its alternatives match, and the next rule decides."""
    ingress = policy(
        "p",
        ingress=[
            log(dst={"ports": ports(80, 443), "named_port_sets": ("n:http", "svc:web")}, protocol="tcp"),
            allow(protocol="tcp"),
        ],
    )
    server = endpoint("s", "10.65.0.2/32", tiers=[tier(ingress)])
    twin = make_twin(*snapshot(*SETS, ingress, server), links=["calis"])
    walk = twin.walk(tcp(CLIENT, SERVER, 80, iif="eth0", oif="calis"))
    assert walk.allowed
    assert [step.outcome for step in walk.trail if step.outcome.startswith("log")] == ["log calico-packet: "]


def test_log_prefix_names_the_policy(make_twin):
    """The prefix's template is filled in with tier, kind, name and namespace."""
    ingress = policy("p", ingress=[log(), allow()])
    server = endpoint("s", "10.65.0.2/32", tiers=[tier(ingress)])
    twin = make_twin(*snapshot(ingress, server), links=["calis"], log_prefix="%t|%k|%n|%p ")
    walk = twin.walk(tcp(CLIENT, SERVER, iif="eth0", oif="calis"))
    assert "log default|gnp|p|p " in [step.outcome for step in walk.trail]
