# SPDX-License-Identifier: Apache-2.0
"""One session of Calico's client with a real etcd, replayed on our client, step by step (topic etcd-session)."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
from tests.datastore.etcd_server import EtcdServer

from percale.client import Client
from percale.datastore.calico import CalicoDatastore
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keys import resource_path
from percale.datastore.keyvalue import EVERYTHING
from percale.datastore.sqlite import SQLiteKeyValue
from percale.errors import (
    AlreadyExists,
    Compacted,
    Conflict,
    FutureRevision,
    NotFound,
    NotSupported,
    PercaleError,
    Unreadable,
    ValidationError,
)
from percale.resources import DEFAULT_ALLOW_PROFILE, KINDS, Key, decode_json, go_json, to_builtins

CLASSES = {
    ValidationError: "ErrorValidation",
    NotFound: "ErrorResourceDoesNotExist",
    AlreadyExists: "ErrorResourceAlreadyExists",
    Conflict: "ErrorResourceUpdateConflict",
    NotSupported: "ErrorOperationNotSupported",
    Unreadable: "ErrorParsingDatastoreEntry",
    Compacted: "ErrorDatastoreError",
    FutureRevision: "ErrorDatastoreError",
}
UID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
TIME = "2026-01-02T03:04:05Z"
IN_METADATA = {"name", "ns", "uid", "rv", "annotations", "labels"}
NOT_IN_SPEC = {*IN_METADATA, "kind", "ttl", "note", "prefix"}


def steps():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        pytest.skip("PERCALE_VECTORS is not set")
    with (Path(folder) / "etcd-session.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(params=["sqlite", "etcd"])
def store(request, tmp_path):
    """An empty store of each kind."""
    if request.param == "sqlite":
        with SQLiteKeyValue(tmp_path / "store") as opened:
            yield opened
        return
    with EtcdServer.serving(tmp_path) as server, EtcdKeyValue(EtcdSettings((server.endpoint,))) as opened:
        opened.delete("\0", EVERYTHING)
        yield opened


class Session:
    """The client under test, and the translation of the recording's revisions."""

    def __init__(self, store):
        self.store = store
        self.client = Client(CalicoDatastore(store))
        self.client.initialise(version="v0.0.0", cluster_type="test")
        self.base = store.revision

    def play(self, step):
        """Return what the step came to, in the recording's form."""
        args = step["args"]
        try:
            return getattr(self, f"_{step['op']}")(args), None
        except PercaleError as error:
            kind = next(name for cls, name in CLASSES.items() if isinstance(error, cls))
            told = {"type": kind}
            if isinstance(error, ValidationError):
                told["fields"] = [problem.calico_name for problem in error.problems if problem.cited]
            current = getattr(error, "current", None)
            return (self.shown(current) if current is not None else None), told

    def shown(self, resource):
        """Return a resource with its revision relative to the end of the initialisation."""
        document = json.loads(go_json(to_builtins(resource)))
        literal = resource.key == ("Profile", "", DEFAULT_ALLOW_PROFILE)
        version = document["metadata"].pop("resourceVersion", None)
        if version is not None:
            document["metadata"]["resourceVersion"] = version if literal else int(version) - self.base
        return document

    def revision(self, value):
        match value:
            case None:
                return ""
            case int():
                return str(value + self.base)
            case _:
                return value

    def _resource(self, args, metadata):
        kind = args["kind"]
        spec = {name: value for name, value in args.items() if name not in NOT_IN_SPEC}
        members = {"name": args.get("name", ""), "uid": args.get("uid", UID), "creationTimestamp": TIME, **metadata}
        members |= {name: args[name] for name in ("annotations", "labels") if name in args}
        if "ns" in args:
            members["namespace"] = args["ns"]
        return decode_json(json.dumps({"metadata": members, "spec": spec}), kind)

    def _create(self, args):
        resource = self._resource(args, {})
        return self.shown(self.client.create(resource, ttl_s=args.get("ttl", 0)))

    def _update(self, args):
        version = self.revision(args.get("rv"))
        if version == "current":
            version = self.client.get(args["kind"], args["name"], args.get("ns", "")).metadata.resource_version
        resource = self._resource(args, {"resourceVersion": version})
        return self.shown(self.client.update(resource, ttl_s=args.get("ttl", 0)))

    def _get(self, args):
        revision = self.revision(args.get("rv"))
        return self.shown(self.client.get(args["kind"], args["name"], args.get("ns", ""), revision=revision))

    def _delete(self, args):
        return self.shown(
            self.client.delete(
                args["kind"],
                args["name"],
                args.get("ns", ""),
                resource_version=self.revision(args.get("rv")),
                uid=args.get("uid", ""),
            )
        )

    def _list(self, args):
        found = self.client.list(
            args["kind"],
            args.get("ns", ""),
            name=args.get("name", ""),
            prefix=args.get("prefix", False),
            revision=self.revision(args.get("rv")),
        )
        return {
            "apiVersion": "projectcalico.org/v3",
            "kind": f"{found.kind}List",
            "metadata": {"resourceVersion": int(str(found.revision)) - self.base},
            "items": [self.shown(item) for item in found.items],
        }

    def _raw_put(self, args):
        self.store.put(args["key"], args["value"].encode())

    def _compact(self, args):
        self.store.compact(args["rv"] + self.base)


