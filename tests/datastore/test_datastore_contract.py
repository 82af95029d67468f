# SPDX-License-Identifier: Apache-2.0
"""The contract of Datastore: whole resources, on every backend."""

from __future__ import annotations

from itertools import pairwise

import pytest

from percale.datastore.keys import resource_path
from percale.datastore.seams import Put, Write
from percale.errors import (
    AlreadyExists,
    Compacted,
    Conflict,
    FutureRevision,
    NotFound,
    NotSupported,
    Unreadable,
    ValidationError,
)
from percale.resources import (
    ClusterInformation,
    Key,
    NetworkPolicy,
    NetworkPolicySpec,
    NetworkSet,
    NetworkSetSpec,
    ObjectMeta,
    Profile,
    Tier,
    TierSpec,
    decode_json,
)


def network_set(name, *nets, namespace="ns1", **metadata):
    return NetworkSet(metadata=ObjectMeta(name=name, namespace=namespace, **metadata), spec=NetworkSetSpec(nets=nets))


def key(name, namespace="ns1"):
    return Key("NetworkSet", namespace, name)


def nets(resource):
    return resource.spec.nets


def drain(watch, least=1):
    """Return the events that a watch has: it is given time for that many, and a moment for what should not come."""
    events = []
    while (batch := watch.poll(30 if len(events) < least else 0.2)) is not None:
        events += batch
    return events


def told(events):
    return [(event.type, event.key.name, event.resource and nets(event.resource)) for event in events]


class TestCreate:
    def test_new_resource_gets_its_bookkeeping(self, datastore):
        """A created resource has a UID, a time in whole seconds and a version, and is what get returns."""
        created = datastore.create(network_set("a", "192.0.2.0/24"))
        assert created.metadata.uid
        assert created.metadata.creation_timestamp == "2027-01-15T08:00:00Z"
        assert datastore.get(key("a")) == created

    def test_given_bookkeeping_is_kept(self, datastore):
        """A UID and a time of creation that the caller brings stay."""
        created = datastore.create(network_set("a", uid="u", creation_timestamp="2026-01-02T03:04:05Z"))
        assert (created.metadata.uid, created.metadata.creation_timestamp) == ("u", "2026-01-02T03:04:05Z")

    def test_second_create_is_refused_with_what_is_there(self, datastore):
        """The error of a create brings the existing resource."""
        created = datastore.create(network_set("a", "192.0.2.0/24"))
        with pytest.raises(AlreadyExists) as error:
            datastore.create(network_set("a"))
        assert error.value.current == created
        assert error.value.calico_text == "resource already exists: NetworkSet(ns1/a) with error: <nil>"

    @pytest.mark.parametrize(
        ("name", "namespace", "field"), [("a", "", "Metadata.Namespace"), ("", "ns1", "Metadata.Name")]
    )
    def test_identity_must_be_complete(self, datastore, name, namespace, field):
        """A namespaced resource needs a name and a namespace."""
        with pytest.raises(ValidationError) as error:
            datastore.create(network_set(name, namespace=namespace))
        assert [problem.calico_name for problem in error.value.problems] == [field]

    def test_names_differ_by_namespace(self, datastore):
        """The same name in two namespaces is two resources."""
        datastore.create(network_set("a", namespace="one"))
        datastore.create(network_set("a", namespace="two"))
        assert len(datastore.list("NetworkSet").items) == 2


class TestGet:
    def test_absent(self, datastore):
        """What is not there is not found."""
        with pytest.raises(NotFound) as error:
            datastore.get(key("a"))
        assert error.value.identity == "NetworkSet(ns1/a)"

    def test_older_revision(self, datastore):
        """A resource can be read as it was; the version tells which it was."""
        first = datastore.create(network_set("a", "192.0.2.1"))
        second = datastore.update(first.replace(spec=NetworkSetSpec(nets=("192.0.2.2",))))
        version = first.metadata.resource_version
        assert datastore.get(key("a"), revision=version) == first
        assert datastore.get(key("a"), revision=second.metadata.resource_version) == second
        assert datastore.get(key("a"), revision="0") == datastore.get(key("a")) == second

    def test_impossible_revisions(self, datastore):
        """A revision must be a number that was reached and is not compacted."""
        created = datastore.create(network_set("a"))
        newest = int(created.metadata.resource_version)
        with pytest.raises(FutureRevision):
            datastore.get(key("a"), revision=str(newest + 1))
        for text in ("abc", "-1", "1.5", "٣"):
            with pytest.raises(ValidationError) as error:
                datastore.get(key("a"), revision=text)
            assert error.value.problems[0].calico_name == "ResourceVersion"
        datastore.update(created)
        datastore.keyvalue.compact(newest + 1)
        with pytest.raises(Compacted):
            datastore.get(key("a"), revision=str(newest))


