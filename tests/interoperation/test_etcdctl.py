# SPDX-License-Identifier: Apache-2.0
"""An administrator at work with etcd's own command line while percale follows the same etcd."""

from __future__ import annotations

import os
import queue
import subprocess

import pytest
from tests.datastore.etcd_server import EtcdServer

from percale.datastore.copying import differences
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.seams import InSync
from percale.datastore.syncer import DatastoreSyncer
from percale.resources import Key, NetworkSet, NetworkSetSpec, ObjectMeta

PREFIX = "/calico/resources/v3/projectcalico.org/networksets/shop/"
PATIENCE_S = 60
VALUE = """{{
    "kind": "NetworkSet",
    "apiVersion": "projectcalico.org/v3",
    "metadata": {{"name": "{}", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}},
    "spec": {{"nets": ["{}"]}}
}}"""


class Follower:
    """What the agent's stream and a watch have told of network sets, as (name, nets) with None for deleted."""

    def __init__(self, datastore):
        self._events = queue.Queue()
        self._watch = datastore.watch(["NetworkSet"])
        self._syncer = DatastoreSyncer(datastore, ["NetworkSet"])
        self._syncer.start(lambda batch: [self._events.put(event) for event in batch])

    def __enter__(self):
        assert isinstance(self._events.get(timeout=PATIENCE_S), InSync)
        return self

    def __exit__(self, *_):
        self._watch.close()
        self._syncer.close()

    def told(self, number):
        """Return the next so many changes, which both have told alike."""
        streamed = [self._events.get(timeout=PATIENCE_S) for _ in range(number)]
        watched = []
        while len(watched) < number:
            watched += self._watch.poll(PATIENCE_S)
        assert [content(event) for event in watched] == [content(event) for event in streamed]
        return [content(event) for event in streamed]


def content(event):
    return event.key.name, event.resource and event.resource.spec.nets[0]


@pytest.fixture
def admin(etcdctl, etcd_server):
    """Run etcdctl on the server and return what it prints."""

    def run(*words, text=None):
        done = subprocess.run(
            [etcdctl, f"--endpoints={etcd_server.endpoint}", *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env=os.environ | {"ETCDCTL_API": "3"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def follower(client):
    """Somebody who follows from before the test's first change on."""
    with Follower(client.datastore) as following:
        yield following


def test_edits_are_followed(admin, follower, client):
    """Keys that are put, put again and deleted, alone and by their prefix, come as events of resources."""
    admin("put", f"{PREFIX}a", text=VALUE.format("a", "192.0.2.0/25"))
    admin("put", f"{PREFIX}b", text=VALUE.format("b", "192.0.2.128/25"))
    admin("put", f"{PREFIX}a", text=VALUE.format("a", "198.51.100.0/24"))
    admin("del", f"{PREFIX}b")
    admin("put", f"{PREFIX}c", text=VALUE.format("c", "203.0.113.0/24"))
    assert follower.told(5) == [
        ("a", "192.0.2.0/25"),
        ("b", "192.0.2.128/25"),
        ("a", "198.51.100.0/24"),
        ("b", None),
        ("c", "203.0.113.0/24"),
    ]
    admin("del", "--prefix", PREFIX)
    assert follower.told(2) == [("a", None), ("c", None)]
    assert not client.list("NetworkSet", "shop").items


def test_what_was_put_is_changed_by_percale(admin, follower, client):
    """A resource that an administrator wrote is updated against its revision, and etcdctl prints what is stored."""
    admin("put", f"{PREFIX}a", text=VALUE.format("a", "192.0.2.0/24"))
    found = client.get("NetworkSet", "a", "shop")
    client.update(found.replace(spec=NetworkSetSpec(nets=("198.51.100.0/24",))))
    assert '"nets":["198.51.100.0/24"]' in admin("get", "--print-value-only", f"{PREFIX}a")
    assert follower.told(2) == [("a", "192.0.2.0/24"), ("a", "198.51.100.0/24")]


def test_unreadable_value_is_followed(admin, follower, client):
    """What is no JSON is told as absent, and what is repaired afterwards as there."""
    admin("put", f"{PREFIX}a", text=VALUE.format("a", "192.0.2.0/24"))
    admin("put", f"{PREFIX}a", text="{")
    admin("put", f"{PREFIX}a", text=VALUE.format("a", "198.51.100.0/24"))
    assert follower.told(3) == [("a", "192.0.2.0/24"), ("a", None), ("a", "198.51.100.0/24")]


def test_upkeep_is_not_noticed(admin, follower, client, tmp_path):
    """Snapshots, compaction up to the newest revision and defragmentation cost who follows nothing."""
    admin("put", f"{PREFIX}a", text=VALUE.format("a", "192.0.2.0/24"))
    assert follower.told(1)  # both watches are open, so there is no history that they need
    expected = []
    for number in range(10):
        key = Key("NetworkSet", "shop", f"s{number}")
        created = client.create(
            NetworkSet(
                metadata=ObjectMeta(name=key.name, namespace="shop"), spec=NetworkSetSpec(nets=("192.0.2.1/32",))
            )
        )
        admin("snapshot", "save", str(tmp_path / f"{number}.db"))
        admin("compact", created.metadata.resource_version)
        admin("defrag")
        client.delete("NetworkSet", key.name, "shop")
        expected += [(key.name, "192.0.2.1/32"), (key.name, None)]
    assert follower.told(20) == expected


def test_restored_snapshot_is_the_same(admin, client, keyvalue, tmp_path):
    """An etcd that was restored from a snapshot holds the same keys and bytes."""
    admin("put", f"{PREFIX}a", text=VALUE.format("a", "192.0.2.0/24"))
    before = keyvalue.revision
    admin("snapshot", "save", str(tmp_path / "snapshot.db"))
    admin("put", f"{PREFIX}b", text=VALUE.format("b", "192.0.2.0/24"))
    other = EtcdServer(tmp_path, member=True)
    address = f"--name={other.name}", f"--initial-cluster={other.name}={other.peer}"
    peer = f"--initial-advertise-peer-urls={other.peer}"
    admin("snapshot", "restore", str(tmp_path / "snapshot.db"), f"--data-dir={tmp_path / 'data'}", *address, peer)
    try:
        other.start()
        other.wait_until_ready()
        with EtcdKeyValue(EtcdSettings((other.endpoint,))) as restored:
            assert list(differences(keyvalue, before, restored, restored.revision)) == []
    finally:
        other.stop()
