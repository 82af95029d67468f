# SPDX-License-Identifier: Apache-2.0
"""The rules of single values and of metadata: both sides of each border, and the words for the wrong side."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.resources.strategies import resources
from tests.resources.valid import cited, found, problems, resource

from percale.errors import ValidationError
from percale.resources import (
    KINDS,
    ObjectMeta,
    WorkloadEndpoint,
    WorkloadEndpointPort,
    WorkloadEndpointSpec,
    check,
    checks,
)
from percale.resources.checks.tokens import is_re2, token_of

BORDERS = {
    "name": (["a", "a-b", "a.b", "0", "a--b", "x" * 300], ["", "A", "-a", "a-", "a..b", ".a", "a_b", "a\n", "é"]),
    "containerID": (["a", "A-b"], ["", "-a", "a-", "a.b"]),
    "interface": (["*", "eth0.10", "a" * 15], ["", "a" * 16, "eth0:1", "a*", "eth0\n"]),
    "bgpFilterInterface": (["*", "eth*"], ["", "a" * 16]),
    "ignoredInterface": (["eth*", "**"], ["*", ""]),
    "ifaceFilter": (["eth0+", "a:b"], ["a" * 16, "*"]),
    "portName": (["http", "a", "a" * 15, "80a", "a-b"], ["", "80", "a" * 16, "-a", "a-", "a--b", "A", "a.b"]),
    "selector": (["all()", "a == 'b'", "has(a) && !b in {'c'}"], ["!!", "has(a", "a = 'b'"]),
    "ip": (["192.0.2.1", "::1", "::ffff:1.2.3.4"], ["192.0.2.256", "192.0.2", "::g", "1::2::3", "192.0.2.1/32"]),
    "ipv4": (["192.0.2.1", "::ffff:1.2.3.4"], ["::1", "010.0.0.1", " 192.0.2.1"]),
    "ipv6": (
        ["::1", "fe80::1", "1:2:3:4:5:6:7::"],
        ["192.0.2.1", "::ffff:1.2.3.4", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9"],
    ),
    "net": (["192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "192.0.2.0/024"], ["192.0.2.1/24", "192.0.2.0/33", "x"]),
    "netv4": (["192.0.2.0/24"], ["2001:db8::/32"]),
    "netv6": (["2001:db8::/32"], ["192.0.2.0/24", "2001:db8::1/32"]),
    "cidr": (["192.0.2.1/24", "192.0.2.1", ""], ["192.0.2.0/255.255.255.0", "192.0.2.0/"]),
    "cidrv4": (["192.0.2.1/24", "::ffff:10.0.0.0/104"], ["2001:db8::/32", "::ffff:10.0.0.0/95"]),
    "cidrv6": (["2001:db8::1/32"], ["192.0.2.0/24"]),
    "mac": (
        ["ee:ee:ee:ee:ee:01", "EE-EE-EE-EE-EE-01", "eeee.eeee.ee01", "01:02:03:04:05:06:07:08", ":".join(["0a"] * 20)],
        ["", "ee:ee:ee:ee:ee", "ee:ee-ee:ee:ee:01", "e:e:e:e:e:1", "01:02:03:04:05:06:07", "eeeeeeeeee01"],
    ),
    "regexp": (["^eth", "a|b"], ["(", "a(?=b)", "(a)\\1"]),
    "IP:port": (["192.0.2.1", "192.0.2.1:179", "[::1]:179", "::1"], ["192.0.2.1:0", "192.0.2.1:65536", "[::1]", "x:1"]),
    "keyValueList": (["", "a=b,c=d", " a=", "a=b,"], ["a", "a=b,c", "=b"]),
    "prometheusHost": (["localhost", "::1", "a" * 64], ["a" * 65, "a/b"]),
    "wireguardPublicKey": (["A" * 43 + "="], ["A" * 42 + "==", "x"]),
}


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        (name, value, side == 0)
        for name, sides in BORDERS.items()
        for side, values in enumerate(sides)
        for value in values
    ],
)
def test_each_named_check_has_its_border(name, value, accepted):
    """A value on the right side passes, its neighbour on the wrong side does not."""
    assert token_of(name).accepts(value) is accepted


@pytest.mark.parametrize(
    ("pattern", "accepted"),
    [
        (r"^(en|eth)[0-9]+$", True),
        (r"\z", True),
        (r"[[:alpha:]]+", True),
        (r"\pL\p{Greek}", True),
        (r"a(?i)b", True),
        (r"(?P<x>a)(?<y>b)", True),
        (r"a{1000}", True),
        (r"a{1001}", False),
        (r"a++", False),
        (r"a**", False),
        (r"(?!a)", False),
        (r"(?<=a)b", False),
        (r"(?P=x)", False),
        (r"\Z", False),
        (r"[", False),
    ],
)
def test_regular_expressions_are_those_of_the_agents(pattern, accepted):
    """RE2's syntax decides, not Python's."""
    assert is_re2(pattern) is accepted


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "metadata.name: is required"),
        ("a" * 253, None),
        ("a" * 254, "metadata.name: is longer than 253 bytes"),
        ("a_b", "metadata.name: 'a_b' is not a valid name"),
        ("A", "metadata.name: 'A' is not a valid name"),
    ],
)
def test_names(name, message):
    """A name is a DNS subdomain of at most 253 bytes."""
    assert problems("GlobalNetworkSet", name=name) == ([message] if message else [])
    assert cited("GlobalNetworkSet", name=name) == ({"Metadata.Name"} if message else set())


@pytest.mark.parametrize(("name", "hint"), [("Web", "use lower case: web"), ("a_b", "use '-' instead of '_': a-b")])
def test_a_wrong_name_comes_with_a_right_one(name, hint):
    """The commonest mistakes are mended in the hint."""
    assert found("GlobalNetworkSet", name=name)[0].hint == hint


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        ("app", "web", set()),
        ("a" * 63, "v" * 63, set()),
        ("example.com/app", "", set()),
        ("x" * 253 + "/a", "b", set()),
        ("a" * 64, "b", {"Metadata.Labels (label)"}),
        ("x" * 254 + "/a", "b", {"Metadata.Labels (label)"}),
        ("a/b/c", "d", {"Metadata.Labels (label)"}),
        ("/a", "b", {"Metadata.Labels (label)"}),
        ("a/", "b", {"Metadata.Labels (label)"}),
        ("Example.com/a", "b", {"Metadata.Labels (label)"}),
        ("-a", "b", {"Metadata.Labels (label)"}),
        ("a", "v" * 64, {"Metadata.Labels (value)"}),
        ("a", "not ok", {"Metadata.Labels (value)"}),
        ("a", "-", {"Metadata.Labels (value)"}),
    ],
)
def test_labels(key, value, names):
    """Keys are qualified names, values are short words."""
    assert cited("GlobalNetworkSet", labels={key: value}) == names


@pytest.mark.parametrize(
    ("annotations", "accepted"),
    [
        ({"Example.Com/A": "any text at all\n"}, True),
        ({"bad key": "x"}, False),
        ({"a": "v" * 262_143}, True),
        ({"a": "v" * 262_144}, False),
    ],
)
def test_annotations(annotations, accepted):
    """Keys are qualified names in any case; values are free; the total is limited."""
    assert cited("GlobalNetworkSet", annotations=annotations) == (set() if accepted else {"Metadata.Annotations (key)"})


def test_a_member_is_shown_once_although_calico_cites_it_often():
    """People see one problem per field; Calico's names are all there."""
    assert problems("Tier", {"defaultAction": "Allow"}, name="t") == [
        "spec.defaultAction: 'Allow' is not one of Deny, Pass"
    ]
    assert cited("Tier", {"defaultAction": "Allow"}, name="t") == {"DefaultAction", "Tier", "spec.defaultAction"}


