# SPDX-License-Identifier: Apache-2.0
"""Any host of a cluster as policy needs it, without a HostState of its own: for questions about the whole cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

from percale.calc.cluster import Cluster
from percale.calc.compiled import CompiledPolicy, CompiledProfile, PolicyID
from percale.calc.contributors import Contributor
from percale.calc.host_state import EndpointID, HostInterfaceEndpoint, WorkloadInterface
from percale.calc.membership import Membership
from percale.policy.host_settings import HostSettings
from percale.resources.wep_names import endpoint_key

__all__ = ["ClusterHosts", "HostOfCluster"]


class ClusterHosts:
    """The hosts of a cluster that does not change while it is asked; ``settings`` are those of every host's agent."""

    def __init__(self, cluster: Cluster, settings: HostSettings | None = None) -> None:
        self.cluster = cluster
        self.settings = settings or HostSettings()
        self._hosts: dict[str, HostOfCluster] = {}

    def host(self, node: str, addresses: Mapping[str, Collection[str]] | None = None) -> HostOfCluster:
        """Return a host by its node's name; ``addresses`` are those on its interfaces, as far as known."""
        if node not in self._hosts or addresses is not None:
            self._hosts[node] = HostOfCluster(self, node, addresses or {})
        return self._hosts[node]

    def host_endpoints(self, node: str) -> Iterable[Contributor]:
        """Return the host endpoints of a node."""
        return self._by_place[node, None]

    def is_active(self, endpoint: Contributor) -> bool:
        """Say whether a workload endpoint is the one that holds its interface (spec/policy.md section 8)."""
        rivals = self._by_place[endpoint.node, endpoint.interface]
        return len(rivals) < 2 or min(rivals, key=_rank).id == endpoint.id

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str | None], list[Contributor]]:
        """Workload endpoints by node and interface, host endpoints by node and None."""
        found: dict[tuple[str, str | None], list[Contributor]] = defaultdict(list)
        for each in self.cluster.endpoints():
            found[each.node, each.interface if each.id.kind == "WorkloadEndpoint" else None].append(each)
        return found


def _rank(endpoint: Contributor) -> tuple[str, str, str]:
    key = endpoint_key(endpoint.id.namespace, endpoint.id.name)
    return key.orchestrator, key.workload, key.endpoint


class HostOfCluster:
    """One host of a cluster; a `percale.policy.host_path.HostView`."""

    def __init__(self, hosts: ClusterHosts, node: str, addresses: Mapping[str, Collection[str]]) -> None:
        self.node = node
        self.addresses = addresses
        self.settings = hosts.settings
        self._hosts = hosts
        self._cluster = hosts.cluster
        self._workloads: dict[EndpointID, WorkloadInterface | None] = {}

    @property
    def sets(self) -> Membership:
        """The IP sets of the whole cluster, by direct evaluation."""
        return self._cluster.membership

    def policy(self, policy_id: PolicyID) -> CompiledPolicy:
        """Return a policy; raises KeyError for one that does not exist."""
        return self._cluster.policy(policy_id)

    def profile(self, name: str) -> CompiledProfile:
        """Return a profile, or the stand-in of one that does not exist."""
        return self._cluster.profile(name)

    def workload(self, endpoint_id: EndpointID) -> WorkloadInterface | None:
        """Return a workload endpoint of this host, None where there is none of this name."""
        if endpoint_id not in self._workloads:
            self._workloads[endpoint_id] = self._workload(endpoint_id)
        return self._workloads[endpoint_id]

    def host_endpoints(self) -> Iterable[HostInterfaceEndpoint]:
        """Return the host's own endpoints."""
        return self._host_endpoints

    @cached_property
    def _host_endpoints(self) -> tuple[HostInterfaceEndpoint, ...]:
        return tuple(map(self._host_endpoint, self._hosts.host_endpoints(self.node)))

    def _workload(self, endpoint_id: EndpointID) -> WorkloadInterface | None:
        found = self._cluster.contributors.get(endpoint_id)
        if found is None or found.node != self.node or endpoint_id.kind != "WorkloadEndpoint":
            return None
        return WorkloadInterface(
            found.id,
            found.interface,
            ipv4_nets=tuple(net for net in found.nets if ":" not in net),
            ipv6_nets=tuple(net for net in found.nets if ":" in net),
            profiles=found.profiles,
            tiers=self._cluster.policies_for(found.id).normal,
            active=self._hosts.is_active(found),
        )

    def _host_endpoint(self, found: Contributor) -> HostInterfaceEndpoint:
        policies = self._cluster.policies_for(found.id)
        return HostInterfaceEndpoint(
            found.id,
            found.interface,
            expected_ips=tuple(net.partition("/")[0] for net in found.nets),
            profiles=found.profiles,
            tiers=policies.normal,
            untracked_tiers=policies.untracked,
            pre_dnat_tiers=policies.pre_dnat,
            forward_tiers=policies.forward,
        )
