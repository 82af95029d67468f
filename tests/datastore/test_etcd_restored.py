# SPDX-License-Identifier: Apache-2.0
"""An etcd whose operator restores an older state: who followed it is told, and follows what is there now."""

from __future__ import annotations

import shutil
import time

import pytest
from tests.datastore.etcd_load import PATIENCE_S
from tests.datastore.etcd_server import EtcdServer

from percale.datastore.calico import CalicoDatastore
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keyvalue import EVERYTHING
from percale.datastore.seams import InSync, Resync, SyncerUpdate
from percale.datastore.syncer import DatastoreSyncer
from percale.errors import Compacted, Restored
from percale.resources import NetworkSet, NetworkSetSpec, ObjectMeta


class Restorable(EtcdServer):
    """An etcd that is saved as it is, and restored to that."""

    def save(self):
        """Keep the present state."""
        self.stop()
        shutil.copytree(self.folder / "data", self.folder / "saved")
        self.start()
        self.wait_until_ready()

    def restore(self):
        """Go back to what was saved."""
        self.stop()
        shutil.rmtree(self.folder / "data")
        shutil.copytree(self.folder / "saved", self.folder / "data")
        self.start()
        self.wait_until_ready()


@pytest.fixture
def server(tmp_path):
    with Restorable.serving(tmp_path) as started:
        yield started


@pytest.fixture
def store(server):
    with EtcdKeyValue(EtcdSettings((server.endpoint,), timeout_s=2.0)) as opened:
        yield opened


def network_set(name, *nets):
    return NetworkSet(metadata=ObjectMeta(name=name, namespace="default"), spec=NetworkSetSpec(nets=nets))


def test_watch_is_told(server, store, monkeypatch):
    """A watch of what will not happen again as it was ends, as one does whose history is gone, and says why."""
    monkeypatch.setattr("percale.datastore.etcd.watch._FAILURES", 1000)
    saved = store.put("/a", b"1")
    server.save()
    with store.watch("/", EVERYTHING) as watch:
        reached = store.put("/b", b"2")
        assert watch.poll(PATIENCE_S).revision == reached
        server.restore()
        for _ in range(2):
            with pytest.raises(
                Restored,
                match=f"^the datastore was at revision {reached} and is at {saved}: an older state was restored$",
            ):
                watch.poll(PATIENCE_S)


def test_lists_again_who_knows_only_compaction():
    """Restored is a sort of Compacted: the answer to both is to list again."""
    assert isinstance(Restored(2, 5), Compacted)


def test_member_that_lags_behind(store):
    """A server that has not heard of everything yet, as a member of a cluster may, has lost nothing."""
    first = store.put("/a", b"1")
    with store.watch("/", EVERYTHING) as watch:
        store.put("/a", b"2")
        assert watch.poll(PATIENCE_S)
        watch._check_restored(first)


@pytest.mark.parametrize("failures", [1, 1000], ids=["told that etcd is away", "told nothing"])
def test_syncer_follows_the_restored(server, store, monkeypatch, failures):
    """All differences are told, also where one revision has had another content before."""
    monkeypatch.setattr("percale.datastore.etcd.watch._FAILURES", failures)
    datastore = CalicoDatastore(store)
    made = datastore.create(network_set("same", "192.0.2.0/24"))
    server.save()
    with DatastoreSyncer(datastore, ["NetworkSet"]) as syncer:
        follow(syncer, lambda events: any(isinstance(event, InSync) for event in events))
        before = datastore.update(made.replace(spec=NetworkSetSpec(nets=("198.51.100.0/24",))))
        datastore.create(network_set("lost"))
        follow(syncer, lambda events: "lost" in told_of(events))
        server.restore()
        after = datastore.update(made.replace(spec=NetworkSetSpec(nets=("203.0.113.0/24",))))
        assert after.metadata.resource_version == before.metadata.resource_version
        told = follow(syncer, lambda events: told_of(events).get("same") == after and "lost" in told_of(events))
        assert told_of(told)["lost"] is None
        assert any(isinstance(event, Resync) and "an older state was restored" in event.reason for event in told)


def told_of(events):
    """The last that was told of each resource."""
    return {event.key.name: event.resource for event in events if isinstance(event, SyncerUpdate)}


def follow(syncer, enough):
    """Step until enough was told, and return it."""
    told, deadline = [], time.monotonic() + PATIENCE_S
    while not enough(told):
        assert time.monotonic() < deadline, told
        told += syncer.step(0.1)
    return told
