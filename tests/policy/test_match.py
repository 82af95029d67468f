# SPDX-License-Identifier: Apache-2.0
"""One rule against one flow: each criterion at its borders, and all of them against a naive evaluation."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.calc.compiled import Action, CompiledRule, Icmp, PortRange, RuleSide
from percale.policy.flow import ICMP, ICMPV6, TCP, UDP, Flow
from percale.policy.match import checks, matches


class Sets(dict):
    """IP sets as plain collections of addresses, or of (address, protocol, port)."""

    def contains(self, set_id, address, protocol, port):
        members = self[set_id]
        return str(address) in members or (str(address), protocol, port) in members


NO_SETS = Sets()
WEB_TO_DB = Flow(TCP, ip_address("10.0.0.1"), ip_address("10.0.0.2"), 40000, 5432)
WEB_TO_DB_V6 = Flow(TCP, ip_address("fd00::1"), ip_address("fd00::2"), 40000, 5432)
PING = Flow(ICMP, ip_address("10.0.0.1"), ip_address("10.0.0.2"), icmp_type=8, icmp_code=0)


def rule(**criteria):
    return CompiledRule(Action.ALLOW, **criteria)


def source(**criteria):
    return rule(source=RuleSide(**criteria))


def destination(**criteria):
    return rule(destination=RuleSide(**criteria))


def test_a_rule_without_criteria_matches_everything():
    """A rule that asks for nothing matches every flow of both families."""
    assert matches(rule(), WEB_TO_DB, NO_SETS)
    assert matches(rule(), WEB_TO_DB_V6, NO_SETS)
    assert checks(rule(), WEB_TO_DB, NO_SETS) == ()


@pytest.mark.parametrize(("port", "expected"), [(79, False), (80, True), (90, True), (91, False)])
def test_a_range_of_ports_includes_both_its_ends(port, expected):
    """First and last port of a range match, their neighbors do not; notPorts is the opposite."""
    flow = replace(WEB_TO_DB, destination_port=port)
    assert matches(destination(ports=(PortRange(80, 90),)), flow, NO_SETS) is expected
    assert matches(destination(not_ports=(PortRange(80, 90),)), flow, NO_SETS) is not expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.0.0.255", False), ("10.0.1.0", True), ("10.0.1.255", True), ("10.0.2.0", False), ("fd00::1", False)],
)
def test_a_net_includes_its_first_and_last_address(text, expected):
    """Addresses at the borders of a CIDR are inside, their neighbors are not, and no address of the other family is."""
    peer = ip_address(text)
    flow = replace(WEB_TO_DB if peer.version == 4 else WEB_TO_DB_V6, source=peer)
    assert matches(source(nets=("10.0.1.0/24",)), flow, NO_SETS) is expected


def test_not_nets_of_the_other_family_only_match_nothing():
    """A rule whose notNets are all IPv4 does not exist for IPv6, although no IPv6 address is inside them."""
    assert matches(source(not_nets=("10.9.0.0/16",)), WEB_TO_DB, NO_SETS)
    assert not matches(source(not_nets=("10.9.0.0/16",)), WEB_TO_DB_V6, NO_SETS)
    assert matches(source(not_nets=("10.9.0.0/16", "fd09::/16")), WEB_TO_DB_V6, NO_SETS)


def test_not_nets_exclude_every_net():
    """An address inside any of the notNets is excluded."""
    assert not matches(source(not_nets=("192.0.2.0/24", "10.0.0.1/32")), WEB_TO_DB, NO_SETS)


@pytest.mark.parametrize(("version", "v4", "v6"), [(4, True, False), (6, False, True), (None, True, True)])
def test_ip_version_is_the_family_of_the_packet(version, v4, v6):
    """ipVersion 4 matches IPv4 only, 6 matches IPv6 only, none matches both."""
    assert matches(rule(ip_version=version), WEB_TO_DB, NO_SETS) is v4
    assert matches(rule(ip_version=version), WEB_TO_DB_V6, NO_SETS) is v6


@pytest.mark.parametrize("protocol", ["tcp", 6])
def test_a_protocol_by_name_or_number(protocol):
    """A protocol's name and its number mean the same; notProtocol is the opposite."""
    udp = replace(WEB_TO_DB, protocol=UDP)
    assert matches(rule(protocol=protocol), WEB_TO_DB, NO_SETS)
    assert not matches(rule(protocol=protocol), udp, NO_SETS)
    assert not matches(rule(not_protocol=protocol), WEB_TO_DB, NO_SETS)
    assert matches(rule(not_protocol=protocol), udp, NO_SETS)


