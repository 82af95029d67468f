# SPDX-License-Identifier: Apache-2.0
"""The cluster: everything that matters for policy, independent of any host.

`percale.policy` asks it about any endpoint, `percale.calc.calculation` projects it on one host. Endpoints are kept as
contributors; a policy is compiled when somebody first asks for its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self, TypeAlias, TypeVar

from percale.calc.address_book import AddressBook
from percale.calc.changes import (
    Change,
    ContributorChange,
    PolicyChange,
    PoolChange,
    ProfileChange,
    SliceChange,
    TierChange,
)
from percale.calc.compile import absent_profile, as_calico_policy, is_ignored
from percale.calc.compiled import CompiledPolicy, CompiledProfile, IPSetID, IPSetSpec, PolicyID
from percale.calc.contributors import Contributor, ContributorResource, Shared, contributor
from percale.calc.host_state import EndpointID, Pool
from percale.calc.label_index import LabelIndex
from percale.calc.labels import Labels, effective_labels
from percale.calc.membership import DirectMembership, Membership
from percale.calc.networks import IPAddress, canonical_cidr
from percale.calc.services import EndpointSlice, Services
from percale.calc.sources import PolicySource, ProfileSource
from percale.calc.tiers import EndpointPolicies, TierFacts, policies_by_tier, tier_facts
from percale.resources.ip_pool import IPPool
from percale.resources.resource import Key, Resource

__all__ = ["Cluster", "Input"]

_K = TypeVar("_K")
_V = TypeVar("_V")

Input: TypeAlias = Resource | EndpointSlice
"""What the calculation takes in: resources of the v3 API, and Kubernetes' endpoint slices."""


