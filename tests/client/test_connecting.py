# SPDX-License-Identifier: Apache-2.0
"""Datastores named by a value, and handed on to other programs."""

import os

import pytest

from percale.client import DatastoreConfig, connect
from percale.client.datastore_config import named_datastore, variables_of
from percale.errors import Refused


def test_etcd_is_opened_by_its_urls():
    """A place that is no path is an etcd, which is asked only when it is needed."""
    with connect("http://127.0.0.1:1,http://127.0.0.1:2") as client:
        assert client.datastore.supports("create", "WorkloadEndpoint")
        assert not client.datastore.capabilities.revision_times


def test_kubernetes_is_refused_with_what_can_be_used(tmp_path):
    """What another type than these needs is said."""
    from percale.client.connecting import OPENERS

    with pytest.raises(Refused, match="use etcd or the embedded datastore"):
        OPENERS["kubernetes"](DatastoreConfig("kubernetes"))


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
