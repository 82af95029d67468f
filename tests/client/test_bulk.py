# SPDX-License-Identifier: Apache-2.0
"""Many documents at once, and what a plan says of them."""

from __future__ import annotations

import pytest
from tests.client.documents import network_set, policy, pool, tier

from percale.errors import AlreadyExists, Conflict, NotFound, StoreUnavailable, ValidationError
from percale.resources import KINDS, ClusterInformation, ObjectMeta


def errors(outcomes):
    return [type(outcome.error).__name__ if outcome.error else None for outcome in outcomes]


class TestWrite:
    def test_outcomes_are_in_order(self, client):
        """Each document has its outcome, whatever becomes of the others."""
        client.create(network_set("there"))
        wrong = network_set("wrong", "300.0.0.1")
        outcomes = client.write("create", [network_set("a"), network_set("there"), wrong, network_set("b")])
        assert errors(outcomes) == [None, "AlreadyExists", "ValidationError", None]
        assert [outcome.created for outcome in outcomes] == [True, False, False, True]
        assert [item.name for item in client.network_sets.list()] == ["a", "b", "there"]

    def test_documents_see_those_before_them(self, client):
        """A policy may follow its tier, and a pool must not overlap the one before it."""
        documents = [
            tier("t1"),
            policy("p", "t1"),
            policy("q", "t2"),
            tier("t2"),
            pool("one", "192.0.2.0/24"),
            pool("two", "192.0.2.0/25"),
        ]
        outcomes = client.write("create", documents)
        assert errors(outcomes) == [None, None, "NotFound", None, None, "ValidationError"]

    def test_same_document_twice(self, client):
        """The second of two equal names finds the first one."""
        assert errors(client.write("create", [network_set("a"), network_set("a")])) == [None, "AlreadyExists"]
        outcomes = client.write("apply", [network_set("b", "192.0.2.1"), network_set("b", "192.0.2.2")])
        assert errors(outcomes) == [None, None]
        assert [outcome.created for outcome in outcomes] == [True, False]
        assert client.network_sets.get("b", "ns1").spec.nets == ("192.0.2.2",)

    def test_few_transactions(self, client):
        """A thousand new documents, or existing ones, take a handful of transactions."""
        documents = [network_set(f"n{number}") for number in range(1000)]
        store = client.datastore.keyvalue
        for verb in ("apply", "apply"):
            before = store.statistics().transactions
            assert set(errors(client.write(verb, documents))) == {None}
            assert store.statistics().transactions - before <= 6
        assert set(errors(client.write("create", documents))) == {"AlreadyExists"}

    def test_create_keeps_only_what_people_decide(self, client):
        """A UID and other bookkeeping in a document do not count; a version is refused."""
        given = network_set("a", uid="mine", finalizers=("x/y",), labels={"l": "v"})
        (done,) = client.write("create", [given])
        assert done.resource.metadata.uid != "mine"
        assert (done.resource.metadata.finalizers, done.resource.labels) == ((), {"l": "v"})
        (refused,) = client.write("create", [network_set("b", resource_version="1")])
        assert isinstance(refused.error, ValidationError)

    def test_replace(self, client):
        """Replace changes what is there and refuses what is not."""
        client.create(network_set("a"))
        outcomes = client.write("replace", [network_set("a", "192.0.2.1"), network_set("b")])
        assert errors(outcomes) == [None, "NotFound"]

    def test_changed_meanwhile_is_tried_again(self, client, monkeypatch):
        """Somebody who is quicker does not make an apply without a version fail; with a version it conflicts."""
        created = client.create(network_set("a"))
        real, raced = client.datastore.write_many, []

        def racing(writes):
            if writes and writes[0].operation == "update" and len(raced) < 3:
                raced.append(client.update(client.network_sets.get("a", "ns1")))
            return real(writes)

        monkeypatch.setattr(client.datastore, "write_many", racing)
        assert client.apply(network_set("a", "192.0.2.1")).spec.nets == ("192.0.2.1",)
        assert len(raced) == 3
        raced.clear()
        version = client.network_sets.get("a", "ns1").metadata.resource_version
        (outcome,) = client.write("apply", [network_set("a", resource_version=version)])
        assert isinstance(outcome.error, Conflict)
        assert created.metadata.uid == client.network_sets.get("a", "ns1").metadata.uid

    def test_failing_store_ends_it(self, client):
        """A store that goes away is no outcome of a document."""
        client.close()
        with pytest.raises(StoreUnavailable):
            client.write("create", [network_set("a")])

    def test_nothing_to_write(self, client):
        """No documents are no outcomes."""
        assert client.write("apply", []) == []


class TestPlan:
    def test_actions(self, client):
        """A plan tells for each document what would become of it, and changes nothing."""
        client.write("apply", [network_set("same", "192.0.2.1"), network_set("other", "192.0.2.1")])
        before = client.datastore.keyvalue.revision
        plan = client.plan(
            "apply",
            [
                network_set("new"),
                network_set("same", "192.0.2.1"),
                network_set("other", "192.0.2.2"),
                network_set("wrong", "x"),
            ],
        )
        assert [change.action for change in plan.changes] == ["create", "keep", "change", "refuse"]
        assert [change.key.name for change in plan.refused] == ["wrong"]
        assert client.datastore.keyvalue.revision == before
        text = str(plan)
        assert "-  - 192.0.2.1" in text
        assert "+  - 192.0.2.2" in text
        assert list(plan.changes[1].diff()) == []

    def test_documents_see_those_before_them(self, client):
        """Each document is judged as if those before it were stored."""
        plan = client.plan(
            "create", [tier("t1"), policy("p", "t1"), pool("a", "192.0.2.0/24"), pool("b", "192.0.2.0/25")]
        )
        assert [change.action for change in plan.changes] == ["create", "create", "create", "refuse"]
        plan = client.plan("apply", [network_set("a"), network_set("a", "192.0.2.1")])
        assert [change.action for change in plan.changes] == ["create", "change"]

    def test_plan_agrees_with_the_write(self, client):
        """What a plan refuses is refused for the same reason, for every verb."""
        client.create(network_set("there"))
        documents = [network_set("there"), network_set("a"), policy("p", "nowhere"), network_set("x", "x")]
        for verb in ("create", "replace", "apply"):
            planned = [type(change.error) for change in client.plan(verb, documents).changes]
            assert planned == [type(outcome.error) for outcome in client.write(verb, documents)]

    @pytest.mark.parametrize(("verb", "error"), [("create", AlreadyExists), ("replace", NotFound)])
    def test_refusals_of_the_store(self, client, verb, error):
        """A plan foresees what the store would refuse."""
        client.create(network_set("there"))
        name = "there" if verb == "create" else "gone"
        (change,) = client.plan(verb, [network_set(name)]).changes
        assert isinstance(change.error, error)

    def test_any_kind(self, client):
        """A kind with a status of its own can be planned too."""
        assert "ClusterInformation" in KINDS
        plan = client.plan("replace", [ClusterInformation(metadata=ObjectMeta(name="default"))])
        assert [change.action for change in plan.changes] == ["change"]
