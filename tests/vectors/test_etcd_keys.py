# SPDX-License-Identifier: Apache-2.0
"""Calico's keys and values as its own client wrote them into etcd (topic etcd-keys)."""

import json
import os
from pathlib import Path

import pytest

from percale.client import Client
from percale.datastore import keys
from percale.datastore.calico import CalicoDatastore
from percale.datastore.keys import (
    AffinityKey,
    BlockKey,
    EndpointStatusKey,
    HandleKey,
    KeyRange,
    ReadyFlagKey,
    StatusReportKey,
)
from percale.datastore.sqlite import SQLiteKeyValue
from percale.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    NotSupported,
    ValidationError,
)
from percale.ipam import records
from percale.ipam.records import AffinityState
from percale.resources import Key, WorkloadEndpointKey, go_json, read_documents, to_builtins

ERRORS = {
    ValidationError: "ErrorValidation",
    NotFound: "ErrorResourceDoesNotExist",
    AlreadyExists: "ErrorResourceAlreadyExists",
    Conflict: "ErrorResourceUpdateConflict",
    NotSupported: "ErrorOperationNotSupported",
}


def cases(*operations):
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    with (Path(folder) / "etcd-keys.jsonl").open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [pytest.param(case, id=case["id"]) for case in found if case["op"] in operations]


def path_of(kind, args):
    """Return the key of an object by the recording's words for its type and identifiers."""
    region = args.get("region", "")
    match kind:
        case "Resource":
            return keys.resource_path(Key(args["kind"], args.get("namespace", ""), args["name"]))
        case "IPAMBlock":
            return BlockKey(args["cidr"]).path
        case "BlockAffinityV1":
            return AffinityKey(args.get("cidr", ""), args.get("host", ""), args.get("type", "")).path
        case "IPAMHandle":
            return HandleKey(args.get("handle", "")).path
        case "IPAMConfigV1":
            return keys.IPAM_CONFIG
        case "IPAMHost":
            return keys.ipam_host(args.get("host", ""))
        case "ActiveStatusReport" | "LastStatusReport":
            return StatusReportKey(args.get("host", ""), region, kind == "LastStatusReport").path
        case "WorkloadEndpointStatus":
            identity = (args.get(name, "") for name in ("host", "orchestrator", "workload", "endpoint"))
            return EndpointStatusKey(*identity, region).path
        case "HostEndpointStatus":
            return keys.HostEndpointStatusKey(args.get("host", ""), args.get("endpoint", "")).path
        case "ReadyFlag":
            return ReadyFlagKey().path
    raise AssertionError(f"unknown type {kind}")


def range_of(kind, args, prefix):
    match kind:
        case "Resource":
            where = {name: args.get(name, "") for name in ("namespace", "name")}
            return keys.resource_range(args["kind"], **where, prefix=prefix)
        case "IPAMBlock":
            return keys.block_range(int(args.get("version", "0")))
        case "BlockAffinityV1":
            return keys.affinity_range(args.get("type", ""), args.get("host", ""), int(args.get("version", "0")))
        case "IPAMHandle":
            return KeyRange.prefix(keys.HANDLES)
        case "WorkloadEndpointStatus":
            text = args.get("regionString")
            region = None if text is None else text.removeprefix("region-") if text != "no-region" else ""
            identity = (args.get(name, "") for name in ("host", "orchestrator", "workload", "endpoint"))
            return keys.endpoint_status_range(region, *identity)
    raise AssertionError(f"unknown type {kind}")


def described(key):
    """Return a parsed key in the recording's words."""
    match key:
        case None:
            return None
        case BlockKey(cidr):
            return f"BlockKey(cidr={cidr})"
        case AffinityKey(cidr, host, owner):
            return f"BlockAffinityKey(cidr={cidr}, host={host}, affinityType={owner})"
        case HandleKey(handle):
            return f"IPAMHandleKey(id={handle})"
        case StatusReportKey(host):
            return f"StatusReport(hostname={host})"
        case EndpointStatusKey(host, orchestrator, workload, endpoint):
            return (
                f"WorkloadEndpointStatus(hostname={host}, orchestrator={orchestrator}, "
                f"workload={workload}, name={endpoint})"
            )
        case WorkloadEndpointKey(host, orchestrator, workload, endpoint):
            return f"WorkloadEndpoint(node={host}, orchestrator={orchestrator}, workload={workload}, name={endpoint})"
        case ReadyFlagKey():
            return "ReadyFlagKey()"
        case _:
            return str(key)