def test_later_stages_are_told_to_people_only():
    """Where Calico stops at the name, people also hear of the rest."""
    wrong = resource("WorkloadEndpoint", {"mac": "x"}, name="other")
    assert {problem.calico_name for problem in check(wrong) if problem.cited} == {"Name"}
    assert [problem.path for problem in check(wrong)] == ["metadata.name", "spec.mac"]


def test_offline_validation_does_not_compare_the_name():
    """validate has no datastore and leaves the endpoint's name alone."""
    assert check(resource("WorkloadEndpoint", name="other"), operation="validate") == ()


def test_a_resource_says_all_that_is_wrong_with_it():
    """validated() raises one error with every problem, in Calico's words too."""
    spec = WorkloadEndpointSpec(
        node="n1", orchestrator="k8s", pod="p", endpoint="e", interface_name="x" * 16, mac="no", profiles=("A",)
    )
    endpoint = WorkloadEndpoint(metadata=ObjectMeta(namespace="shop"), spec=spec)
    with pytest.raises(ValidationError) as error:
        endpoint.validated()
    assert [problem.path for problem in error.value.problems] == ["spec.profiles[0]", "spec.interfaceName", "spec.mac"]
    assert error.value.calico_text == (
        "error with the following fields:\n"
        "-  Profiles[0] = 'A' (Reason: failed to validate Field: Profiles[0] because of Tag: name )\n"
        "-  InterfaceName = 'xxxxxxxxxxxxxxxx'"
        " (Reason: failed to validate Field: InterfaceName because of Tag: interface )\n"
        "-  MAC = 'no' (Reason: failed to validate Field: MAC because of Tag: mac )\n"
    )


def test_validated_returns_what_will_be_stored():
    """Name and labels are filled in."""
    spec = WorkloadEndpointSpec(
        node="n1",
        orchestrator="k8s",
        pod="p",
        endpoint="e",
        interface_name="cali1",
        ports=(WorkloadEndpointPort(name="http", protocol="TCP", port=80),),
    )
    endpoint = WorkloadEndpoint(metadata=ObjectMeta(namespace="shop"), spec=spec).validated()
    assert (endpoint.name, endpoint.labels) == (
        "n1-k8s-p-e",
        {"projectcalico.org/namespace": "shop", "projectcalico.org/orchestrator": "k8s"},
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("IPAMBlock", "IPAMHandle", "LiveMigration")])
def test_a_usual_resource_of_each_kind_is_valid(kind):
    """What people write every day has no problems."""
    assert problems(kind) == []


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_judgement_does_not_depend_on_earlier_ones(kind, data):
    """What passed before is not looked at again, and nothing else changes by that."""
    first, second = (data.draw(resources(KINDS[kind].type)) for _ in range(2))
    hows = ({}, {"people": False}, {"schema": False})
    fresh = []
    for how in hows:
        checks._plan.cache_clear()
        fresh.append(check(first, **how))
    for how in (*hows, *hows):
        check(second, **how)
        check(first, **how)
    assert [check(first, **how) for how in hows] == fresh
