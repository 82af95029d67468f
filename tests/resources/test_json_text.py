# SPDX-License-Identifier: Apache-2.0
"""JSON as Calico's client writes and reads it."""

import json

import pytest

from percale.errors import ValidationError
from percale.resources import (
    KINDS,
    EntityRule,
    FelixConfiguration,
    FelixConfigurationSpec,
    NetworkPolicy,
    NetworkPolicySpec,
    ObjectMeta,
    Profile,
    Rule,
    Tier,
    TierSpec,
    WorkloadEndpoint,
    WorkloadEndpointPort,
    WorkloadEndpointSpec,
    decode_json,
    encode_json,
    encode_json_list,
    go_json,
)
from percale.resources.reader import read_json

HEAD = b'{"kind":"Tier","apiVersion":"projectcalico.org/v3",'


def stored(kind, **members):
    return decode_json(json.dumps(members), kind)


def test_members_stand_in_calicos_order_and_empty_ones_are_left_out():
    """Kind and version come first; what is always written is there even when empty."""
    port = WorkloadEndpointPort(name="http", protocol="TCP", port=80)
    endpoint = WorkloadEndpoint(
        metadata=ObjectMeta(name="a", labels={"b": "1", "a": "2"}), spec=WorkloadEndpointSpec(ports=(port,), node="n")
    )
    assert encode_json(endpoint) == (
        b'{"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3","metadata":{"name":"a","labels":{"a":"2","b":"1"}},'
        b'"spec":{"node":"n","ports":[{"name":"http","protocol":"TCP","port":80,"hostPort":0,"hostIP":""}]}}'
    )


def test_an_empty_side_of_a_rule_is_left_out():
    """However it was made, a side without members is no side."""
    rule = Rule(action="Allow", source=EntityRule(nets=()), destination=EntityRule(selector="all()"))
    policy = NetworkPolicy(spec=NetworkPolicySpec(ingress=(rule,)))
    assert b'"ingress":[{"action":"Allow","destination":{"selector":"all()"}}]' in encode_json(policy)
    assert b'{"action":"Deny"}' in encode_json(
        stored("NetworkPolicy", spec={"ingress": [{"action": "Deny", "source": {}, "destination": {}}]})
    )


def test_an_optional_list_that_is_empty_is_written():
    """No failsafe ports is another wish than none said."""
    spec = FelixConfigurationSpec(failsafe_inbound_host_ports=())
    assert b'"failsafeInboundHostPorts":[]' in encode_json(FelixConfiguration(spec=spec))
    assert b"failsafe" not in encode_json(FelixConfiguration())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<a>&b", rb"\u003ca\u003e\u0026b"),
        ("\u2028\u2029", rb"\u2028\u2029"),
        ('"\\/', rb"\"\\/"),
        ("\n\r\t\b\f\x00\x1f", rb"\n\r\t\b\f\u0000\u001f"),
        ("é😀\x7f", "é😀\x7f".encode()),
    ],
)
def test_texts_are_escaped_as_go_escapes_them(text, written):
    """Only what could hurt in HTML, and control characters."""
    resource = Profile(metadata=ObjectMeta(annotations={"a": text}))
    assert b'{"a":"' + written + b'"}' in encode_json(resource)
    assert decode_json(encode_json(resource), "Profile") == resource


@pytest.mark.parametrize(
    ("order", "written"),
    [
        (100.0, b"100"),
        (1.5, b"1.5"),
        (0.0, b"0"),
        (-2.25, b"-2.25"),
        (1e-6, b"0.000001"),
        (1.25e-7, b"1.25e-7"),
        (1e20, b"100000000000000000000"),
        (1e21, b"1e+21"),
        (2**53 - 1, b"9007199254740991"),
        (2**53 + 1, b"9007199254740992"),
        (1046744073709551615, b"1046744073709551600"),
        (1.5e300, b"1.5e+300"),
    ],
)
def test_numbers_are_written_as_go_writes_them(order, written):
    """Decimal notation between 1e-6 and 1e21, an exponent beyond."""
    tier = Tier(spec=TierSpec(order=order))
    assert encode_json(tier) == HEAD + b'"metadata":{},"spec":{"order":' + written + b'},"status":{}}'
    assert decode_json(encode_json(tier), "Tier") == tier


def test_a_typed_list():
    """Lists have the version of the store and their items as they are."""
    assert encode_json_list("Tier", []) == (
        b'{"kind":"TierList","apiVersion":"projectcalico.org/v3","metadata":{},"items":[]}'
    )
    text = encode_json_list("Tier", [Tier(metadata=ObjectMeta(name="a"))], resource_version="7", indent=2)
    assert json.loads(text)["metadata"] == {"resourceVersion": "7"}
    assert json.loads(text)["items"][0]["metadata"] == {"name": "a"}


def test_builtins_are_encoded_in_the_order_given():
    """What is no resource is written by the same rules."""
    assert go_json({"b": 1.0, "a": ["<", 1e21, None]}) == b'{"b":1,"a":["\\u003c",1e+21,null]}'


