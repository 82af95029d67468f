# SPDX-License-Identifier: Apache-2.0
"""BGPConfiguration: what holds for all BGP sessions; it is stored, not acted upon (spec/resources.md section 15)."""

from __future__ import annotations

from percale.resources.bgp_peer import BGPPassword
from percale.resources.fields import ASNumber, Duration, Int64, UInt16
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = ["BGPConfiguration", "BGPConfigurationSpec", "Community", "PrefixAdvertisement", "ServiceIPBlock"]


class ServiceIPBlock(Value, frozen=True, kw_only=True):
    """A network of service addresses that is advertised."""

    cidr: str = ""  #: The network of service addresses that is advertised.


class Community(Value, frozen=True, kw_only=True):
    """A name for a BGP community."""

    name: str = ""  #: The name by which prefixAdvertisements refer to the community.
    value: str = ""  #: The community: two numbers joined by a colon, or three for a large community.


class PrefixAdvertisement(Value, frozen=True, kw_only=True):
    """The communities that go with routes of one network."""

    cidr: str = ""  #: The network whose routes carry the communities.
    communities: tuple[str, ...] = ()  #: The communities that its routes carry, by name or by value.


class BGPConfigurationSpec(Canonical, frozen=True, kw_only=True):
    """Mesh, AS number, advertised networks and communities."""

    log_severity_screen: str = ""  #: The least severe messages that the BGP daemon logs; Info unless given.
    node_to_node_mesh_enabled: bool | None = None  #: Whether every node peers with every other one; true unless given.
    as_number: ASNumber | None = None  #: The AS number of nodes that have none of their own; 64512 unless given.
    #: Networks of load-balancer addresses that are advertised to peers.
    service_load_balancer_ips: tuple[ServiceIPBlock, ...] = ()
    #: Networks of external service addresses that are advertised to peers.
    service_external_ips: tuple[ServiceIPBlock, ...] = ()
    #: Networks of cluster addresses of services that are advertised to peers.
    service_cluster_ips: tuple[ServiceIPBlock, ...] = ()
    #: Whether load-balancer networks are advertised whole (Enabled, the default) or, with Disabled, address by address.
    service_load_balancer_aggregation: str | None = None
    communities: tuple[Community, ...] = ()  #: Names for the communities that prefixAdvertisements use.
    prefix_advertisements: tuple[PrefixAdvertisement, ...] = ()  #: Communities to put on the routes of some networks.
    listen_port: UInt16 = 0  #: The TCP port on which the BGP daemon listens; 0 or absent is 179.
    #: The secret that signs the sessions of the node-to-node mesh; unsigned unless given.
    node_mesh_password: BGPPassword | None = None
    #: How long routes are kept while a peer of the mesh restarts; the BGP daemon's own time unless given.
    node_mesh_max_restart_time: Duration | None = None
    #: The addresses on which the BGP daemon listens: all of them (None, the default) or only the node's (NodeIP).
    bind_mode: str | None = None
    #: Interfaces, with * for any characters, whose networks the BGP daemon does not look at.
    ignored_interfaces: tuple[str, ...] = ()
    #: The IPv4 address at which every node answers the BGP sessions of its own workloads.
    local_workload_peering_ip_v4: str = ""
    #: The IPv6 address at which every node answers the BGP sessions of its own workloads.
    local_workload_peering_ip_v6: str = ""
    #: Whether the BGP daemon, rather than the agent, programs routes to other nodes, and for which encapsulations;
    #: Enabled and Disabled hold for all.
    program_cluster_routes: str | None = None
    #: The priority (metric) of IPv4 routes to workloads that stay where they are; lower ones win.
    ipv4_normal_route_priority: Int64 | None = None
    #: The priority (metric) of IPv6 routes to workloads that stay where they are; lower ones win.
    ipv6_normal_route_priority: Int64 | None = None


class BGPConfiguration(Resource, frozen=True, kw_only=True):
    """What holds for all BGP sessions (``default``) or for one node's."""

    spec: BGPConfigurationSpec = written(BGPConfigurationSpec)
