# SPDX-License-Identifier: Apache-2.0
"""HostState: the compiled form's projection on one host, and the ordered messages that carry it from state to state.

Meaning and order of the messages: spec/calculation.md section 4. After every single message, each endpoint refers only
to known policies and profiles, and each of those only to known IP sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from percale.calc.compiled import CompiledPolicy, CompiledProfile, IPSetID, IPSetKind, PolicyID

__all__ = [
    "EndpointID",
    "EndpointRemove",
    "EndpointUpdate",
    "HostInterfaceEndpoint",
    "HostState",
    "IPSet",
    "IPSetDelta",
    "IPSetRemove",
    "IPSetUpdate",
    "InSync",
    "LocalEndpoint",
    "Message",
    "Nat",
    "PolicyRemove",
    "PolicyUpdate",
    "Pool",
    "PoolRemove",
    "PoolUpdate",
    "ProfileRemove",
    "ProfileUpdate",
    "TierPolicies",
    "WorkloadInterface",
]


class EndpointID(NamedTuple):
    """Identity of an endpoint: kind ``WorkloadEndpoint`` (namespaced) or ``HostEndpoint``."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}" if self.namespace else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class TierPolicies:
    """The policies of one tier that select an endpoint, in order, by direction; staged ones are listed too.

    ``default_action`` is ``Deny``, ``Pass``, or empty for a tier that does not exist, which acts as Deny.
    """

    name: str
    default_action: str
    ingress: tuple[PolicyID, ...] = ()
    egress: tuple[PolicyID, ...] = ()


class Nat(NamedTuple):
    """A 1:1 NAT of an endpoint: the workload's own address and the one it is known by outside."""

    internal_ip: str
    external_ip: str


@dataclass(frozen=True, slots=True)
class WorkloadInterface:
    """A local workload endpoint: what the host must enforce and provide on its interface.

    ``sort_key`` is (orchestrator, "namespace/workload", endpoint): of two endpoints with one interface name the smaller
    is active (spec/policy.md section 8). Networks are CIDR text of single addresses, ``mac`` may be empty.
    """

    id: EndpointID
    interface: str
    ipv4_nets: tuple[str, ...]
    ipv6_nets: tuple[str, ...]
    profiles: tuple[str, ...]
    tiers: tuple[TierPolicies, ...]
    mac: str = ""
    nats: tuple[Nat, ...] = ()
    allow_spoofed_source_prefixes: tuple[str, ...] = ()
    active: bool = True
    sort_key: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, slots=True)
class HostInterfaceEndpoint:
    """A local host endpoint with its four classes of policies (spec/policy.md section 3)."""

    id: EndpointID
    interface: str
    expected_ips: tuple[str, ...]
    profiles: tuple[str, ...]
    tiers: tuple[TierPolicies, ...] = ()
    untracked_tiers: tuple[TierPolicies, ...] = ()
    pre_dnat_tiers: tuple[TierPolicies, ...] = ()
    forward_tiers: tuple[TierPolicies, ...] = ()


LocalEndpoint: TypeAlias = WorkloadInterface | HostInterfaceEndpoint


@dataclass(frozen=True, slots=True)
class IPSet:
    """An IP set and its members: ``10.0.0.1/32``, ``fd00::/64``, or ``10.0.0.1,tcp:80`` (spec/calculation.md R9)."""

    id: IPSetID
    kind: IPSetKind
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pool:
    """An IP pool as the dataplane needs it: its CIDR and whether its addresses are masqueraded on the way out."""

    name: str
    cidr: str
    nat_outgoing: bool


@dataclass(frozen=True, slots=True)
class IPSetUpdate:
    """Creates or replaces an IP set."""

    ip_set: IPSet


@dataclass(frozen=True, slots=True)
class IPSetDelta:
    """Adds and removes members of a known IP set; never adds one present nor removes one absent."""

    id: IPSetID
    added: frozenset[str]
    removed: frozenset[str]


@dataclass(frozen=True, slots=True)
class IPSetRemove:
    """The IP set is no longer referred to."""

    id: IPSetID


@dataclass(frozen=True, slots=True)
class PolicyUpdate:
    """Creates or replaces an active policy."""

    policy: CompiledPolicy


@dataclass(frozen=True, slots=True)
class PolicyRemove:
    """The policy is no longer active here."""

    id: PolicyID


@dataclass(frozen=True, slots=True)
class ProfileUpdate:
    """Creates or replaces an active profile."""

    profile: CompiledProfile


@dataclass(frozen=True, slots=True)
class ProfileRemove:
    """The profile is no longer active here."""

    name: str


@dataclass(frozen=True, slots=True)
class EndpointUpdate:
    """Creates or replaces a local endpoint."""

    endpoint: LocalEndpoint


@dataclass(frozen=True, slots=True)
class EndpointRemove:
    """The endpoint is no longer local, or gone."""

    id: EndpointID


@dataclass(frozen=True, slots=True)
class PoolUpdate:
    """Creates or replaces an IP pool."""

    pool: Pool


@dataclass(frozen=True, slots=True)
class PoolRemove:
    """The IP pool is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class InSync:
    """The first complete snapshot of the datastore is reflected in all messages so far; sent once."""


Message: TypeAlias = (
    IPSetUpdate
    | IPSetDelta
    | IPSetRemove
    | PolicyUpdate
    | PolicyRemove
    | ProfileUpdate
    | ProfileRemove
    | EndpointUpdate
    | EndpointRemove
    | PoolUpdate
    | PoolRemove
    | InSync
)


@dataclass(frozen=True, slots=True)
class HostState:
    """All that one host must enforce: a value, equal for equal states however they were reached."""

    endpoints: Mapping[EndpointID, LocalEndpoint] = field(default_factory=dict)
    policies: Mapping[PolicyID, CompiledPolicy] = field(default_factory=dict)
    profiles: Mapping[str, CompiledProfile] = field(default_factory=dict)
    ip_sets: Mapping[IPSetID, IPSet] = field(default_factory=dict)
    pools: Mapping[str, Pool] = field(default_factory=dict)

    def after(self, messages: tuple[Message, ...] | list[Message]) -> HostState:
        """Return the state that ``messages`` lead to; raises KeyError where a message breaks the protocol's rules."""
        endpoints, policies, profiles = dict(self.endpoints), dict(self.policies), dict(self.profiles)
        ip_sets, pools = dict(self.ip_sets), dict(self.pools)
        for message in messages:
            match message:
                case IPSetUpdate(ip_set):
                    ip_sets[ip_set.id] = ip_set
                case IPSetDelta(set_id, added, removed):
                    old = ip_sets[set_id]
                    ip_sets[set_id] = IPSet(old.id, old.kind, (old.members - removed) | added)
                case IPSetRemove(set_id):
                    del ip_sets[set_id]
                case PolicyUpdate(policy):
                    policies[policy.id] = policy
                case PolicyRemove(policy_id):
                    del policies[policy_id]
                case ProfileUpdate(profile):
                    profiles[profile.name] = profile
                case ProfileRemove(name):
                    del profiles[name]
                case EndpointUpdate(endpoint):
                    endpoints[endpoint.id] = endpoint
                case EndpointRemove(endpoint_id):
                    del endpoints[endpoint_id]
                case PoolUpdate(pool):
                    pools[pool.name] = pool
                case PoolRemove(name):
                    del pools[name]
                case InSync():
                    pass
        return HostState(endpoints, policies, profiles, ip_sets, pools)