class TestUpdate:
    def test_update_of_the_current_version(self, datastore):
        """An update of what was read succeeds once; the stale copy conflicts and is told the current one."""
        created = datastore.create(network_set("a", "192.0.2.1"))
        updated = datastore.update(created.replace(spec=NetworkSetSpec(nets=("192.0.2.2",))))
        assert datastore.get(key("a")) == updated
        with pytest.raises(Conflict) as error:
            datastore.update(created)
        assert error.value.current == updated

    def test_version_zero_never_matches(self, datastore):
        """Version 0 conflicts with what exists and does not create what does not."""
        with pytest.raises(NotFound):
            datastore.update(network_set("a", resource_version="0"))
        datastore.create(network_set("a"))
        with pytest.raises(Conflict):
            datastore.update(network_set("a", resource_version="0"))

    def test_absent(self, datastore):
        """What is not there can't be updated, whatever the version."""
        with pytest.raises(NotFound):
            datastore.update(network_set("a", resource_version="1"))

    def test_version_is_required(self, datastore):
        """An update without a version is refused before the store is asked."""
        datastore.create(network_set("a"))
        with pytest.raises(ValidationError) as error:
            datastore.update(network_set("a"))
        assert error.value.problems[0].calico_name == "Metadata.ResourceVersion"

    def test_apply_needs_no_version(self, datastore):
        """The owner of a key stores without conditions, new or not."""
        datastore.apply(network_set("a", "192.0.2.1"))
        applied = datastore.apply(network_set("a", "192.0.2.2", resource_version="1"))
        assert datastore.get(key("a")) == applied
        assert nets(applied) == ("192.0.2.2",)


class TestDelete:
    def test_deleted_resource_is_returned(self, datastore):
        """A delete returns the last value with its last version."""
        created = datastore.create(network_set("a"))
        assert datastore.delete(key("a")) == created
        with pytest.raises(NotFound):
            datastore.delete(key("a"))

    def test_conditional_delete(self, datastore):
        """With a version only that version is deleted."""
        created = datastore.create(network_set("a"))
        updated = datastore.update(created)
        with pytest.raises(Conflict) as error:
            datastore.delete(key("a"), resource_version=created.metadata.resource_version)
        assert error.value.current == updated
        version = updated.metadata.resource_version
        assert datastore.delete(key("a"), resource_version=version) == updated
        with pytest.raises(NotFound):
            datastore.delete(key("a"), resource_version=version)

    def test_what_cannot_be_read_can_be_removed(self, datastore):
        """A delete of junk succeeds."""
        datastore.keyvalue.put(resource_path(key("a")), b"{not json")
        assert datastore.delete(key("a")).key == key("a")
        assert datastore.keyvalue.get(resource_path(key("a"))) is None