class TestStored:
    """Reading is lenient: the store may hold what other programs wrote."""

    def test_unknown_members_are_ignored(self):
        """A newer Calico may have written them."""
        assert stored("Tier", spec={"order": 5, "new": {"a": 1}}, other=1).spec.order == 5

    def test_null_is_absent(self):
        """For members, list items and whole objects."""
        endpoint = stored("WorkloadEndpoint", metadata=None, spec={"node": None, "profiles": [None], "ports": [None]})
        assert (endpoint.spec.node, endpoint.spec.profiles) == ("", ("",))
        assert endpoint.spec.ports == (WorkloadEndpointPort(),)

    def test_member_names_have_any_case_when_something_else_is_odd(self):
        """The lenient decoder reads them; of two spellings the last wins."""
        assert read_json('{"spec":{"Node":"a","node":"b","NODE":"c"}}', WorkloadEndpoint).spec.node == "c"

    def test_ports_and_protocols_become_canonical(self):
        """Digits in texts are numbers; a range of one port is that port."""
        rule = stored(
            "NetworkPolicy",
            spec={"ingress": [{"action": "Allow", "protocol": "6", "source": {"ports": ["080", "1:2", "7:7", "a"]}}]},
        ).spec.ingress[0]
        assert (rule.protocol, rule.source.ports) == (6, (80, "1:2", 7, "a"))

    @pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), (True, True)])
    def test_flags_may_be_texts(self, text, value):
        """Stored block affinities hold them so."""
        assert stored("BlockAffinity", spec={"deleted": text}).spec.deleted is value

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ({"profiles": "a"}, "spec.profiles: expected a list of texts, found the text 'a'"),
            ({"node": 5}, "spec.node: expected a text, found 5"),
            ({"ports": [{"port": 80.5}]}, "spec.ports[0].port: expected a whole number, found 80.5"),
            ({"ports": [{"port": True}]}, "spec.ports[0].port: expected a whole number, found true"),
            ({"ports": [{"port": 70000}]}, "spec.ports[0].port: 70000 is out of range: expected 0 to 65535"),
        ],
    )
    def test_a_wrong_type_is_refused_with_its_path(self, spec, message):
        """Whoever meets the value in the store learns where it is wrong."""
        with pytest.raises(ValidationError) as error:
            stored("WorkloadEndpoint", spec=spec)
        assert message in str(error.value).splitlines()

    def test_what_is_no_json_is_refused(self):
        """The decoder's words are kept."""
        with pytest.raises(ValidationError, match="not readable as JSON"):
            decode_json(b"{", "Tier")


class TestRequest:
    """What Calico's client refuses to decode."""

    @pytest.mark.parametrize(
        ("kind", "document"),
        [
            ("Tier", {"metadata": {"creationTimestamp": "yesterday"}}),
            ("BlockAffinity", {"spec": {"deleted": "false"}}),
            ("WorkloadEndpoint", {"spec": {"ports": [{"port": "80"}]}}),
            ("WorkloadEndpoint", {"spec": {"ports": [{"port": 80.0}]}}),
            ("WorkloadEndpoint", {"spec": {"ports": [{"protocol": 256}]}}),
            ("NetworkPolicy", {"spec": {"ingress": [{"source": {"ports": ["90:80"]}}]}}),
            ("NetworkPolicy", {"spec": {"ingress": [{"source": {"ports": [""]}}]}}),
            ("FelixConfiguration", {"spec": {"reportingInterval": 30}}),
            ("FelixConfiguration", {"spec": {"reportingInterval": "30"}}),
            ("BGPPeer", {"spec": {"asNumber": "1.65536"}}),
            ("BGPPeer", {"spec": {"asNumber": 4294967296}}),
        ],
    )
    def test_values_without_meaning(self, kind, document):
        """No field list: the document is not a resource of the kind at all."""
        with pytest.raises(ValidationError):
            read_json(json.dumps(document), KINDS[kind].type)

    @pytest.mark.parametrize(
        ("kind", "document", "path", "value"),
        [
            (
                "Tier",
                {"metadata": {"creationTimestamp": "2026-01-02T05:04:05.9+02:00"}},
                "metadata.creation_timestamp",
                "2026-01-02T03:04:05Z",
            ),
            ("FelixConfiguration", {"spec": {"reportingInterval": "90s"}}, "spec.reporting_interval", "1m30s"),
            ("BGPPeer", {"spec": {"asNumber": "1.10"}}, "spec.as_number", 65546),
            ("WorkloadEndpoint", {"spec": {"qosControls": {"dscp": "46"}}}, "spec.qos_controls.dscp", 46),
        ],
    )
    def test_spellings_become_canonical(self, kind, document, path, value):
        """One meaning, one text in the store."""
        found = read_json(json.dumps(document), KINDS[kind].type)
        for name in path.split("."):
            found = getattr(found, name)
        assert found == value