@pytest.mark.parametrize(
    ("icmp", "expected"),
    [(Icmp(8), True), (Icmp(8, 0), True), (Icmp(8, 1), False), (Icmp(7), False), (Icmp(None), True)],
)
def test_icmp_compares_type_and_code_where_given(icmp, expected):
    """The type must be equal, and the code if the rule has one."""
    assert matches(rule(icmp=icmp), PING, NO_SETS) is expected


def test_icmp_type_zero_is_a_type():
    """Echo reply has type 0, which is not the same as having none."""
    assert not matches(rule(icmp=Icmp(0)), PING, NO_SETS)
    assert matches(rule(icmp=Icmp(0)), replace(PING, icmp_type=0), NO_SETS)


def test_not_icmp_still_asks_for_an_icmp_packet():
    """notICMP matches ICMP packets of another type or code, never TCP."""
    assert not matches(rule(not_icmp=Icmp(8)), PING, NO_SETS)
    assert matches(rule(not_icmp=Icmp(8, 1)), PING, NO_SETS)
    assert matches(rule(not_icmp=Icmp(128)), replace(PING, protocol=ICMPV6), NO_SETS)
    assert not matches(rule(not_icmp=Icmp(8)), WEB_TO_DB, NO_SETS)


def test_all_positive_sets_must_hold_the_address():
    """Several IP sets of one side are and-ed."""
    sets = Sets(a={"10.0.0.1"}, b={"10.0.0.9"})
    assert matches(source(ip_sets=("a",)), WEB_TO_DB, sets)
    assert not matches(source(ip_sets=("a", "b")), WEB_TO_DB, sets)


def test_no_negative_set_may_hold_the_address():
    """One negative IP set with the address in it is enough to fail."""
    sets = Sets(a={"10.0.0.1"}, b={"10.0.0.9"})
    assert matches(source(not_ip_sets=("b",)), WEB_TO_DB, sets)
    assert not matches(source(not_ip_sets=("a", "b")), WEB_TO_DB, sets)


def test_a_named_port_is_an_alternative_to_numbers():
    """Either a numeric port or a member of a named-port set is enough, of the right protocol."""
    sets = Sets(pg={("10.0.0.2", TCP, 5432)})
    wanted = destination(ports=(PortRange(80, 80),), named_port_sets=("pg",))
    assert matches(wanted, WEB_TO_DB, sets)
    assert matches(wanted, replace(WEB_TO_DB, destination_port=80), sets)
    assert not matches(wanted, replace(WEB_TO_DB, destination_port=81), sets)
    assert not matches(wanted, replace(WEB_TO_DB, protocol=UDP), sets)


def test_not_ports_exclude_numbers_and_named_ports():
    """Neither a numeric range nor a named-port set of notPorts may contain the port; an unknown name excludes none."""
    sets = Sets(pg={("10.0.0.2", TCP, 5432)}, unknown=set())
    wanted = destination(not_ports=(PortRange(80, 80),), not_named_port_sets=("pg", "unknown"))
    assert not matches(wanted, WEB_TO_DB, sets)
    assert not matches(wanted, replace(WEB_TO_DB, destination_port=80), sets)
    assert matches(wanted, replace(WEB_TO_DB, destination_port=81), sets)


def test_an_unknown_named_port_matches_nothing():
    """A named port that no endpoint has is an empty set: the rule cannot match."""
    assert not matches(destination(named_port_sets=("none",)), WEB_TO_DB, Sets(none=set()))


def test_a_service_is_matched_by_address_protocol_and_port():
    """A service's endpoints count with their port and protocol."""
    sets = Sets(svc={("10.0.0.2", TCP, 5432)})
    assert matches(destination(ip_port_sets=("svc",)), WEB_TO_DB, sets)
    assert not matches(destination(ip_port_sets=("svc",)), replace(WEB_TO_DB, destination_port=5433), sets)