class TestList:
    @pytest.fixture
    def filled(self, datastore):
        for name, namespace in [("a", "ns1"), ("ab", "ns1"), ("a", "ns2"), ("b", "ns2")]:
            datastore.create(network_set(name, namespace=namespace))
        return datastore

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, ["ns1/a", "ns1/ab", "ns2/a", "ns2/b"]),
            ({"namespace": "ns1"}, ["ns1/a", "ns1/ab"]),
            ({"namespace": "ns"}, []),
            ({"namespace": "ns1", "name": "a"}, ["ns1/a"]),
            ({"namespace": "ns1", "name": "a", "prefix": True}, ["ns1/a", "ns1/ab"]),
            ({"name": "a"}, ["ns1/a", "ns2/a"]),
            ({"name": "a", "prefix": True}, ["ns1/a", "ns1/ab", "ns2/a"]),
        ],
    )
    def test_filters(self, filled, filters, expected):
        """Namespace, name and name prefix choose what is listed, in the order of keys."""
        found = filled.list("NetworkSet", **filters)
        assert [f"{item.namespace}/{item.name}" for item in found.items] == expected

    def test_list_at_a_revision(self, filled):
        """An older list shows the past, with the newest revision."""
        then = str(filled.list("NetworkSet").revision)
        filled.delete(key("a"))
        found = filled.list("NetworkSet", revision=then)
        assert len(found.items) == 4
        assert str(found.revision) == str(int(then) + 1)

    def test_pages_are_of_one_moment(self, filled):
        """A scan in small pages does not see what is written meanwhile."""
        pages = filled.scan(["NetworkSet"], page=2)
        first = next(pages)
        filled.delete(key("b", "ns2"))
        filled.create(network_set("c", namespace="ns2"))
        names = [entry.key.name for page in (first, *pages) for entry in page.entries]
        assert names == ["a", "ab", "a", "b"]

    def test_several_kinds_are_of_one_moment(self, filled):
        """A scan of several kinds reads all of them at the revision of the first."""
        filled.create(Tier(metadata=ObjectMeta(name="t1")))
        pages = filled.scan(["NetworkSet", "Tier"])
        first = next(pages)
        filled.create(Tier(metadata=ObjectMeta(name="t2")))
        rest = list(pages)
        assert [entry.key.name for page in rest for entry in page.entries] == ["t1"]
        assert {page.revision for page in rest} == {first.revision}

    def test_unreadable_values_are_reported(self, filled):
        """A list leaves out what it can't read, and says so; a get raises."""
        filled.keyvalue.put(resource_path(key("junk")), b"{not json")
        filled.keyvalue.put(resource_path(key("junk")) + "/deeper", b"{}")
        found = filled.list("NetworkSet")
        assert len(found.items) == 4
        assert [problem.subject for problem in found.problems] == ["NetworkSet(ns1/junk)"]
        with pytest.raises(Unreadable):
            filled.get(key("junk"))

    def test_a_value_nested_too_deep_is_unreadable(self, filled):
        """A value that no decoder can follow is reported like any other that is no resource."""
        filled.keyvalue.put(resource_path(key("deep")), b"[" * 5000 + b"]" * 5000)
        assert [problem.subject for problem in filled.list("NetworkSet").problems] == ["NetworkSet(ns1/deep)"]

    def test_empty(self, datastore):
        """A list of nothing is no error."""
        found = datastore.list("NetworkSet")
        assert (found.items, found.problems) == ([], [])
        assert found.revision == datastore.parse_revision(str(found.revision))


class TestBatch:
    def test_each_write_has_its_own_outcome(self, datastore):
        """Failures stay with their writes; the others are done."""
        datastore.create(network_set("there"))
        writes = [
            Write("create", key("a"), network_set("a")),
            Write("create", key("there"), network_set("there")),
            Write("update", key("gone"), network_set("gone", resource_version="1")),
            Write("create", key("x", ""), network_set("x", namespace="")),
            Write("delete", key("there")),
            Write("create", key("there"), network_set("there", "192.0.2.1")),
            Write("delete", key("gone")),
        ]
        outcomes = datastore.write_many(writes)
        assert [type(outcome.error).__name__ for outcome in outcomes] == [
            "NoneType", "AlreadyExists", "NotFound", "ValidationError", "NoneType", "NoneType", "NotFound",
        ]  # fmt: skip
        assert outcomes[0].resource == datastore.get(key("a"))
        assert outcomes[5].resource == datastore.get(key("there"))

    def test_many_writes_take_few_revisions(self, datastore):
        """A batch larger than one transaction is cut, and complete."""
        before = datastore.keyvalue.revision
        outcomes = datastore.write_many([Write("create", key(f"n{n}"), network_set(f"n{n}")) for n in range(1200)])
        assert all(outcome.error is None for outcome in outcomes)
        assert len(datastore.list("NetworkSet").items) == 1200
        assert datastore.keyvalue.revision - before <= 12


