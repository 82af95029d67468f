# SPDX-License-Identifier: Apache-2.0
"""Judgements in words: at which endpoint, and by what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from percale.calc.host_state import HostInterfaceEndpoint, LocalEndpoint, TierPolicies, WorkloadInterface
from percale.policy.cluster_view import HostOfCluster
from percale.policy.directory import spoken_name
from percale.policy.verdict import Direction, Judgement, Reason, Stage

__all__ = ["place_text", "reason_text"]

_STAGES = {Stage.UNTRACKED: "untracked ", Stage.PRE_DNAT: "pre-DNAT ", Stage.FORWARD: "forward "}


def place_text(judgement: Judgement, host: HostOfCluster) -> str:
    """Return where a packet was judged: ``ingress of shop/db-0 (node n2, cali12345678)``."""
    if judgement.endpoint is None:
        return f"node {host.node}"
    endpoint = _endpoint(judgement, host)
    place = f"node {host.node}, {endpoint.interface}" if endpoint and endpoint.interface else f"node {host.node}"
    stage = _STAGES.get(judgement.stage or Stage.NORMAL, "")
    return f"{stage}{judgement.direction} of {spoken_name(judgement.endpoint)} ({place})"


def reason_text(judgement: Judgement, host: HostOfCluster) -> str:
    """Return by what a packet was judged."""
    if judgement.reason is None:
        tier = f", in tier '{judgement.tier}'" if judgement.tier else ""
        return f"{judgement.rule_name}: {judgement.action}{tier}"
    if judgement.reason in _TOLD:
        return _TOLD[judgement.reason](judgement, host)
    return _FIXED[judgement.reason]


_FIXED = {
    Reason.CONNTRACK_ESTABLISHED: "connection tracking: the packet belongs to a connection that was allowed before",
    Reason.CONNTRACK_INVALID: "connection tracking: the packet is invalid, it fits no connection that the host knows",
    Reason.FAILSAFE: "failsafe ports: this port stays open on host endpoints whatever policy says",
    Reason.ENDPOINT_TO_HOST_ACCEPT: "defaultEndpointToHostAction Accept: what a workload may send reaches its host",
    Reason.ENDPOINT_TO_HOST_DROP: "defaultEndpointToHostAction Drop: no workload reaches its own host",
    Reason.ICMPV6_TO_HOST: "neighbor and listener discovery: these ICMPv6 messages always reach the host",
    Reason.UNKNOWN_ENDPOINT: "no endpoint is known for the interface, so it is closed",
    Reason.INACTIVE_ENDPOINT: "another endpoint holds the same interface",
}


def _end_of_tier(judgement: Judgement, host: HostOfCluster) -> str:
    enforced = 0
    for tier in _tiers(_endpoint(judgement, host), judgement.stage):
        if tier.name == judgement.tier:
            policies = tier.ingress if judgement.direction is Direction.INGRESS else tier.egress
            enforced = sum(not host.policy(each).staged for each in policies)
    select = "1 policy selects" if enforced == 1 else f"{enforced} policies select"
    none = "none of its rules matches" if enforced == 1 else "none of their rules match"
    return f"tier '{judgement.tier}', end of tier: {select} this endpoint and {none}"


def _no_profile_match(judgement: Judgement, host: HostOfCluster) -> str:
    endpoint = _endpoint(judgement, host)
    if endpoint is None or not endpoint.profiles:
        return "no policy decides and the endpoint has no profile"
    profiles = ", ".join(endpoint.profiles)
    return f"no policy decides and no rule matches in the endpoint's profiles: {profiles}"


def _encapsulated(judgement: Judgement, host: HostOfCluster) -> str:
    return f"workloads may not send IP-in-IP, nor UDP to the VXLAN port {host.settings.vxlan_port}"


_TOLD: dict[Reason, Callable[[Judgement, HostOfCluster], str]] = {
    Reason.END_OF_TIER: _end_of_tier,
    Reason.NO_PROFILE_MATCH: _no_profile_match,
    Reason.ENCAP_FROM_WORKLOAD: _encapsulated,
}


def _endpoint(judgement: Judgement, host: HostOfCluster) -> LocalEndpoint | None:
    if judgement.endpoint is None or judgement.endpoint.kind == "WorkloadEndpoint":
        return host.workload(judgement.endpoint) if judgement.endpoint else None
    return next((each for each in host.host_endpoints() if each.id == judgement.endpoint), None)


def _tiers(endpoint: LocalEndpoint | None, stage: Stage | None) -> Sequence[TierPolicies]:
    match endpoint, stage:
        case HostInterfaceEndpoint(forward_tiers=tiers), Stage.FORWARD:
            return tiers
        case ((WorkloadInterface(tiers=tiers) | HostInterfaceEndpoint(tiers=tiers)), _):
            return tiers  # untracked and pre-DNAT tiers have no end that denies
        case _:
            return ()