@pytest.mark.parametrize("case", cases("key"))
def test_key(case):
    """Each object's key is Calico's, and is understood as Calico understands it."""
    expect = case["expect"]
    if "error" in expect:
        with pytest.raises(ValueError) as error:
            path_of(case["type"], case["args"])
        insufficient = str(error.value).startswith("insufficient identifiers")
        assert insufficient == (expect["error"] == "ErrorInsufficientIdentifiers")
        return
    path = path_of(case["type"], case["args"])
    assert path == expect["key"]
    if expect.get("parsed") is not None:
        assert described(keys.parse(path)) == expect["parsed"]


def _is_read_for_its_meaning(case):
    """Whether our record of the object keeps its meaning only, not its text (see the topic ipam-sequences)."""
    return case["type"] in ("IPAMBlock", "IPAMConfigV1")


@pytest.mark.parametrize("case", [*cases("key")])
def test_value_of_an_internal_object(case):
    """Each internal object is stored as Calico stores it."""
    if "value" not in case["expect"] or _is_read_for_its_meaning(case):
        return
    given = go_json(case["in_value"])
    if case["type"] == "BlockAffinityV1":
        given = records.encode_affinity(AffinityState(records.decode_affinity(given).state))
    elif case["type"] == "IPAMHandle":
        given = records.encode_handle(records.decode_handle(given))
    assert json.loads(given) == json.loads(case["expect"]["value"])


def test_internal_values_left_out():
    """Blocks and configurations are compared elsewhere."""
    found = [parameter.values[0] for parameter in cases("key")]
    if found[0] is None:
        pytest.skip("PERCALE_VECTORS is not set")
    left_out = sum("value" in case["expect"] and _is_read_for_its_meaning(case) for case in found)
    print(f"{left_out} of {len(found)} values left out: their records keep the meaning only")


@pytest.mark.parametrize("case", cases("list"))
def test_list(case):
    """Each list reads the range that Calico reads."""
    found = range_of(case["type"], case["args"], case["prefix"])
    assert found.start == case["expect"]["range_key"]
    assert bool(found.end) == case["expect"]["is_prefix"]


@pytest.mark.parametrize("case", cases("parse"))
def test_parse(case):
    """Each key means what Calico takes it for, or nothing."""
    assert described(keys.parse(case["key"])) == case["expect"]["parsed"]


@pytest.mark.parametrize("case", cases("create"))
def test_create(case, record_property):
    """A create stores Calico's key and value, and returns the same object."""
    expect = case["expect"]
    (document,) = read_documents(json.dumps(case["resource"]))
    resource = document.resource
    with SQLiteKeyValue(None) as store:
        client = Client(CalicoDatastore(store))
        client.initialise()
        before = store.revision
        if "error" in expect:
            with pytest.raises(tuple(ERRORS)) as error:
                client.create(resource)
            assert ERRORS[error.type] == expect["error"]
            return
        created = client.create(resource)
        items = store.range(keys.CALICO, keys.KeyRange.prefix(keys.CALICO).end).items
        puts = [item for item in items if item.mod_revision > before]
        assert [put.key for put in puts] == [put["key"] for put in expect["puts"]]
        for ours, theirs in zip(puts, expect["puts"], strict=True):
            assert json.loads(ours.value) == json.loads(theirs["value"])
            record_property("same_bytes", ours.value.decode() == theirs["value"])
        assert _shown(created) == expect["returned"]
        assert _shown(client.get(case["kind"], created.name, created.namespace)) == expect["get"]


def test_share_of_identical_bytes():
    """Most stored values are identical to Calico's byte for byte, not only as JSON."""
    wanted = cases("create")
    if wanted[0].values[0] is None:
        pytest.skip("PERCALE_VECTORS is not set")
    same = total = 0
    for parameter in wanted:
        (case,) = parameter.values
        for put in case["expect"].get("puts", ()):
            with SQLiteKeyValue(None) as store:
                client = Client(CalicoDatastore(store))
                client.initialise()
                client.create(read_documents(json.dumps(case["resource"]))[0].resource)
                same += store.get(put["key"]).value.decode() == put["value"]
                total += 1
    print(f"{same} of {total} values are the same bytes")
    assert same >= total * 0.9


def _shown(resource):
    return json.loads(go_json(to_builtins(resource.with_metadata(resource_version=""))))