class TestWatch:
    def test_events(self, datastore):
        """Creation, change and removal are told with what was before, in order and with revisions."""
        start = datastore.list("NetworkSet").revision
        first = datastore.create(network_set("a", "192.0.2.1"))
        second = datastore.update(first.replace(spec=NetworkSetSpec(nets=("192.0.2.2",))))
        datastore.delete(key("a"))
        with datastore.watch(["NetworkSet"], after=start, previous=True) as watch:
            events = drain(watch, 3)
            assert [(event.type, event.resource, event.previous) for event in events] == [
                ("ADDED", first, None),
                ("MODIFIED", second, first),
                ("DELETED", None, second),
            ]
            assert all(later.revision.is_at_or_after(event.revision) for event, later in pairwise(events))
            assert watch.revision == datastore.list("NetworkSet").revision

    def test_previous_only_on_request(self, datastore):
        """Without the option events come without what was before."""
        with datastore.watch(["NetworkSet"]) as watch:
            datastore.create(network_set("a"))
            datastore.delete(key("a"))
            assert [event.previous for event in drain(watch, 2)] == [None, None]

    def test_filters(self, datastore):
        """Events are filtered as lists are."""
        with (
            datastore.watch(["NetworkSet"], namespace="ns1") as one,
            datastore.watch(["NetworkSet"], name="a", prefix=True) as two,
            datastore.watch(["NetworkSet"], namespace="ns2", name="a") as three,
        ):
            for name, namespace in [("a", "ns1"), ("ab", "ns1"), ("a", "ns2"), ("b", "ns2")]:
                datastore.create(network_set(name, namespace=namespace))
            seen = [
                [f"{event.key.namespace}/{event.key.name}" for event in drain(watch, least)]
                for watch, least in ((one, 2), (two, 3), (three, 1))
            ]
        assert seen == [["ns1/a", "ns1/ab"], ["ns1/a", "ns1/ab", "ns2/a"], ["ns2/a"]]

    def test_several_kinds_in_one_order(self, datastore):
        """A watch of several kinds tells their events in the order of writing, other kinds left out."""
        with datastore.watch(["Tier", "NetworkSet"]) as watch:
            datastore.create(network_set("one"))
            datastore.create(Tier(metadata=ObjectMeta(name="two")))
            datastore.create(Profile(metadata=ObjectMeta(name="not asked for")))
            datastore.create(network_set("three"))
            assert [event.key.name for event in drain(watch, 3)] == ["one", "two", "three"]

    def test_unreadable_value_does_not_end_the_watch(self, datastore):
        """A value that can't be read is an event of its own."""
        with datastore.watch(["NetworkSet"]) as watch:
            datastore.keyvalue.put(resource_path(key("junk")), b"{not json")
            datastore.create(network_set("a"))
            events = drain(watch, 2)
        assert [event.type for event in events] == ["ERROR", "ADDED"]
        assert events[0].problem.subject == "NetworkSet(ns1/junk)"

    def test_compacted_start(self, datastore):
        """A watch from lost history raises Compacted."""
        start = datastore.list("NetworkSet").revision
        for n in range(5):
            datastore.create(network_set(f"n{n}"))
        datastore.keyvalue.compact(datastore.keyvalue.revision)
        with datastore.watch(["NetworkSet"], after=start) as watch, pytest.raises(Compacted):
            watch.poll(5)


class TestTtl:
    def test_resource_lives_as_long_as_its_lease(self, datastore):
        """A write with a TTL attaches a lease, one without detaches it."""
        created = datastore.create(network_set("a"), ttl_s=30)
        path = resource_path(key("a"))
        assert datastore.keyvalue.get(path).lease
        datastore.update(created)
        assert not datastore.keyvalue.get(path).lease


class TestTimes:
    def test_times_of_revisions(self, datastore, clock):
        """Where the capability says so a revision has a time, and a time a revision; elsewhere that is refused."""
        created = datastore.create(network_set("a"))
        revision = datastore.parse_revision(created.metadata.resource_version)
        if not datastore.capabilities.revision_times:
            for ask in (lambda: datastore.revision_time(revision), lambda: datastore.revision_at(clock.now)):
                with pytest.raises(NotSupported):
                    ask()
            return
        assert datastore.revision_time(revision) == clock.now
        clock.now += 10
        datastore.update(created)
        assert datastore.revision_at(clock.now - 1) == revision


