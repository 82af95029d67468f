# SPDX-License-Identifier: Apache-2.0
"""What a program gets from the client: defaults, checks, conflicts, collections, watches."""

from __future__ import annotations

import pytest
from tests.client.documents import endpoint, network_set, policy, pool, tier

import percale
from percale.client import Client
from percale.datastore.keys import BlockKey
from percale.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    NotSupported,
    Refused,
    ValidationError,
)
from percale.resources import (
    BGPPeer,
    BGPPeerSpec,
    ClusterInformation,
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    Key,
    NetworkSet,
    NetworkSetSpec,
    ObjectMeta,
    Profile,
    Rule,
    TierSpec,
)


def fields(error):
    return [problem.calico_name for problem in error.value.problems]


class TestConnect:
    def test_embedded_store_is_made_ready(self, tmp_path):
        """A new file has the built-in tiers, and keeps what is written."""
        with percale.connect(tmp_path / "new" / "store") as client:
            client.network_sets.create(network_set("offices", "192.0.2.0/24"))
        with percale.connect(tmp_path / "new" / "store") as client:
            assert client.network_sets.get("offices", "ns1").spec.nets == ("192.0.2.0/24",)
            assert [found.name for found in client.tiers.list()] == ["default", "kube-admin", "kube-baseline"]
            assert client.notice == ""

    def test_environment_names_the_file(self, tmp_path, monkeypatch):
        """Without a path the variable decides."""
        monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "here"))
        with percale.connect():
            assert (tmp_path / "here").exists()

    def test_notice_of_a_hidden_store(self, tmp_path, monkeypatch):
        """While a user's own store is empty the machine's one is mentioned, afterwards no more."""
        from percale.datastore import location

        hidden = location.Location(tmp_path / "own", tmp_path / "system")
        monkeypatch.setattr(location, "locate", lambda path: hidden)
        with percale.connect() as client:
            assert str(tmp_path / "system") in client.notice
            client.create(network_set("a"))
        with percale.connect() as client:
            assert client.notice == ""

    def test_unknown_attribute(self):
        """Only ``connect`` is made when it is asked for."""
        with pytest.raises(AttributeError):
            _ = percale.disconnect


class TestCreate:
    def test_defaults_are_filled_in(self, client):
        """A created resource has the name, labels and defaults that Calico gives it."""
        created = client.workload_endpoints.create(endpoint("pod", "192.0.2.1/32"))
        assert created.name == "n--1-k8s-pod-eth0"
        assert created.labels["projectcalico.org/orchestrator"] == "k8s"
        assert client.create(tier("t1")).spec == TierSpec(order=10, default_action="Deny")
        assert client.create(pool("p", "192.0.2.0/24")).spec.block_size == 26

    def test_all_problems_at_once(self, client):
        """A refusal names every field that is wrong, and nothing is stored."""
        wrong = endpoint("pod", "300.0.0.1")
        wrong = wrong.replace(spec=wrong.spec.replace(mac="x"))
        with pytest.raises(ValidationError) as error:
            client.create(wrong)
        assert {"IPNetworks[0]", "MAC"} <= set(fields(error))
        assert client.list("wep").items == []

    @pytest.mark.parametrize("verb", ["create", "apply"])
    def test_lists_are_checked_as_tuples(self, client, verb):
        """Python's lists are as good as tuples: looked into by every check, and returned as they are stored."""
        rule = Rule(action="Bogus", destination=EntityRule(ports=[80]))
        wrong = GlobalNetworkPolicy(metadata=ObjectMeta(name="p"), spec=GlobalNetworkPolicySpec(ingress=[rule]))
        with pytest.raises(ValidationError, match="'Bogus' is not one of"):
            getattr(client, verb)(wrong)
        given = network_set("a").replace(spec=NetworkSetSpec(nets=["192.0.2.0/24"]))
        assert getattr(client, verb)(given) == client.network_sets.get("a", "ns1")

    def test_version_must_not_be_given(self, client):
        """A resource that was read is not new."""
        with pytest.raises(ValidationError) as error:
            client.create(network_set("a", resource_version="7"))
        assert fields(error) == ["Metadata.ResourceVersion"]

    def test_policy_needs_its_tier(self, client):
        """A policy of a tier that is not there is refused before anything else."""
        with pytest.raises(NotFound) as error:
            client.create(policy("p", "nowhere"))
        assert error.value.calico_text == "resource does not exist: Tier(nowhere) with error: <nil>"
        client.create(tier("nowhere"))
        client.create(policy("p", "nowhere"))

    def test_peer_needs_its_filters(self, client):
        """Each missing filter of a peer is a problem."""
        spec = BGPPeerSpec(peer_ip="192.0.2.1", as_number=64512, filters=("f", "g"))
        with pytest.raises(ValidationError) as error:
            client.create(BGPPeer(metadata=ObjectMeta(name="p"), spec=spec))
        assert fields(error) == ["BGPPeer.Spec.Filters"] * 2

    def test_singleton(self, client):
        """There is one ClusterInformation."""
        with pytest.raises(Refused):
            client.create(ClusterInformation(metadata=ObjectMeta(name="other")))

    def test_default_allow_profile_exists(self, client):
        """The virtual profile can't be created."""
        with pytest.raises(AlreadyExists):
            client.create(Profile(metadata=ObjectMeta(name="projectcalico-default-allow")))