class Cluster:
    """Endpoints, network sets, policies, profiles, tiers, pools and services of one cluster.

    A resource that cannot be converted, or a policy or profile that breaks a rule of its fields, counts as deleted and
    stands in ``refusals`` with the reason until its key changes again (spec/calculation.md R2). Policies and profiles
    are found invalid when somebody first asks for their rules. Resources are expected with their defaults filled in.
    Other kinds are ignored.
    """

    def __init__(self, *, source_spoofing_allowed: bool = False) -> None:
        self.source_spoofing_allowed = source_spoofing_allowed
        self.refusals: dict[Key, ValueError] = {}
        self.tiers: dict[str, TierFacts] = {}
        self.pools: dict[str, Pool] = {}
        self.services = Services()
        self.policy_sources: dict[PolicyID, PolicySource] = {}
        self.profile_sources: dict[str, ProfileSource] = {}
        self.profile_labels: dict[str, Labels] = {}
        self.policy_index: LabelIndex[EndpointID] = LabelIndex()
        self._policies_of: dict[str, tuple[PolicyID, ...]] = {}
        # By the selectors that match and whether it is a host endpoint, until a policy or tier changes.
        self._ordered: dict[tuple[frozenset[str], bool], EndpointPolicies] = {}
        self._contributors: dict[EndpointID, Contributor] = {}
        self._shared = Shared()
        self._ip_sets: dict[IPSetID, IPSetSpec] = {}
        self._address_book: AddressBook | None = None
        self.membership: Membership = DirectMembership(self._ip_sets, self._owners, self._labels_of, self.services)

    @classmethod
    def of(cls, resources: Iterable[Input], *, source_spoofing_allowed: bool = False) -> Self:
        """Return the cluster that consists of these resources."""
        cluster = cls(source_spoofing_allowed=source_spoofing_allowed)
        for resource in resources:
            cluster.update(resource.key, resource)
        return cluster

    def update(self, key: Key, resource: Input | None) -> Change | None:
        """Take a resource as it is now, None for deleted, and return what changed; None where nothing did."""
        take = _TAKERS.get(key.kind)
        if take is None:
            return None
        self.refusals.pop(key, None)
        try:
            return take(self, key, resource)
        except ValueError as problem:
            return self.refuse(key, problem)

    def refuse(self, key: Key, problem: ValueError) -> Change:
        """Count a resource as deleted because of a problem, and return what that changed."""
        self.refusals[key] = problem
        return _TAKERS[key.kind](self, key, None)

    # Endpoints and network sets

    @property
    def contributors(self) -> Mapping[EndpointID, Contributor]:
        """All endpoints and network sets by ID."""
        return MappingProxyType(self._contributors)

    def endpoint(self, endpoint_id: EndpointID) -> Contributor:
        """Return an endpoint; raises KeyError where it does not exist or counts as absent."""
        return self._contributors[endpoint_id]

    def endpoints(self) -> Iterator[Contributor]:
        """Yield all endpoints of the cluster."""
        return (each for each in self._contributors.values() if each.is_endpoint)

    def endpoint_of_address(self, address: IPAddress) -> EndpointID | None:
        """Return the endpoint with this address: of several a workload endpoint, then the smallest name; or None."""
        ids = {each.id for each in self._owners(address) if each.is_endpoint}
        return min(ids, key=lambda each: (each.kind != "WorkloadEndpoint", each), default=None)

    def labels(self, endpoint_id: EndpointID) -> Labels:
        """Return the effective labels of an endpoint or network set; raises KeyError."""
        return self._labels_of(self._contributors[endpoint_id])

    # Policies and profiles

    def policies_for(self, endpoint_id: EndpointID) -> EndpointPolicies:
        """Return the policies that apply to an endpoint, in order and by class; raises KeyError."""
        selectors = frozenset(selector.uid for selector in self.policy_index.matching(self.labels(endpoint_id)))
        return self._ordered_policies(selectors, on_host_endpoint=endpoint_id.kind == "HostEndpoint")

    def _ordered_policies(self, selectors: frozenset[str], *, on_host_endpoint: bool) -> EndpointPolicies:
        # Endpoints that the same selectors match have the same policies: one value for all of them.
        found = self._ordered.get((selectors, on_host_endpoint))
        if found is None:
            ids = [each for selector in selectors for each in self.policies_of(selector)]
            usable = list(filter(None, map(self._usable, ids)))
            found = policies_by_tier(usable, self.tiers, on_host_endpoint=on_host_endpoint)
            self._ordered[selectors, on_host_endpoint] = found
        return found

    def _usable(self, policy_id: PolicyID) -> CompiledPolicy | None:
        try:
            return self.policy(policy_id)
        except ValueError as problem:
            self.refuse(Key(*policy_id), problem)
            return None

    def policies_of(self, selector_uid: str) -> tuple[PolicyID, ...]:
        """Return the policies that have this effective selector."""
        return self._policies_of.get(selector_uid, ())

    def policy(self, policy_id: PolicyID) -> CompiledPolicy:
        """Return the compiled form of a policy; raises KeyError."""
        compiled, ip_sets = self.policy_sources[policy_id].compilation
        self._ip_sets.update(ip_sets)
        return compiled

    def policies(self) -> Iterator[CompiledPolicy]:
        """Yield the compiled form of every valid policy of the cluster."""
        return filter(None, map(self._usable, tuple(self.policy_sources)))

    def profile(self, name: str) -> CompiledProfile:
        """Return the compiled form of a profile; for one that is absent or invalid the stand-in that denies all."""
        source = self.profile_sources.get(name)
        if source is None:
            return absent_profile(name)
        try:
            compiled, ip_sets = source.compilation
        except ValueError as problem:
            self.refuse(Key("Profile", "", name), problem)
            return absent_profile(name)
        self._ip_sets.update(ip_sets)
        return compiled

    def ip_set(self, set_id: IPSetID) -> IPSetSpec:
        """Return what belongs in an IP set of a policy or profile that was asked for; raises KeyError."""
        return self._ip_sets[set_id]

    def _labels_of(self, each: Contributor) -> Labels:
        return effective_labels(each.labels, each.profiles, self.profile_labels)

    def _owners(self, address: IPAddress) -> Iterator[Contributor]:
        # Most agents never ask whose an address is: the book is made at the first question.
        if self._address_book is None:
            self._address_book = AddressBook()
            for each in self._contributors.values():
                self._address_book.add(each)
        return map(self._contributors.__getitem__, self._address_book.owners(address))

    def _contributor(self, resource: ContributorResource) -> Contributor | None:
        return contributor(resource, self._shared, source_spoofing_allowed=self.source_spoofing_allowed)

    # What an update does, by kind

    def _take_contributor(self, key: Key, resource: Any) -> Change:
        new = None if resource is None else self._contributor(resource)
        if new is not None:
            old = self._contributors.get(new.id)
            self._contributors[new.id] = new
        else:
            old = self._contributors.pop(EndpointID(*key), None)
        if self._address_book is not None:
            if old is not None:
                self._address_book.remove(old)
            if new is not None:
                self._address_book.add(new)
        return ContributorChange(old, new)

    def _take_policy(self, key: Key, resource: Any) -> Change:
        self._ordered.clear()
        policy = None if resource is None else as_calico_policy(resource)
        new = None if policy is None or is_ignored(policy) else PolicySource(PolicyID(*key), policy)
        old = self.policy_sources.pop(PolicyID(*key), None)
        if new is not None:
            self.policy_sources[new.id] = new
            new.slots = self.policy_index.watch(new.selector)
        if old is not None:
            self.policy_index.unwatch(old.selector.uid)
            others = tuple(each for each in self._policies_of.pop(old.selector.uid) if each != old.id)
            if others:
                self._policies_of[old.selector.uid] = others
        if new is not None:
            self._policies_of[new.selector.uid] = (*self.policies_of(new.selector.uid), new.id)
        return PolicyChange(old, new)

    def _take_profile(self, key: Key, resource: Any) -> Change:
        new = ProfileSource(resource) if resource is not None else None
        if new is not None and new.labels:
            self.profile_labels[key.name] = new.labels
        else:
            self.profile_labels.pop(key.name, None)
        self.policy_index.set_profile(key.name, new.labels if new else {})
        return ProfileChange(key.name, *_replace(self.profile_sources, key.name, new))

    def _take_tier(self, key: Key, resource: Any) -> Change:
        self._ordered.clear()
        return TierChange(*_replace(self.tiers, key.name, None if resource is None else tier_facts(resource)))

    def _take_pool(self, key: Key, resource: Any) -> Change:
        new = None if resource is None else _pool(resource)
        return PoolChange(key.name, *_replace(self.pools, key.name, new))

    def _take_slice(self, key: Key, resource: Any) -> Change:
        return SliceChange(self.services.update(key, resource), resource)