def test_the_third_and_fourth_list_still_count():
    """Four criteria of several entries each are and-ed, where the reference forgets the third and fourth."""
    many_ports = (PortRange(1, 1), PortRange(40000, 40000), PortRange(5432, 5432))
    wanted = CompiledRule(
        Action.ALLOW,
        source=RuleSide(ports=many_ports, nets=("10.0.0.0/24", "10.0.5.0/24")),
        destination=RuleSide(ports=many_ports, nets=("10.0.0.0/24", "10.0.5.0/24")),
    )
    assert matches(wanted, WEB_TO_DB, NO_SETS)
    assert not matches(wanted, replace(WEB_TO_DB, source=ip_address("10.7.0.1")), NO_SETS)
    assert not matches(wanted, replace(WEB_TO_DB, destination=ip_address("10.7.0.1")), NO_SETS)


def test_checks_name_every_criterion_met_or_not():
    """For an explanation every criterion is tried, also those behind the first that fails."""
    wanted = CompiledRule(
        Action.ALLOW, protocol="udp", source=RuleSide(nets=("10.0.0.0/24",)), destination=RuleSide(ip_sets=("db",))
    )
    found = checks(wanted, WEB_TO_DB, Sets(db=set()))
    assert [(check.side, check.field, check.holds) for check in found] == [
        ("", "protocol", False),
        ("source", "nets", True),
        ("destination", "sets", False),
    ]


@pytest.mark.parametrize(
    ("flow", "text"),
    [
        (WEB_TO_DB, "tcp 10.0.0.1:40000 → 10.0.0.2:5432"),
        (WEB_TO_DB_V6, "tcp [fd00::1]:40000 → [fd00::2]:5432"),
        (PING, "icmp/8/0 10.0.0.1 → 10.0.0.2"),
        (replace(PING, protocol=47, icmp_type=None, icmp_code=None), "47 10.0.0.1 → 10.0.0.2"),
    ],
)
def test_a_flow_prints_as_a_question(flow, text):
    """The text of a flow can be asked again."""
    assert str(flow) == text


# A small world, so that random rules and flows meet often.
_ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1", "fd00::1", "fd00::2", "2001:db8::1"]
_NETS = ["10.0.0.0/24", "10.0.0.0/31", "10.0.0.1/32", "192.0.2.0/24", "fd00::/64", "fd00::1/128", "2001:db8::/32"]
_PORTS = [0, 1, 53, 80, 443, 65535]
_MEMBERS = st.frozensets(
    st.one_of(
        st.sampled_from(_ADDRESSES),
        st.tuples(st.sampled_from(_ADDRESSES), st.sampled_from([TCP, UDP]), st.sampled_from(_PORTS)),
    ),
    max_size=4,
)
_SETS = st.fixed_dictionaries({"s:a": _MEMBERS, "s:b": _MEMBERS}).map(Sets)
_IDS = st.lists(st.sampled_from(["s:a", "s:b"]), max_size=2).map(tuple)
_RANGES = st.lists(
    st.tuples(st.sampled_from(_PORTS), st.sampled_from(_PORTS)).map(lambda pair: PortRange(min(pair), max(pair))),
    max_size=2,
).map(tuple)
_NET_LISTS = st.lists(st.sampled_from(_NETS), max_size=2).map(tuple)
_SIDES = st.builds(
    RuleSide,
    nets=_NET_LISTS,
    not_nets=_NET_LISTS,
    ports=_RANGES,
    not_ports=_RANGES,
    ip_sets=_IDS,
    not_ip_sets=_IDS,
    named_port_sets=_IDS,
    not_named_port_sets=_IDS,
    ip_port_sets=_IDS,
)
_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
_PROTOCOLS = st.none() | st.sampled_from([*_NUMBERS, 6, 17, 1, 58, 47])
_ICMP = st.none() | st.builds(Icmp, st.sampled_from([0, 8]), st.none() | st.sampled_from([0, 1]))
_RULES = st.builds(
    CompiledRule,
    st.just(Action.ALLOW),
    ip_version=st.sampled_from([None, None, 4, 6]),
    protocol=_PROTOCOLS,
    not_protocol=_PROTOCOLS,
    icmp=_ICMP,
    not_icmp=_ICMP,
    source=_SIDES | st.just(RuleSide()),
    destination=_SIDES | st.just(RuleSide()),
)


