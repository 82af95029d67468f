# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate-policy-names`` on what old releases stored (spec/storage-etcd.md section 2)."""

import json

import pytest

from percale.client import connect

FOLDER = "/calico/resources/v3/projectcalico.org/networkpolicies/shop/"
DONE = "Policy name migration complete, migrated {} policies.\n"


@pytest.fixture
def stored(percale):
    """Store policies as they are written, under names of keys; return the names of keys that there are."""

    def store(**policies):
        with connect() as client:
            keyvalue = client.datastore.keyvalue
            for name, (spec, annotated) in policies.items():
                key = name.replace("_", ".")
                annotations = {"projectcalico.org/metadata": json.dumps({"name": annotated})} if annotated else {}
                metadata = {"name": key, "namespace": "shop", "uid": f"u-{name}", "annotations": annotations}
                document = {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": metadata}
                keyvalue.put(FOLDER + key, json.dumps(document | {"spec": spec}).encode())

    return store


def keys():
    with connect() as client:
        found = client.datastore.keyvalue.range(FOLDER, FOLDER[:-1] + "0").items
    return {item.key.removeprefix(FOLDER): json.loads(item.value) for item in found}


@pytest.mark.parametrize("spec", [{}, {"tier": "default"}])
@pytest.mark.parametrize("annotated", ["", "web"])
def test_the_prefix_goes(percale, stored, spec, annotated):
    """A policy of the default tier moves to the name by which it was shown all the time, and stays itself."""
    stored(default_web=(spec, annotated))
    assert percale("datastore", "migrate-policy-names") == (0, DONE.format(1), "")
    (policy,) = keys().values()
    assert list(keys()) == ["web"]
    assert policy["metadata"]["name"] == "web"
    assert policy["metadata"]["uid"] == "u-default_web"
    assert policy["metadata"]["annotations"]["projectcalico.org/metadata"] == '{"name":"web"}'
    assert percale("get", "np", "web", "-n", "shop").status == 0


@pytest.mark.parametrize(
    ("spec", "annotated"), [({"tier": "platform"}, ""), ({}, "default.web"), ({"tier": "platform"}, "default.web")]
)
def test_names_that_people_gave_stay(percale, stored, spec, annotated):
    """A name that begins with the tier's by its owner's choice is no prefix."""
    stored(default_web=(spec, annotated))
    assert percale("datastore", "migrate-policy-names") == (0, DONE.format(0), "")
    assert list(keys()) == ["default.web"]


def test_a_name_that_is_taken(percale, stored):
    """Where the short name is taken both policies stay, and a warning says which."""
    stored(default_web=({}, ""), web=({}, "web"))
    status, out, err = percale("datastore", "migrate-policy-names")
    assert (status, out) == (0, DONE.format(0))
    assert err.startswith("warning: NetworkPolicy(shop/default.web) keeps its name: NetworkPolicy(shop/web) exists")
    assert sorted(keys()) == ["default.web", "web"]
