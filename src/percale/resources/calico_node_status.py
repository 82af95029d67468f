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

    node: str = ""  #: The node that is asked.
    #: What it is asked for: Agent (its BGP daemons), BGP (its sessions), Routes (those that they know).
    classes: tuple[str, ...] = ()
    update_period_seconds: UInt32 | None = None  #: The seconds between answers; 0 is none, so the last answer stays.


class BGPDaemonStatus(Value, frozen=True, kw_only=True):
    """The daemon of one address family."""

    state: str = ""  #: Whether the daemon is Ready or NotReady.
    version: str = ""  #: The daemon's version.
    router_id: str = ""  #: The BGP identifier of the daemon, written as an IPv4 address.
    last_boot_time: str = ""  #: When the daemon was started, in its own words.
    last_reconfiguration_time: str = ""  #: When the daemon last read its configuration, in its own words.


class AgentStatus(Value, frozen=True, kw_only=True):
    """The daemons of both address families."""

    bird_v4: BGPDaemonStatus = written(BGPDaemonStatus)  #: The BGP daemon for IPv4.
    bird_v6: BGPDaemonStatus = written(BGPDaemonStatus)  #: The BGP daemon for IPv6.


class NodePeer(Value, frozen=True, kw_only=True):
    """One BGP session."""

    peer_ip: str = ""  #: The address of the peer.
    type: str = ""  #: Why the session exists: NodeMesh, NodePeer (of this node) or GlobalPeer (of all nodes).
    state: str = ""  #: The state of the session in BGP's words, such as Established or Idle.
    since: str = ""  #: Since when the session has this state, in the daemon's own words.


class BGPSessionStatus(Value, frozen=True, kw_only=True):
    """The sessions of both address families."""

    number_established_v4: Int64 = written(int)  #: How many IPv4 sessions are established.
    number_not_established_v4: Int64 = written(int)  #: How many IPv4 sessions are configured and not established.
    number_established_v6: Int64 = written(int)  #: How many IPv6 sessions are established.
    number_not_established_v6: Int64 = written(int)  #: How many IPv6 sessions are configured and not established.
    peers_v4: tuple[NodePeer, ...] = ()  #: The IPv4 sessions.
    peers_v6: tuple[NodePeer, ...] = ()  #: The IPv6 sessions.


class LearnedFrom(Value, frozen=True, kw_only=True):
    """Where a route comes from."""

    source_type: str = ""  #: What kind of source: Kernel, Static, Direct, NodeMesh or BGPPeer.
    peer_ip: str = ""  #: The address of the peer that sent the route, where one did.


class NodeRoute(Value, frozen=True, kw_only=True):
    """One route that the daemon knows."""

    type: str = ""  #: Whether the route is in use: FIB (the kernel has it) or RIB (only the daemon does).
    destination: str = ""  #: The network to which the route leads.
    gateway: str = ""  #: The address of the next hop.
    interface: str = ""  #: The interface through which the route leads.
    learned_from: LearnedFrom = written(LearnedFrom)  #: Where the daemon has the route from.


class RoutesStatus(Value, frozen=True, kw_only=True):
    """The routes of both address families."""

    routes_v4: tuple[NodeRoute, ...] = ()  #: The IPv4 routes.
    routes_v6: tuple[NodeRoute, ...] = ()  #: The IPv6 routes.


class CalicoNodeStatusStatus(Value, frozen=True, kw_only=True):
    """The node's answer."""

    last_updated: Time | None = written(lambda: None)  #: When the node last answered; absent before the first answer.
    agent: AgentStatus = written(AgentStatus)  #: The node's BGP daemons, where the class Agent was asked for.
    bgp: BGPSessionStatus = written(BGPSessionStatus)  #: The node's BGP sessions, where the class BGP was asked for.
    #: The routes that the daemons know, where the class Routes was asked for.
    routes: RoutesStatus = written(RoutesStatus)


class CalicoNodeStatus(Resource, frozen=True, kw_only=True):
    """A question to a node's BGP daemon and its answer."""

    spec: CalicoNodeStatusSpec = written(CalicoNodeStatusSpec)
    status: CalicoNodeStatusStatus = written(CalicoNodeStatusStatus)