def watched(session, watch):
    """Return the events until it is quiet, in the recording's form."""
    events = []
    try:
        while (batch := watch.poll(0.5)) is not None:
            for event in batch:
                shown = {"type": event.type}
                if event.resource is not None:
                    shown["object"] = session.shown(event.resource)
                if event.previous is not None:
                    shown["previous"] = session.shown(event.previous)
                if event.problem is not None:
                    shown["error"] = {"type": "ErrorParsingDatastoreEntry"}
                events.append(shown)
    except Compacted:
        events += [{"type": "ERROR", "error": {"type": "other"}}, {"type": "CLOSED"}]
    return events


def play_watch(session, step, events):
    """Watch as the step says; what the recording did meanwhile is known from the events it saw."""
    args = step["args"]
    revision = session.revision(args.get("rv"))
    with session.client.watch(args["kind"], args.get("ns", ""), revision=revision) as watch:
        if revision:
            return watched(session, watch)
        first = watched(session, watch)
        for event in events[len(first) :]:
            repeat(session, event)
        return first + watched(session, watch)


def repeat(session, event):
    """Make the change that an event tells of."""
    document = event.get("object") or event["previous"]
    document = {**document, "metadata": {**document["metadata"]}}
    del document["metadata"]["resourceVersion"]
    resource = decode_json(json.dumps(document), document["kind"])
    match event["type"]:
        case "ADDED":
            session.client.create(resource)
        case "MODIFIED":
            stored = session.client.get(resource.kind, resource.name, resource.namespace)
            version = stored.metadata.resource_version
            session.client.update(resource.with_metadata(resource_version=version))
        case "DELETED":
            session.client.delete(resource.kind, resource.name, resource.namespace)


def catch_up(session, step, previous):
    """Make the writes that the recording tool did around a watch without telling, but that its revisions count."""
    metadata = (step.get("result") or {}).get("metadata", {})
    writes = step["op"] in ("create", "update") and not step["error"]
    if previous["op"] != "watch" or not writes:
        return 0
    missing = metadata["resourceVersion"] - 1 - (session.store.revision - session.base)
    for _ in range(missing):
        session.store.put("/unrecorded", b"")
    return missing


def without_notes(step, document):
    """Apply what a step's note says was removed from the recording."""
    note = step["args"].get("note", "")
    if document is None or "removed" not in note:
        return document
    for item in document.get("items", [document]):
        for name in ("uid", "creationTimestamp"):
            item["metadata"].pop(name, None)
        if "GUID" in note:
            item["spec"]["clusterGUID"] = f"len{len(item['spec']['clusterGUID'])}"
    return document


def test_session(store):
    """Every step has the recorded result, error and events; every revision is the recorded one."""
    session = Session(store)
    recorded = steps()
    possible = [step for step in recorded if step["args"].get("kind", "NetworkSet") in KINDS]
    print(f"{len(recorded) - len(possible)} of {len(recorded)} steps left out: their kinds do not exist here")
    unrecorded = 0
    for previous, step in pairwise([{"op": "start"}, *possible]):
        unrecorded += catch_up(session, step, previous)
        if step["op"] == "watch":
            assert play_watch(session, step, step["events"]) == step["events"], step["step"]
            continue
        result, error = session.play(step)
        assert (error, without_notes(step, result)) == (step["error"], step["result"]), step["step"]
        if "has_lease" in step:
            args = step["args"]
            item = store.get(resource_path(Key(args["kind"], args["ns"], args["name"])))
            assert bool(item.lease) == step["has_lease"], step["step"]
            if item.lease:
                assert store.lease_keepalive(item.lease) == step["granted_ttl"], step["step"]
    print(f"{unrecorded} revisions of the recording belong to no step")
