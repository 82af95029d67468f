# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of the kinds refuses what no reader accepts, and nothing that one does."""

import json
from functools import cache
from itertools import chain

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.docs.page import PAGES, Page
from tests.resources.strategies import resources
from tests.resources.valid import resource

from percale.resources import KINDS, check
from percale.resources.json_schema import json_schema

NAMED = [info.kind for info in KINDS.values() if info.aliases]
MANUAL = [
    pytest.param(block.text, id=block.place)
    for block in chain.from_iterable(Page.read(path).blocks for path in PAGES)
    if block.language == "yaml" and not {"config", "refused"} & set(block.words)
]


@cache
def _validator(kind=""):
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _document(kind, spec=None):
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, **json.loads(resource(kind, spec).to_json())}


def _faults(kind, *path, value):
    """What the schema says of a valid resource with one member replaced."""
    document = _document(kind)
    inner = document["spec"]
    for step in path[:-1]:
        inner = inner.setdefault(step, {})
    inner[path[-1]] = value
    return [error.message for error in _validator(kind).iter_errors(document)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_valid_resource_is_valid(kind):
    """What the checks accept the schema of the kind accepts."""
    _validator(kind).validate(_document(kind))


@pytest.mark.parametrize("kind", NAMED)
def test_the_schema_of_all_kinds_knows_each(kind):
    """Without a kind, documents of every kind of the command line are accepted, alone and as a list."""
    document = _document(kind)
    _validator().validate(document)
    _validator().validate({"apiVersion": "projectcalico.org/v3", "kind": f"{kind}List", "items": [document]})


@pytest.mark.parametrize("text", MANUAL)
def test_documents_of_the_manual_are_valid(text):
    """Every document of the manual validates against the schema of its kind."""
    for document in yaml.safe_load_all(text):
        _validator().validate(document)
        if document["kind"] in KINDS:
            _validator(document["kind"]).validate(document)


@pytest.mark.parametrize(
    ("kind", "path", "accepted", "refused"),
    [
        ("WorkloadEndpoint", ["ports"], [{"port": 65535}], [{"port": 65536}]),
        ("WorkloadEndpoint", ["qosControls", "dscp"], 255, 256),
        ("WorkloadEndpoint", ["qosControls", "dscp"], "AF11", ["AF11"]),
        ("WorkloadEndpoint", ["node"], "5", 5),
        ("NetworkPolicy", ["order"], 1.5, "1.5"),
        ("NetworkPolicy", ["ingress"], [{"action": "Pass"}], [{"action": "pass"}]),
        ("NetworkPolicy", ["ingress"], [{"action": "Log", "protocol": "x"}], [{"action": "Log", "protocol": 1.5}]),
        ("NetworkPolicy", ["types"], ["Egress"], ["Egress", "Egress"]),
        ("NetworkPolicy", ["selector"], "x" * 1024, "x" * 1025),
        ("Profile", ["ingress"], [{"action": "anything"}], [{"action": 1}]),
        ("IPPool", ["blockSize"], 128, 129),
        ("IPPool", ["natOutgoing"], True, "yes"),
        ("Node", ["bgp"], {"asNumber": 4294967295}, {"asNumber": 4294967296}),
        ("Node", ["bgp"], {"asNumber": "1.10"}, {"asNumber": "x"}),
        ("FelixConfiguration", ["chainInsertMode"], "aPPEND", "Prepend"),
        ("FelixConfiguration", ["healthPort"], None, "x"),
        ("FelixConfiguration", ["routeRefreshInterval"], "1h30m", ""),
        ("FelixConfiguration", ["routeRefreshInterval"], ".5h", 90),
        ("FelixConfiguration", ["goGCThreshold"], -1, -2),
        ("BlockAffinity", ["deleted"], False, True),
    ],
)
def test_both_sides_of_a_limit(kind, path, accepted, refused):
    """What a type or rule allows last is accepted, what it does not allow first is refused; null is absent."""
    assert not _faults(kind, *path, value=accepted)
    assert _faults(kind, *path, value=refused)


@pytest.mark.parametrize(
    "value", [0, 65535, "80", "0080", "8000:8080", "http", "a_B.c-1", "x" * 128, "1-2", None], ids=repr
)
def test_ports_are_numbers_ranges_and_names(value):
    """Whatever the reader takes for a port is one for the schema."""
    assert not _faults("FelixConfiguration", "natPortRange", value=value)


@pytest.mark.parametrize(
    "value", [-1, 65536, 1.5, "", "65536", "1:65536", "80:", "80 ", "http:90", "x" * 129, True], ids=repr
)
def test_what_is_no_port_is_refused(value):
    """Whatever the reader cannot take for a port is none for the schema."""
    assert _faults("FelixConfiguration", "natPortRange", value=value)


def test_a_description_holds_meaning_and_rules():
    """Editors show what a field means and what may stand there."""
    member = json_schema("FelixConfiguration")["$defs"]["FelixConfigurationSpec"]["properties"]["healthPort"]
    assert member["description"] == (
        "The TCP port on which the agent answers questions about its health; 9099 unless given."
    )
    member = json_schema("NetworkPolicy")["$defs"]["NetworkPolicySpec"]["properties"]["selector"]
    assert member["description"].endswith(" Must be a selector. Must be at most 1024 characters.")


def test_defaults_are_valid():
    """The default of a member is one of its own values, a number where it is a number."""
    schema = json_schema()
    defaults = {}
    for name, definition in schema["$defs"].items():
        for member, wanted in definition["properties"].items():
            if "default" in wanted:
                defaults[f"{name}.{member}"] = wanted["default"]
                Draft202012Validator(wanted).validate(wanted["default"])
    assert defaults["TierSpec.order"] == 1_000_000
    assert defaults["NetworkPolicySpec.tier"] == "default"


def test_kinds_share_a_definition_only_with_the_same_rules():
    """The rules of profiles are laxer than those of policies, so they have definitions of their own."""
    definitions = json_schema()["$defs"]
    assert "enum" in definitions["Rule"]["properties"]["action"]
    assert "enum" not in definitions["Profile.Rule"]["properties"]["action"]
    assert definitions["Profile.EntityRule"] != definitions["EntityRule"]


def test_unknown_members_are_refused():
    """A misspelled field is shown by an editor."""
    assert _faults("IPPool", "blocksize", value=26)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_nothing_is_refused_that_the_checks_accept(kind, data):
    """Where the schema finds a fault in a resource of any content, the checks find one too."""
    drawn = data.draw(resources(KINDS[kind].type))
    document = {"apiVersion": "projectcalico.org/v3", "kind": kind, **json.loads(drawn.to_json())}
    found = {problem.path for problem in check(drawn, operation="validate")}
    for fault in _validator(kind).iter_errors(document):
        assert any(_within(path, _path(fault)) for path in found), f"{_path(fault)}: {fault.message}"


def _path(fault):
    """Where a fault is, as people write paths."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.absolute_path).lstrip(".")


def _within(path, place):
    """Whether a problem is at a place, inside it, or told for the list that it stands in."""
    return path.startswith(place) or place.startswith(f"{path}[")
