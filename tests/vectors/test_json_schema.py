# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of the kinds beside what Calico's client accepts and cannot decode (topic validation)."""

import json
import os
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.vectors.test_validation import _expanded

from percale.resources.json_schema import json_schema
from percale.resources.reference import field_note


def _cases():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return []
    return [json.loads(line) for line in (Path(folder) / "validation.jsonl").read_text().splitlines()]


CASES = _cases()
ABSENT = [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
VALID = [pytest.param(case, id=case["id"]) for case in CASES if case["ok"]] or ABSENT
UNDECODABLE = [pytest.param(case, id=case["id"]) for case in CASES if case["stage"] == "decode"] or ABSENT


def _document(case):
    return {"apiVersion": "projectcalico.org/v3", "kind": case["kind"]} | _expanded(case["resource"])


@cache
def _validator(kind):
    return Draft202012Validator(json_schema(kind))


def _misspelled(document):
    """Report whether people may not write it so: a member that Calico's client ignores, or in another letter case."""
    exact = _names(document["kind"])
    return bool(set(document["spec"] or ()) - exact)


@cache
def _names(kind):
    return {member.name for member in field_note(f"{kind}.spec").members}


@pytest.mark.parametrize("case", VALID)
def test_what_calico_accepts_the_schema_accepts(case):
    """No valid resource is refused, but for names that its schema spells in another way or not at all."""
    document = _document(case)
    assert _validator(case["kind"]).is_valid(document) != _misspelled(document)


@pytest.mark.parametrize("case", UNDECODABLE)
def test_what_calico_cannot_decode_the_schema_refuses(case):
    """Every error of type is found, but for the order of a range, which JSON Schema cannot say."""
    assert _validator(case["kind"]).is_valid(_document(case)) == ("90:80" in json.dumps(case["resource"]))
