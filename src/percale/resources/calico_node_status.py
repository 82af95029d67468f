# SPDX-License-Identifier: Apache-2.0
"""CalicoNodeStatus: a question to a node's BGP daemon and its answer (spec/resources.md section 15)."""

from __future__ import annotations

from percale.resources.fields import Int64, Time, UInt32
from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = [
    "AgentStatus",
    "BGPDaemonStatus",
    "BGPSessionStatus",
    "CalicoNodeStatus",
    "CalicoNodeStatusSpec",
    "CalicoNodeStatusStatus",
    "LearnedFrom",
    "NodePeer",
    "NodeRoute",
    "RoutesStatus",
]


class CalicoNodeStatusSpec(Value, frozen=True, kw_only=True):
    """Which node to ask, for what (``Agent``, ``BGP``, ``Routes``), and how often; 0 seconds is never."""

    node: str = ""
    classes: tuple[str, ...] = ()
    update_period_seconds: UInt32 | None = None


class BGPDaemonStatus(Value, frozen=True, kw_only=True):
    """The daemon of one address family."""

    state: str = ""
    version: str = ""
    router_id: str = ""
    last_boot_time: str = ""
    last_reconfiguration_time: str = ""


class AgentStatus(Value, frozen=True, kw_only=True):
    """The daemons of both address families."""

    bird_v4: BGPDaemonStatus = written(BGPDaemonStatus)
    bird_v6: BGPDaemonStatus = written(BGPDaemonStatus)


class NodePeer(Value, frozen=True, kw_only=True):
    """One BGP session."""

    peer_ip: str = ""
    type: str = ""
    state: str = ""
    since: str = ""


class BGPSessionStatus(Value, frozen=True, kw_only=True):
    """The sessions of both address families."""

    number_established_v4: Int64 = written(int)
    number_not_established_v4: Int64 = written(int)
    number_established_v6: Int64 = written(int)
    number_not_established_v6: Int64 = written(int)
    peers_v4: tuple[NodePeer, ...] = ()
    peers_v6: tuple[NodePeer, ...] = ()


class LearnedFrom(Value, frozen=True, kw_only=True):
    """Where a route comes from."""

    source_type: str = ""
    peer_ip: str = ""


class NodeRoute(Value, frozen=True, kw_only=True):
    """One route that the daemon knows."""

    type: str = ""
    destination: str = ""
    gateway: str = ""
    interface: str = ""
    learned_from: LearnedFrom = written(LearnedFrom)


class RoutesStatus(Value, frozen=True, kw_only=True):
    """The routes of both address families."""

    routes_v4: tuple[NodeRoute, ...] = ()
    routes_v6: tuple[NodeRoute, ...] = ()


class CalicoNodeStatusStatus(Value, frozen=True, kw_only=True):
    """The node's answer."""

    last_updated: Time | None = written(lambda: None)
    agent: AgentStatus = written(AgentStatus)
    bgp: BGPSessionStatus = written(BGPSessionStatus)
    routes: RoutesStatus = written(RoutesStatus)


class CalicoNodeStatus(Resource, frozen=True, kw_only=True):
    """A question to a node's BGP daemon and its answer."""

    spec: CalicoNodeStatusSpec = written(CalicoNodeStatusSpec)
    status: CalicoNodeStatusStatus = written(CalicoNodeStatusStatus)