class TestPools:
    def test_overlap(self, client):
        """A pool may touch another one, not overlap it."""
        client.create(pool("one", "192.0.2.0/25"))
        client.create(pool("two", "192.0.2.128/25"))
        with pytest.raises(ValidationError) as error:
            client.create(pool("three", "192.0.2.0/24"))
        assert fields(error) == ["IPPool.Spec.CIDR"] * 2

    @pytest.mark.parametrize("cidr", ["", "192.0.2.0", "192.0.2.1/24", "x"])
    def test_cidr_is_a_network(self, client, cidr):
        """A pool needs a prefix length and no host bits."""
        with pytest.raises(ValidationError) as error:
            client.create(pool("p", cidr))
        assert "IPPool.Spec.CIDR" in fields(error)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"cidr": "192.0.2.0/25"}, "IPPool.Spec.CIDR"),
            ({"block_size": 27}, "IPPool.Spec.BlockSize"),
            ({"allowed_uses": ("Workload",)}, "IPPool.Spec.AllowedUses"),
        ],
    )
    def test_what_cannot_change(self, client, changes, field):
        """Network, block size and the use for load balancers are decided once."""
        created = client.create(pool("p", "192.0.2.0/24", allowed_uses=("LoadBalancer",)))
        with pytest.raises(ValidationError) as error:
            client.update(created.replace(spec=created.spec.replace(**changes)))
        assert fields(error) == [field]
        client.update(created.replace(spec=created.spec.replace(disabled=True, block_size=0)))

    def test_blocks_in_use_decide_the_size(self, client):
        """A pool can't cover blocks of another size."""
        client.datastore.keyvalue.put(BlockKey("192.0.2.0/27").path, b"{}")
        with pytest.raises(ValidationError) as error:
            client.create(pool("p", "192.0.2.0/24"))
        assert fields(error) == ["IPPool.Spec.BlockSize"]
        client.create(pool("p", "192.0.2.0/24", block_size=27))
        client.create(pool("q", "198.51.100.0/24"))


class TestUpdate:
    def test_what_was_read_can_be_written(self, client):
        """An update replaces the version that was read, once."""
        created = client.create(network_set("a", "192.0.2.1"))
        changed = created.replace(spec=NetworkSetSpec(nets=("192.0.2.2",)))
        assert client.update(changed) == client.get(NetworkSet, "a", "ns1")
        with pytest.raises(Conflict):
            client.update(changed)

    @pytest.mark.parametrize(
        ("missing", "field"),
        [
            ("resource_version", "Metadata.ResourceVersion"),
            ("creation_timestamp", "Metadata.CreationTimestamp"),
            ("uid", "Metadata.UID"),
        ],
    )
    def test_bookkeeping_is_required(self, client, missing, field):
        """An update is of something that was read, with all its bookkeeping."""
        created = client.create(network_set("a"))
        with pytest.raises(ValidationError) as error:
            client.update(created.with_metadata(**{missing: ""}))
        assert fields(error) == [field]

    def test_endpoint_keeps_its_identity(self, client):
        """An update can't turn an endpoint into another one."""
        created = client.create(endpoint("pod"))
        with pytest.raises(ValidationError) as error:
            client.update(created.replace(spec=created.spec.replace(pod="other")))
        assert fields(error) == ["Name"]


