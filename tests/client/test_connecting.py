# SPDX-License-Identifier: Apache-2.0
"""Datastores named by a value, and handed on to other programs."""

import os

import pytest

from percale.client import DatastoreConfig, connect, connecting
from percale.client.datastore_config import named_datastore, variables_of
from percale.errors import Refused


def test_etcd_is_opened_by_its_urls():
    """A place that is no path is an etcd, which is asked only when it is needed."""
    with connect("http://127.0.0.1:1,http://127.0.0.1:2") as client:
        assert client.datastore.supports("create", "WorkloadEndpoint")
        assert not client.datastore.capabilities.revision_times


def test_kubernetes_is_refused_with_what_can_be_used(tmp_path):
    """What another type than these needs is said."""
    with pytest.raises(Refused, match="use etcd or the embedded datastore"):
        connecting.OPENERS["kubernetes"](DatastoreConfig("kubernetes"))


@pytest.mark.parametrize(
    "config",
    [
        DatastoreConfig(path=os.path.abspath("x.db")),
        DatastoreConfig(
            "etcdv3",
            settings={
                "datastoreType": "etcdv3",
                "etcdEndpoints": "https://192.0.2.1:2379",
                "etcdCACertFile": "/ca.pem",
            },
        ),
    ],
    ids=["file", "etcd"],
)
def test_another_program_finds_the_same(config):
    """The variables of a datastore name that datastore."""
    variables = variables_of(config)
    assert named_datastore(variables["PERCALE_DATASTORE"], variables) == config


def test_path_is_found_from_everywhere(tmp_path, monkeypatch):
    """A path that was given from here is handed on in full."""
    monkeypatch.chdir(tmp_path)
    assert variables_of(DatastoreConfig(path="x.db")) == {"PERCALE_DATASTORE": str(tmp_path / "x.db")}


def test_usual_place_needs_no_variable():
    """Nothing said is nothing handed on."""
    assert variables_of(DatastoreConfig()) == {}


def test_text_of_a_key_is_not_handed_on():
    """A key that no file holds would have to stand in a variable, and that is refused."""
    config = DatastoreConfig("etcdv3", settings={"etcdEndpoints": "https://192.0.2.1:2379", "etcdKey": "PEM"})
    with pytest.raises(Refused, match="etcdKey cannot be handed on"):
        variables_of(config)


@pytest.mark.parametrize("text", ["127.0.0.1:2379", "etcd-1.example:2379"])
def test_server_without_a_scheme(text, tmp_path, monkeypatch):
    """What looks like a server is not taken for a file by mistake; a file that is there is one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=f"Write http://{text} or https://{text}"):
        named_datastore(text, {})
    assert named_datastore(f"./{text}", {}).type == "sqlite"
    (tmp_path / text).touch()
    assert named_datastore(text, {}).type == "sqlite"


def test_reading_what_may_not_be_written(tmp_path, monkeypatch):
    """Who may only read a file reads it, and does not try to make it ready."""
    connect(tmp_path / "store").close()
    monkeypatch.setattr(connecting.os, "access", lambda path, mode: mode != os.W_OK)
    with connecting.OPENERS["sqlite"](DatastoreConfig(path=str(tmp_path / "store"), reading=True)) as client:
        assert len(client.list("Tier").items) == 3
        with pytest.raises(Refused, match="opened for reading only"):
            client.datastore.keyvalue.put("/a", b"")
