# SPDX-License-Identifier: Apache-2.0
"""Operations on resources as a caller wants them: defaulted, validated, namespaced, on any datastore.

What only some operations need is imported by them: commands that only read start twice as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from percale.client.collections import CollectionOf
from percale.datastore.seams import Closable, Datastore, ResourceList, ResourceWatch
from percale.errors import NotFound
from percale.resources import DEFAULT_ALLOW_PROFILE, KINDS, Key, KindInfo, Resource, kind_named

if TYPE_CHECKING:
    from percale import resources as v3
    from percale.client.bulk import Outcome, Verb
    from percale.client.cascade import Addresses
    from percale.client.informer import Informer
    from percale.client.plan import Plan

__all__ = ["Client"]

R = TypeVar("R", bound=Resource)
Kind = str | type[Resource]


class Client(Closable):
    """What a program uses; closing it closes its datastore.

    A kind is named by its class, by its name, or as on the command line (``wep``). ``addresses`` is what deletes of
    nodes and pools use to give addresses back. ``notice`` is a line that a user should see once, or empty.
    """

    bgp_configurations: CollectionOf[v3.BGPConfiguration] = CollectionOf("BGPConfiguration")
    bgp_filters: CollectionOf[v3.BGPFilter] = CollectionOf("BGPFilter")
    bgp_peers: CollectionOf[v3.BGPPeer] = CollectionOf("BGPPeer")
    block_affinities: CollectionOf[v3.BlockAffinity] = CollectionOf("BlockAffinity")
    calico_node_statuses: CollectionOf[v3.CalicoNodeStatus] = CollectionOf("CalicoNodeStatus")
    cluster_informations: CollectionOf[v3.ClusterInformation] = CollectionOf("ClusterInformation")
    felix_configurations: CollectionOf[v3.FelixConfiguration] = CollectionOf("FelixConfiguration")
    global_network_policies: CollectionOf[v3.GlobalNetworkPolicy] = CollectionOf("GlobalNetworkPolicy")
    global_network_sets: CollectionOf[v3.GlobalNetworkSet] = CollectionOf("GlobalNetworkSet")
    host_endpoints: CollectionOf[v3.HostEndpoint] = CollectionOf("HostEndpoint")
    ip_pools: CollectionOf[v3.IPPool] = CollectionOf("IPPool")
    ip_reservations: CollectionOf[v3.IPReservation] = CollectionOf("IPReservation")
    ipam_configurations: CollectionOf[v3.IPAMConfiguration] = CollectionOf("IPAMConfiguration")
    kube_controllers_configurations: CollectionOf[v3.KubeControllersConfiguration] = CollectionOf(
        "KubeControllersConfiguration"
    )
    live_migrations: CollectionOf[v3.LiveMigration] = CollectionOf("LiveMigration")
    network_policies: CollectionOf[v3.NetworkPolicy] = CollectionOf("NetworkPolicy")
    network_sets: CollectionOf[v3.NetworkSet] = CollectionOf("NetworkSet")
    nodes: CollectionOf[v3.Node] = CollectionOf("Node")
    profiles: CollectionOf[v3.Profile] = CollectionOf("Profile")
    staged_global_network_policies: CollectionOf[v3.StagedGlobalNetworkPolicy] = CollectionOf(
        "StagedGlobalNetworkPolicy"
    )
    staged_kubernetes_network_policies: CollectionOf[v3.StagedKubernetesNetworkPolicy] = CollectionOf(
        "StagedKubernetesNetworkPolicy"
    )
    staged_network_policies: CollectionOf[v3.StagedNetworkPolicy] = CollectionOf("StagedNetworkPolicy")
    tiers: CollectionOf[v3.Tier] = CollectionOf("Tier")
    workload_endpoints: CollectionOf[v3.WorkloadEndpoint] = CollectionOf("WorkloadEndpoint")

    def __init__(self, datastore: Datastore, *, addresses: Addresses | None = None, notice: str = "") -> None:
        self.datastore = datastore
        self.addresses = addresses
        self.notice = notice

    def initialise(self, *, version: str = "", cluster_type: str = "") -> None:
        """Make an empty datastore ready; what is there already is left alone."""
        self.datastore.initialise(version=version, cluster_type=cluster_type)

    def create(self, resource: R, *, ttl_s: int = 0) -> R:
        """Store a new resource and return it as stored; raises ValidationError, AlreadyExists, NotFound (its tier)."""
        from percale.client.preparation import prepared
        from percale.client.view import View

        new = prepared("create", resource, None, View(self.datastore))
        if new.kind == "Node":
            self.datastore.initialise()
        return cast("R", self.datastore.create(new, ttl_s=ttl_s))

    def update(self, resource: R, *, ttl_s: int = 0) -> R:
        """Replace a resource that was read; raises ValidationError, NotFound, Conflict if it is not the newest."""
        from percale.client.preparation import prepared
        from percale.client.view import View

        old = self._old(resource)
        return cast("R", self.datastore.update(prepared("update", resource, old, View(self.datastore)), ttl_s=ttl_s))

    def apply(self, resource: R) -> R:
        """Create a resource, or replace the stored one whatever its version unless one is given.

        Of the metadata only name, namespace, labels and annotations count.
        """
        return self._single("apply", resource)

    def replace(self, resource: R) -> R:
        """Replace a stored resource as ``apply`` does; raises NotFound if there is none."""
        return self._single("replace", resource)

    @overload
    def get(self, kind: type[R], name: str, namespace: str = "", *, revision: str = "") -> R: ...
    @overload
    def get(self, kind: str, name: str, namespace: str = "", *, revision: str = "") -> Resource: ...
    def get(self, kind: Kind, name: str, namespace: str = "", *, revision: str = "") -> Any:
        """Return one resource, newest or as it was at a revision; raises NotFound, Unreadable."""
        return self.datastore.get(_key(kind, name, namespace), revision=revision)

    def list(
        self, kind: Kind, namespace: str = "", *, name: str = "", prefix: bool = False, revision: str = ""
    ) -> ResourceList:
        """Return all resources of a kind, or of one namespace, or by name or prefix of the name."""
        return self.datastore.list(_info(kind).kind, namespace=namespace, name=name, prefix=prefix, revision=revision)

    def delete(
        self, kind: Kind, name: str, namespace: str = "", *, resource_version: str = "", uid: str = ""
    ) -> Resource:
        """Delete a resource and return what it was; raises NotFound, Conflict, NotSupported.

        A node takes its endpoints and its configuration along, a pool gives its blocks back first.
        """
        from percale.client.prechecks import DELETE
        from percale.client.view import View

        key = _key(kind, name, namespace)
        for check in DELETE.get(key.kind, ()):
            check(key, View(self.datastore))
        if key.kind == "Node":
            from percale.client.cascade import release_node

            release_node(self.datastore, name, self.addresses)
        if key.kind == "IPPool":
            from percale.client.cascade import delete_pool

            return delete_pool(self.datastore, self.datastore.get(key), self.addresses, resource_version)
        return self.datastore.delete(key, resource_version=resource_version, uid=uid)

    def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        name: str = "",
        prefix: bool = False,
        revision: str = "",
        previous: bool = True,
    ) -> ResourceWatch:
        """Watch a kind after a revision; without one, what is there comes first as ADDED events."""
        from percale.client.watching import ListedWatch

        kinds = [_info(kind).kind]
        where: dict[str, Any] = {"namespace": namespace, "name": name, "prefix": prefix}
        if revision not in ("", "0"):
            after = self.datastore.parse_revision(revision)
            return self.datastore.watch(kinds, **where, after=after, previous=previous)
        listed = self.datastore.list(kinds[0], **where)
        stored = [item for item in listed.items if item.key != ("Profile", "", DEFAULT_ALLOW_PROFILE)]
        follow = self.datastore.watch(kinds, **where, after=listed.revision, previous=previous)
        return ListedWatch(ResourceList(listed.kind, listed.revision, stored, listed.problems), follow)

    @overload
    def informer(self, kind: type[R], namespace: str = "", *, name: str = "", prefix: bool = False) -> Informer[R]: ...
    @overload
    def informer(
        self, kind: str, namespace: str = "", *, name: str = "", prefix: bool = False
    ) -> Informer[Resource]: ...
    def informer(self, kind: Kind, namespace: str = "", *, name: str = "", prefix: bool = False) -> Any:
        """Keep a kind in a local cache that follows the datastore until it is closed; raises NotSupported."""
        from percale.client.informer import Informer

        return Informer(self.datastore, _info(kind).kind, namespace=namespace, name=name, prefix=prefix)

    def write(self, verb: Verb, documents: Sequence[Resource]) -> Sequence[Outcome]:
        """Create, apply or replace many documents in few transactions; a failure stays with its document."""
        from percale.client.bulk import write_documents

        return write_documents(self.datastore, verb, documents)

    def plan(self, verb: Verb, documents: Sequence[Resource]) -> Plan:
        """Return what ``write`` would do, without writing."""
        from percale.client.plan import plan_documents

        return plan_documents(self.datastore, verb, documents)

    def close(self) -> None:
        """Close the datastore."""
        self.datastore.close()

    def _single(self, verb: Verb, resource: R) -> R:
        (outcome,) = self.write(verb, [resource])
        if outcome.error is not None:
            raise outcome.error
        return cast("R", outcome.resource)

    def _old(self, resource: Resource) -> Resource | None:
        """Return what is stored, for the kinds whose changes are judged."""
        if resource.kind != "IPPool":
            return None
        try:
            return self.datastore.get(resource.key)
        except NotFound:
            return None


def _info(kind: Kind) -> KindInfo:
    if not isinstance(kind, str):
        return kind.info
    info = KINDS.get(kind) or kind_named(kind)
    if info is None:
        raise ValueError(f"there is no kind {kind!r}")
    return info


def _key(kind: Kind, name: str, namespace: str) -> Key:
    info = _info(kind)
    return Key(info.kind, namespace if info.namespaced else "", name)