class TestApply:
    def test_creates_or_replaces(self, client):
        """Apply does not need to know whether the resource is there; bookkeeping stays, labels are the new ones."""
        first = client.apply(network_set("a", "192.0.2.1", labels={"old": "yes"}))
        second = client.apply(network_set("a", "192.0.2.2", labels={"new": "yes"}, uid="ignored"))
        assert second.metadata.uid == first.metadata.uid
        assert second.labels == {"new": "yes"}
        assert second.spec.nets == ("192.0.2.2",)
        assert client.network_sets.get("a", "ns1") == second

    def test_given_version_must_be_the_stored_one(self, client):
        """With a version apply is as strict as an update; on a new resource it does not count."""
        first = client.apply(network_set("a", resource_version="4711"))
        client.apply(network_set("a", resource_version=first.metadata.resource_version))
        with pytest.raises(Conflict):
            client.apply(network_set("a", resource_version=first.metadata.resource_version))

    def test_replace_needs_something(self, client):
        """Replace does not create."""
        with pytest.raises(NotFound):
            client.replace(network_set("a"))
        client.create(network_set("a"))
        assert client.replace(network_set("a", "192.0.2.1")).spec.nets == ("192.0.2.1",)


class TestDelete:
    def test_tier_in_use(self, client):
        """A tier with policies stays, and the error names one of them; an empty one goes."""
        client.create(tier("t1"))
        client.create(policy("p", "t1"))
        with pytest.raises(NotSupported, match=r"NetworkPolicy\(ns1/p\)"):
            client.delete("tier", "t1")
        client.delete("policy", "p", "ns1")
        assert client.tiers.delete("t1").name == "t1"

    @pytest.mark.parametrize("name", ["default", "kube-admin", "kube-baseline"])
    def test_built_in_tiers_stay(self, client, name):
        """The tiers that every datastore has can't be deleted."""
        with pytest.raises(NotSupported):
            client.delete("Tier", name)

    def test_old_version(self, client):
        """A delete of a given version leaves a newer one alone."""
        created = client.create(network_set("a"))
        client.update(created)
        with pytest.raises(Conflict):
            client.network_sets.delete("a", "ns1", resource_version=created.metadata.resource_version)


class TestWatch:
    def test_begins_with_what_is_there(self, client):
        """Without a revision a watch first tells what exists, then what happens; the virtual profile is left out."""
        client.create(network_set("a"))
        with client.watch("NetworkSet") as watch, client.profiles.watch() as profiles:
            client.network_sets.delete("a", "ns1")
            assert [event.type for event in watch.poll(5)] == ["ADDED"]
            assert [event.type for event in watch.poll(5)] == ["DELETED"]
            assert not profiles.poll(0)

    def test_from_a_revision(self, client):
        """With a revision it tells what happened since then."""
        created = client.create(network_set("a"))
        client.create(network_set("b"))
        with client.network_sets.watch("ns1", revision=created.metadata.resource_version) as watch:
            (event,) = watch.poll(5)
            assert event.resource.name == "b"
            assert watch.revision.is_at_or_after(event.revision)


class TestKinds:
    def test_kinds_by_class_name_and_alias(self, client):
        """A kind can be named in three ways; a namespace on a global kind does not count."""
        client.create(network_set("a"))
        for kind in (NetworkSet, "NetworkSet", "netsets"):
            assert client.get(kind, "a", "ns1").name == "a"
        assert client.get("tier", "default", "anything").name == "default"
        with pytest.raises(ValueError, match="no kind 'spoon'"):
            client.get("spoon", "a")

    def test_every_kind_has_its_collection(self, client):
        """All kinds that the datastore supports are members of the client, listed through the right kind."""
        collections = {name for name in vars(Client) if not name.startswith("_")}
        found = [getattr(client, name) for name in collections if hasattr(getattr(client, name), "kind")]
        supported = {kind for kind in percale.resources.KINDS if client.datastore.supports("list", kind)}
        assert {collection.kind for collection in found} == supported

    def test_history(self, client):
        """A collection can be read as it was."""
        created = client.create(network_set("a", "192.0.2.1"))
        client.network_sets.delete("a", "ns1")
        version = created.metadata.resource_version
        assert client.network_sets.list(revision=version) == [created]
        assert client.network_sets.get("a", "ns1", revision=version) == created
        assert client.list(NetworkSet).items == []

    def test_key_of_what_is_missing(self, client):
        """The error tells kind, name and namespace."""
        with pytest.raises(NotFound) as error:
            client.network_sets.get("a", "ns1")
        assert Key(error.value.kind, error.value.namespace, error.value.name) == Key("NetworkSet", "ns1", "a")
