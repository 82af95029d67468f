# SPDX-License-Identifier: Apache-2.0
"""Names of workload endpoints as Calico makes, reads and compares them (topic wep-names)."""

import json
import os
from pathlib import Path

import pytest

from percale.errors import ValidationError
from percale.resources.wep_names import EndpointIdentifiers, endpoint_key, veth_name


def _cases():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    lines = (Path(folder) / "wep-names.jsonl").read_text().splitlines()
    return [pytest.param(case, id=case["id"]) for case in map(json.loads, lines)]


def _identifiers(ids):
    return EndpointIdentifiers(**{"container_id" if key == "containerID" else key: ids[key] for key in ids})


def _calculate(case):
    ids = _identifiers(case["ids"])
    return {"name": ids.prefix() if case["allow_prefix"] else ids.name()}


def _parse(case):
    found = EndpointIdentifiers.parse(case["name"])._asdict()
    return {"ids": {"containerID" if key == "container_id" else key: found[key] for key in found}}


def _match(case):
    return {"match": _identifiers(case["ids"]).match(case["name"])}


def _v1key(case):
    key = endpoint_key(case["namespace"], case["name"])
    parts = {
        "hostname": key.host,
        "orchestratorID": key.orchestrator,
        "workloadID": key.workload,
        "endpointID": key.endpoint,
    }
    return {"v1": parts, "v1_path": key.path, "status_file": key.status_file}


def _veth(case):
    return {"name": veth_name(case["namespace"], case["pod"])}


OPERATIONS = {"calculate": _calculate, "parse": _parse, "match": _match, "v1key": _v1key, "veth": _veth}


@pytest.mark.parametrize("case", _cases())
def test_names_agree_with_calico(case):
    """Each operation gives Calico's answer, or refuses and cites the same fields."""
    expect = dict(case["expect"])
    try:
        found = {"ok": True, **OPERATIONS[case["op"]](case)}
    except ValidationError as error:
        found = {"ok": False, "fields": [problem.calico_name for problem in error.problems]}
        expect = {"fields": found["fields"]} | expect  # most refusals are recorded without fields
    if case["op"] == "match" and "fields" in expect:
        expect["ok"] = False  # recorded as a call that came back, with an error inside
    if case["op"] == "v1key" and expect["ok"] and "v1_path" not in expect:
        del found["v1_path"]  # an empty endpoint has no path
    assert {"ok": True} | expect == found
