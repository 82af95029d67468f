# SPDX-License-Identifier: Apache-2.0
"""The calculation: from the cluster's resources to what one host must enforce, change by change.

::

    update ──► Cluster ──► LocalEndpoints ──► active policies, profiles ──► IPSets ──► Outbox ──► messages
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from percale.calc.changes import (
    Change,
    ContributorChange,
    PolicyChange,
    PoolChange,
    ProfileChange,
    SliceChange,
    TierChange,
)
from percale.calc.cluster import Cluster, Input
from percale.calc.compile import absent_profile
from percale.calc.compiled import IPSetID, IPSetSpec, PolicyID
from percale.calc.contributors import Contributor
from percale.calc.host_state import HostState, Message
from percale.calc.ip_sets import IPSets
from percale.calc.local_endpoints import EndpointResource, LocalEndpoints
from percale.calc.outbox import Outbox
from percale.resources.profile import Profile
from percale.resources.resource import Key

__all__ = ["Calculation"]


class Calculation:
    """What the host of this name must enforce, as a function of the resources of its cluster.

    Feed it with `update`, tell it once that the first snapshot is complete with `in_sync`, and collect messages with
    `flush` as often as wanted: changes between two flushes are coalesced. ``cluster`` answers about everything else.
    """

    def __init__(self, hostname: str, *, source_spoofing_allowed: bool = False) -> None:
        self.hostname = hostname
        self.cluster = Cluster(source_spoofing_allowed=source_spoofing_allowed)
        self.ip_sets = IPSets(self.cluster.services)
        self._local = LocalEndpoints(self.cluster)
        self._outbox = Outbox()
        self._is_in_sync = False
        self._changed_policies: set[PolicyID] = set()
        # The IP sets that each active policy and profile refers to, as ``ip_sets`` knows it.
        self._references: dict[PolicyID | str, Mapping[IPSetID, IPSetSpec]] = {}

    def update(self, key: Key, resource: Input | None) -> None:
        """Take a resource as it is now, None for deleted or invalid; kinds without a meaning here are ignored."""
        change = self.cluster.update(key, resource)
        if change is not None:
            self._apply(change, resource)

    def in_sync(self) -> None:
        """Note that all resources of the first snapshot have been given: endpoints may be told from now on."""
        self._is_in_sync = True

    def flush(self) -> list[Message]:
        """Return what changed since the last flush, as messages in their order (spec/calculation.md section 4)."""
        self._settle()
        for endpoint_id, endpoint in self._local.current():
            self._outbox.endpoints.put(endpoint_id, endpoint)
        return self._outbox.flush(self.ip_sets.flush(), in_sync=self._is_in_sync)

    def state(self) -> HostState:
        """Return the state to which all messages so far lead."""
        outbox = self._outbox
        return HostState(
            endpoints=dict(outbox.endpoints.sent),
            policies=dict(outbox.policies.sent),
            profiles=dict(outbox.profiles.sent),
            ip_sets=self.ip_sets.state(),
            pools=dict(outbox.pools.sent),
        )

    # What an update leads to

    def _apply(self, change: Change, resource: Input | None) -> None:
        match change:
            case ContributorChange(old, new):
                self._place(old, new, resource)
            case PolicyChange(old, new):
                for source in (old, new):
                    if source is not None:
                        self._changed_policies.add(source.id)
                        self._local.look_again_at_slots(source.slots)
            case ProfileChange(name, _, new):
                self.ip_sets.set_profile(name, new.labels if new else {})
                self._local.changed_profiles.add(name)
            case TierChange():
                self._local.look_again_at_all()
            case PoolChange(name, _, new):
                self._outbox.pools.put(name, new)
            case SliceChange(old, new):
                self.ip_sets.replace_slice(old, new)

    def _place(self, old: Contributor | None, new: Contributor | None, resource: Input | None) -> None:
        """Take an endpoint or network set into the sets, and an endpoint of this host among its own."""
        if new is not None:
            self.ip_sets.put(new)
        elif old is not None:
            self.ip_sets.remove(old.id)
        if new is not None and new.node == self.hostname and isinstance(resource, EndpointResource):
            self._local.put(resource, new)
        elif old is not None and old.id in self._local:
            self._local.remove(old.id)

    # What a flush settles

    def _settle(self) -> None:
        """Find out which policies and profiles are active now; what cannot be compiled is taken out again."""
        while True:
            for uid, change in self.cluster.policy_index.flush().items():
                self._changed_policies.update(self.cluster.policies_of(uid))
                self._local.look_again_at_slots(change.joined)
                self._local.look_again_at_slots(change.left)
            refused = [*self._refresh_policies(), *self._refresh_profiles()]
            if not refused:
                return
            for key, problem in refused:
                self._apply(self.cluster.refuse(key, problem), None)

    def _refresh_policies(self) -> Iterator[tuple[Key, ValueError]]:
        changed, self._changed_policies = self._changed_policies, set()
        for policy_id in changed:
            source = self.cluster.policy_sources.get(policy_id)
            if source is None or not source.is_active:
                self._outbox.policies.put(policy_id, None)
                self._refer(policy_id, {})
                continue
            try:
                compiled, ip_sets = source.compilation
            except ValueError as problem:
                yield Key(*policy_id), problem
            else:
                self._outbox.policies.put(policy_id, compiled)
                self._refer(policy_id, ip_sets)

    def _refresh_profiles(self) -> Iterator[tuple[Key, ValueError]]:
        changed, self._local.changed_profiles = self._local.changed_profiles, set()
        for name in changed:
            if not self._local.lists_profile(name):
                self._outbox.profiles.put(name, None)
                self._refer(name, {})
                continue
            source = self.cluster.profile_sources.get(name)
            try:
                compiled, ip_sets = source.compilation if source else (absent_profile(name), {})
            except ValueError as problem:
                yield Key(Profile.kind, "", name), problem
            else:
                self._outbox.profiles.put(name, compiled)
                self._refer(name, ip_sets)

    def _refer(self, owner: PolicyID | str, ip_sets: Mapping[IPSetID, IPSetSpec]) -> None:
        """Tell which sets a policy or profile refers to now; none for an inactive one."""
        former = self._references.pop(owner, _NO_SETS)
        for set_id, spec in ip_sets.items():
            if set_id not in former:
                self.ip_sets.refer(spec)
        for set_id in former:
            if set_id not in ip_sets:
                self.ip_sets.release(set_id)
        if ip_sets:
            self._references[owner] = ip_sets


_NO_SETS: Mapping[IPSetID, IPSetSpec] = {}
