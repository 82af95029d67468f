# SPDX-License-Identifier: Apache-2.0
"""Every kind survives its texts."""

import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.resources.strategies import resources

from percale.resources import (
    KINDS,
    DocumentError,
    IPAMBlock,
    IPAMHandle,
    IPAMHandleSpec,
    ObjectMeta,
    decode_json,
    encode_json,
    read_documents,
    to_builtins,
)
from percale.resources.reader import read_json

QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
ALL = sorted(KINDS)


@pytest.mark.parametrize("kind", ALL)
@QUICK
@given(data=st.data())
def test_json_returns_the_same_resource(kind, data):
    """What is encoded decodes to an equal resource, and encodes to the same bytes again."""
    resource = data.draw(resources(KINDS[kind].type))
    text = encode_json(resource)
    again = decode_json(text, kind)
    assert resource == again
    assert text == encode_json(again)


@pytest.mark.parametrize("kind", ALL)
@QUICK
@given(data=st.data())
def test_both_json_decoders_agree(kind, data):
    """The lenient decoder reads what the fast one reads."""
    text = encode_json(data.draw(resources(KINDS[kind].type)))
    assert decode_json(text, kind) == read_json(text, KINDS[kind].type, source="stored")


@pytest.mark.parametrize("kind", ALL)
@QUICK
@given(data=st.data())
def test_yaml_returns_the_same_resource(kind, data):
    """What is printed as YAML reads as an equal resource, whatever texts and keys it has."""
    resource = data.draw(resources(KINDS[kind].type))
    if kind.startswith("Staged"):
        assume(resource.spec.staged_action != "Delete")  # which takes no other fields
    if kind == "CalicoNodeStatus":
        resource = resource.replace(spec=resource.spec.replace(classes=("Agent",)))
    assert resource == KINDS[kind].type.from_yaml(resource.to_yaml())


def test_internal_kinds_are_read_by_those_who_ask_for_them():
    """A stream of documents has no internal kinds; ``from_yaml`` of such a kind reads it."""
    handle = IPAMHandle(metadata=ObjectMeta(name="h"), spec=IPAMHandleSpec(handle_id="h", block={"192.0.2.0/26": 1}))
    assert IPAMHandle.from_yaml(handle.to_yaml()) == handle
    with pytest.raises(DocumentError, match="unknown kind 'IPAMHandle'"):
        read_documents(handle.to_yaml())
    with pytest.raises(DocumentError, match="unknown kind 'IPAMHandle'"):
        IPAMBlock.from_yaml(handle.to_yaml())


@pytest.mark.parametrize("kind", ALL)
@QUICK
@given(data=st.data())
def test_pretty_and_plain_json_say_the_same(kind, data):
    """Indented JSON, compact JSON and builtins are one content."""
    resource = data.draw(resources(KINDS[kind].type))
    assert json.loads(encode_json(resource)) == json.loads(encode_json(resource, indent=2))
    assert json.loads(json.dumps(to_builtins(resource))) == json.loads(encode_json(resource))