class TestLayout:
    def test_policy_carries_its_name_in_an_annotation(self, datastore):
        """The stored policy has the annotation, the one returned has not."""
        policy = NetworkPolicy(
            metadata=ObjectMeta(name="t1.p", namespace="ns1", annotations={"k": "v"}),
            spec=NetworkPolicySpec(tier="t1"),
        )
        datastore.create(policy)
        stored = decode_json(datastore.keyvalue.get(resource_path(policy.key)).value, NetworkPolicy)
        assert stored.metadata.annotations == {"k": "v", "projectcalico.org/metadata": '{"name":"t1.p"}'}
        read = datastore.get(policy.key)
        assert read.metadata.annotations == {"k": "v"}
        assert read.labels == {"projectcalico.org/tier": "t1"}

    def test_policy_stored_by_an_old_calico(self, datastore):
        """A name that was kept with its tier loses it when it is listed; the key keeps the old name."""
        stored = b'{"metadata":{"name":"default.old","namespace":"ns1"},"spec":{}}'
        datastore.keyvalue.put(resource_path(Key("NetworkPolicy", "ns1", "default.old")), stored)
        (policy,) = datastore.list("NetworkPolicy").items
        assert policy.name == "old"
        with pytest.raises(NotFound):
            datastore.get(Key("NetworkPolicy", "ns1", "old"))

    def test_resource_version_is_not_stored(self, datastore):
        """The version lives in the store's revisions only."""
        updated = datastore.update(datastore.create(network_set("a")))
        assert b"resourceVersion" not in datastore.keyvalue.get(resource_path(updated.key)).value

    def test_default_allow_profile_is_virtual(self, datastore):
        """The profile that allows everything is there without being stored, last in lists, and can't be written."""
        virtual = Key("Profile", "", "projectcalico-default-allow")
        stored = datastore.create(Profile(metadata=ObjectMeta(name="zz")))
        profile = datastore.get(virtual)
        assert profile.metadata.resource_version == "1"
        assert datastore.list("Profile").items == [stored, profile]
        assert datastore.list("Profile", name=virtual.name).items == [profile]
        assert datastore.list("Profile", name="project", prefix=True).items == []
        with pytest.raises(AlreadyExists):
            datastore.create(profile)
        for change in (lambda: datastore.update(profile), lambda: datastore.delete(virtual)):
            with pytest.raises(NotSupported):
                change()

    def test_built_in_tier_of_an_old_datastore(self, datastore):
        """A built-in tier stored without its numbers has them when it is read."""
        datastore.keyvalue.put(resource_path(Key("Tier", "", "default")), b'{"metadata":{"name":"default"},"spec":{}}')
        assert datastore.get(Key("Tier", "", "default")).spec == TierSpec(order=1_000_000, default_action="Deny")

    def test_internal_kinds_are_no_resources(self, datastore):
        """IPAM's records can't be reached as resources."""
        assert not datastore.supports("get", "IPAMBlock")
        assert datastore.supports("create", "WorkloadEndpoint")
        with pytest.raises(NotSupported):
            datastore.get(Key("IPAMBlock", "", "x"))


class TestInitialisation:
    def test_empty_store(self, datastore):
        """An empty store gets its cluster information and the three tiers, and nothing else."""
        datastore.initialise(version="v3.33.0", cluster_type="test")
        cluster = datastore.get(Key("ClusterInformation", "", "default"))
        assert len(cluster.spec.cluster_guid) == 32
        assert cluster.spec.replace(cluster_guid="") == type(cluster.spec)(
            cluster_type="test", calico_version="v3.33.0", datastore_ready=True
        )
        tiers = {tier.name: (tier.spec.order, tier.spec.default_action) for tier in datastore.list("Tier").items}
        assert tiers == {
            "default": (1_000_000, "Deny"),
            "kube-admin": (1_000, "Pass"),
            "kube-baseline": (10_000_000, "Pass"),
        }
        assert len(datastore.keyvalue.range("/", "\0").items) == 4

    def test_again(self, datastore):
        """The second time nothing is written."""
        datastore.initialise(version="v1", cluster_type="a,b")
        before = datastore.keyvalue.revision
        datastore.initialise(version="v1", cluster_type="b")
        datastore.initialise()
        assert datastore.keyvalue.revision == before

    def test_existing_cluster_is_completed(self, datastore):
        """Types are appended, the version replaced, a lock and an identity stay."""
        spec = {"cluster_guid": "g", "cluster_type": "a", "datastore_ready": False}
        datastore.create(
            ClusterInformation(metadata=ObjectMeta(name="default"), spec=ClusterInformation().spec.replace(**spec))
        )
        datastore.initialise(version="v2", cluster_type="a,b")
        found = datastore.get(Key("ClusterInformation", "", "default")).spec
        assert (found.cluster_guid, found.cluster_type, found.calico_version) == ("g", "a,b", "v2")
        assert found.datastore_ready is False

    def test_changed_tier_is_left_alone(self, datastore):
        """A tier that is there is not altered."""
        datastore.keyvalue.txn(
            (), [Put(resource_path(Key("Tier", "", "default")), b'{"metadata":{"name":"default"},"spec":{"order":5}}')]
        )
        datastore.initialise()
        assert datastore.get(Key("Tier", "", "default")).spec.order == 5
