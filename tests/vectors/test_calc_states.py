# SPDX-License-Identifier: Apache-2.0
"""What a host must enforce, as Calico calculates it (topic calc-states)."""

import copy
import json
import os
from pathlib import Path

import pytest
from tests.calc.protocol import EMPTY, referred_sets, replayed
from tests.calc.recorded import KINDS, described, governed, read

from percale.calc.calculation import Calculation
from percale.resources import Key


def _cases():
    return [case for case in _recorded() if case.values[0] is None or _kinds(case.values[0]) <= KINDS]


def _recorded():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    with (Path(folder) / "calc-states.jsonl").open(encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    return [pytest.param(case, id=case["id"]) for case in cases]


def _kinds(case):
    return {document["kind"] for step in _steps(case) for document in step["resources"]}


def _steps(case):
    return case.get("steps") or [{"op": "apply", "resources": case["resources"], "expect": case["expect"]}]


def test_cases_left_out_are_counted(capsys):
    """Whoever reads the report knows how much of the file was run."""
    recorded, covered = _recorded(), _cases()
    with capsys.disabled():
        print(f" calc-states: {len(recorded) - len(covered)} of {len(recorded)} cases left out (of other kinds)")


@pytest.mark.parametrize("case", _cases())
def test_state_is_as_calico_calculates_it(case):
    """After every step the state is the recorded one, and each message on the way is lawful."""
    calculation, state, present = _fresh(case), EMPTY, {}
    for step in _steps(case):
        for document in step["resources"]:
            _take(calculation, present, step["op"], document)
        state = replayed(state, calculation.flush())
        assert not calculation.cluster.refusals
        assert state == calculation.state()
        assert described(state) == _expected(step["expect"], present)
        assert state.ip_sets.keys() == _referred(state)


@pytest.mark.parametrize("case", _cases())
def test_every_state_is_the_same_from_scratch(case):
    """The resources of any step, loaded at once in another order, lead to the same state."""
    present = {}
    for step in _steps(case):
        calculation = _fresh(case)
        for document in step["resources"]:
            _take(None, present, step["op"], document)
        for resource in reversed(present.values()):
            calculation.update(resource.key, resource)
        assert described(replayed(EMPTY, calculation.flush())) == _expected(step["expect"], present)


def _fresh(case):
    calculation = Calculation(case["hostname"])
    calculation.in_sync()
    return calculation


def _take(calculation, present, operation, document):
    if operation == "delete":
        metadata = document["metadata"]
        key, resource = Key(document["kind"], metadata.get("namespace", ""), metadata["name"]), None
        present.pop(key, None)
    else:
        resource = read(document)
        key = resource.key
        present[key] = resource
    if calculation:
        calculation.update(key, resource)


def _expected(recorded, present):
    """The recorded state, but without the rules of a direction that the policy's types leave out.

    A deliberate difference: Calico hands such rules on, with their IP sets, and no endpoint ever uses them.
    """
    expected = copy.deepcopy(recorded)
    for resource in present.values():
        types, policy = governed(resource), expected["policies"].get(_identity(resource))
        for direction in ("Ingress", "Egress"):
            if types is not None and policy and direction not in types:
                policy[direction.lower()] = []
    return expected


def _identity(resource):
    kind, namespace, name = resource.key
    return f"{kind}:{namespace}/{name}" if namespace else f"{kind}:{name}"


def _referred(state):
    return {set_id for owner in (*state.policies.values(), *state.profiles.values()) for set_id in referred_sets(owner)}
