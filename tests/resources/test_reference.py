# SPDX-License-Identifier: Apache-2.0
"""The reference that programs and people ask: fields, their types, rules and meaning; JSON Schema."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.resources.valid import resource

from percale.errors import NotFound
from percale.resources import KINDS, to_builtins
from percale.resources.reference import field_note, json_schema


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_type_in_words(kind):
    """No field of any kind is without words for its type."""
    for note in field_note(kind).tree:
        assert note.type_words
        assert note.type_words != "any value" or "fieldsV1" in note.path


def test_a_note_holds_rule_and_meaning():
    """A field's note says what it means and what its checks demand."""
    note = field_note("IPPool.spec.blockSize")
    assert (note.path, note.type_words, note.rules) == (
        "spec.blockSize",
        "whole number",
        ("at least 0 and at most 128",),
    )
    assert note.text.startswith("Prefix length of the blocks")


def test_case_aliases_and_indices_do_not_matter():
    """A path is found however a person writes it."""
    assert field_note("pol.SPEC.ingress[2].Source.nets") == field_note("NetworkPolicy.spec.ingress.source.nets")


@pytest.mark.parametrize("path", ["Police", "IPPool.spec.blocksiz", "IPPool.spec.cidr.x"])
def test_what_does_not_exist_is_refused(path):
    """A misspelled path is not found, and the error tells what is known."""
    with pytest.raises(NotFound, match="known"):
        field_note(path)


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_know_every_member(kind):
    """A valid resource has no member that its schema forbids, and every reference of the schema is defined."""
    schema = json_schema(kind)
    defined = schema["$defs"]
    for reference in {part.split('"')[0] for part in json.dumps(schema).split('"#/$defs/')[1:]}:
        assert reference in defined
    _assert_known(to_builtins(resource(kind)), schema, defined)


def test_a_schema_without_kind_is_that_of_all():
    """Without a kind, each kind of the command line is one of the choices."""
    assert {one["$ref"].rpartition("/")[2] for one in json_schema()["oneOf"]} == {
        info.kind for info in KINDS.values() if info.aliases
    }


def _assert_known(value, schema, defined):
    if "$ref" in schema:
        schema = defined[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, dict) and "properties" in schema:
        for name, member in value.items():
            _assert_known(member, schema["properties"][name], defined)
    elif isinstance(value, list | tuple) and "items" in schema:
        for item in value:
            _assert_known(item, schema["items"], defined)


def test_the_pages_of_the_manual_are_fresh():
    """The generated pages of the kinds say what models and checks say now."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, root / "tools" / "reference-kinds", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
