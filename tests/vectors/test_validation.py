# SPDX-License-Identifier: Apache-2.0
"""What Calico's client accepts and refuses, and what it stores (topic validation)."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from percale.client import open_client
from percale.datastore.sqlite import SQLiteKeyValue
from percale.errors import AlreadyExists, Conflict, NotFound, PercaleError, ValidationError
from percale.resources import KINDS, to_builtins
from percale.resources.reader import read_json

ERRORS = {
    "ErrorValidation": ValidationError,
    "ErrorResourceDoesNotExist": NotFound,
    "ErrorResourceAlreadyExists": AlreadyExists,
    "ErrorResourceUpdateConflict": Conflict,
    "other": PercaleError,
    "crash": ValidationError,  # the reference panics; we refuse
}
SET_BY_STORE = ("uid", "creationTimestamp", "resourceVersion")


def _cases():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    lines = (Path(folder) / "validation.jsonl").read_text().splitlines()
    return [pytest.param(case, id=case["id"]) for case in map(json.loads, lines)]


def _expanded(value):
    """Write repeated texts out."""
    match value:
        case {"$repeat": text, "$count": count}:
            return text * count
        case dict():
            return {key: _expanded(item) for key, item in value.items()}
        case list():
            return [_expanded(item) for item in value]
        case _:
            return value


def _resource(kind, value):
    return read_json(json.dumps(_expanded(value)), KINDS[kind].type)


def _as_update(resource, stored):
    """Take over what the recording client took over; ``-`` and the year 1999 send a member empty."""
    given, kept = resource.metadata, stored.metadata
    time = given.creation_timestamp or kept.creation_timestamp
    return resource.with_metadata(
        name=given.name or kept.name,
        uid="" if given.uid == "-" else given.uid or kept.uid,
        creation_timestamp="" if time.startswith("1999") else time,
        resource_version="" if given.resource_version == "-" else given.resource_version or kept.resource_version,
    )


@pytest.fixture
def client(tmp_path):
    """A client of a store that holds what every new store holds."""
    with open_client(SQLiteKeyValue(tmp_path / "store.db")) as client:
        client.initialise()
        yield client


def _send(client, case):
    """Create or update as the case says; return what is stored."""
    kind = KINDS[case["kind"]]
    for other in case.get("existing") or ():
        client.create(_resource(other["kind"], other["resource"]))
    resource = _resource(case["kind"], case["resource"])
    if kind.kind in ("Tier", "ClusterInformation"):
        # What a new store has of this name makes room; the store itself, for built-in tiers cannot be deleted.
        _make_room(client, resource.key)
    if not case.get("old"):
        return client.create(resource)
    stored = client.create(_resource(case["kind"], case["old"]))
    return client.update(_as_update(resource, stored))


def _make_room(client, key):
    with suppress(NotFound):
        client.datastore.delete(key)


def _same_port_name_twice(case):
    """Report whether an endpoint names two ports alike: Calico accepts it, we refuse it in what people write."""
    if case["kind"] not in ("WorkloadEndpoint", "HostEndpoint") or not case["ok"]:
        return False
    names = [port.get("name") for port in case["resource"]["spec"].get("ports") or ()]
    return any(name and names.count(name) > 1 for name in names)


@pytest.mark.parametrize("case", _cases())
def test_writes_agree_with_calico(case, client):
    """A resource is stored as Calico stores it, or refused for the same fields."""
    if _same_port_name_twice(case):
        with pytest.raises(ValidationError, match="is the name of"):
            _send(client, case)
        return
    if not case["ok"]:
        with pytest.raises(ERRORS.get(case.get("error"), ValidationError)) as refusal:
            _send(client, case)
        if case.get("error") == "ErrorValidation":
            cited = {problem.calico_name for problem in refusal.value.problems if problem.cited}
            assert set(case["fields"]) == cited
        return
    stored = to_builtins(_send(client, case))
    for name in SET_BY_STORE:
        stored["metadata"].pop(name, None)
    assert case["stored"] == json.loads(json.dumps(stored))
