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

    cidr: str = ""


class Community(Value, frozen=True, kw_only=True):
    """A name for a BGP community."""

    name: str = ""
    value: str = ""


class PrefixAdvertisement(Value, frozen=True, kw_only=True):
    """The communities that go with routes of one network."""

    cidr: str = ""
    communities: tuple[str, ...] = ()


class BGPConfigurationSpec(Canonical, frozen=True, kw_only=True):
    """Mesh, AS number, advertised networks and communities."""

    log_severity_screen: str = ""
    node_to_node_mesh_enabled: bool | None = None
    as_number: ASNumber | None = None
    service_load_balancer_ips: tuple[ServiceIPBlock, ...] = ()
    service_external_ips: tuple[ServiceIPBlock, ...] = ()
    service_cluster_ips: tuple[ServiceIPBlock, ...] = ()
    service_load_balancer_aggregation: str | None = None
    communities: tuple[Community, ...] = ()
    prefix_advertisements: tuple[PrefixAdvertisement, ...] = ()
    listen_port: UInt16 = 0
    node_mesh_password: BGPPassword | None = None
    node_mesh_max_restart_time: Duration | None = None
    bind_mode: str | None = None
    ignored_interfaces: tuple[str, ...] = ()
    local_workload_peering_ip_v4: str = ""
    local_workload_peering_ip_v6: str = ""
    program_cluster_routes: str | None = None
    ipv4_normal_route_priority: Int64 | None = None
    ipv6_normal_route_priority: Int64 | None = None


class BGPConfiguration(Resource, frozen=True, kw_only=True):
    """What holds for all BGP sessions (``default``) or for one node's."""

    spec: BGPConfigurationSpec = written(BGPConfigurationSpec)