_TAKERS: dict[str, Callable[[Cluster, Key, Any], Change]] = {
    "WorkloadEndpoint": Cluster._take_contributor,
    "HostEndpoint": Cluster._take_contributor,
    "NetworkSet": Cluster._take_contributor,
    "GlobalNetworkSet": Cluster._take_contributor,
    "NetworkPolicy": Cluster._take_policy,
    "GlobalNetworkPolicy": Cluster._take_policy,
    "StagedNetworkPolicy": Cluster._take_policy,
    "StagedGlobalNetworkPolicy": Cluster._take_policy,
    "StagedKubernetesNetworkPolicy": Cluster._take_policy,
    # Calico policies that a datastore has made of Kubernetes' own, under the kind of the original.
    "KubernetesNetworkPolicy": Cluster._take_policy,
    "KubernetesClusterNetworkPolicy": Cluster._take_policy,
    "Profile": Cluster._take_profile,
    "Tier": Cluster._take_tier,
    "IPPool": Cluster._take_pool,
    "EndpointSlice": Cluster._take_slice,
}


def _pool(resource: IPPool) -> Pool:
    return Pool(resource.name, canonical_cidr(resource.spec.cidr), resource.spec.nat_outgoing)


def _replace(table: dict[_K, _V], key: _K, new: _V | None) -> tuple[_V | None, _V | None]:
    """Put ``new`` in the table, None for nothing, and return what was there before, and ``new``."""
    old = table.pop(key, None)
    if new is not None:
        table[key] = new
    return old, new