@st.composite
def _flows(draw):
    version = draw(st.sampled_from([4, 6]))
    addresses = st.sampled_from([ip_address(text) for text in _ADDRESSES if ip_address(text).version == version])
    protocol = draw(st.sampled_from([TCP, UDP, ICMP, ICMPV6]))
    flow = Flow(protocol, draw(addresses), draw(addresses))
    if protocol in (TCP, UDP):
        return replace(flow, source_port=draw(st.sampled_from(_PORTS)), destination_port=draw(st.sampled_from(_PORTS)))
    return replace(flow, icmp_type=draw(st.sampled_from([0, 8])), icmp_code=draw(st.sampled_from([0, 1])))


def naive(wanted, flow, sets):
    """spec/policy.md section 4, sentence by sentence: the rule as a family-specific list of refusals."""
    family = flow.source.version
    if wanted.ip_version not in (None, family):
        return False
    sides = [
        (wanted.source, flow.source, flow.source_port),
        (wanted.destination, flow.destination, flow.destination_port),
    ]
    for side, _, _ in sides:
        for nets in (side.nets, side.not_nets):
            if nets and not [net for net in nets if ip_network(net).version == family]:
                return False  # the rule does not exist for this family
    for protocol, expected in ((wanted.protocol, True), (wanted.not_protocol, False)):
        if protocol is not None and (_NUMBERS.get(protocol, protocol) == flow.protocol) is not expected:
            return False
    for icmp, expected in ((wanted.icmp, True), (wanted.not_icmp, False)):
        if icmp is None:
            continue
        if flow.protocol not in (1, 58):
            return False
        same = icmp.type == flow.icmp_type and icmp.code in (None, flow.icmp_code)
        if same is not expected:
            return False
    return all(_naive_side(side, end, port, flow.protocol, sets) for side, end, port in sides)


def _naive_side(side, address, port, protocol, sets):
    def inside(nets):
        return [net for net in nets if address in ip_network(net)]

    def holding(ids):
        return [name for name in ids if sets[name] & {str(address), (str(address), protocol, port)}]

    numbers = {number for first, last in side.ports for number in (port,) if number in range(first, last + 1)}
    excluded = {number for first, last in side.not_ports for number in (port,) if number in range(first, last + 1)}
    return (
        bool(not side.nets or inside(side.nets))
        and not inside(side.not_nets)
        and bool(not (side.ports or side.named_port_sets) or numbers or holding(side.named_port_sets))
        and not (excluded or holding(side.not_named_port_sets))
        and holding(side.ip_sets) == list(side.ip_sets)
        and not holding(side.not_ip_sets)
        and holding(side.ip_port_sets) == list(side.ip_port_sets)
    )


@given(_RULES, _flows(), _SETS)
def test_match_agrees_with_a_naive_evaluation(wanted, flow, sets):
    """The matcher and a word-for-word reading of the spec agree, and the checks agree with the verdict."""
    assert matches(wanted, flow, sets) == naive(wanted, flow, sets)
    assert matches(wanted, flow, sets) == all(check.holds for check in checks(wanted, flow, sets))


@given(st.data(), _flows(), _SETS)
def test_one_criterion_agrees_with_a_naive_evaluation(data, flow, sets):
    """Rules with one criterion match about as often as not, which rules with many hardly ever do."""
    whole = data.draw(_RULES)
    field = data.draw(
        st.sampled_from(["ip_version", "protocol", "not_protocol", "icmp", "not_icmp", *RuleSide.__slots__])
    )
    if field in RuleSide.__slots__:
        side = RuleSide(**{field: getattr(data.draw(_SIDES), field)})
        wanted = data.draw(st.sampled_from([rule(source=side), rule(destination=side)]))
    else:
        wanted = rule(**{field: getattr(whole, field)})
    assert matches(wanted, flow, sets) == naive(wanted, flow, sets)
