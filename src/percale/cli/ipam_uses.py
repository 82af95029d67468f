# SPDX-License-Identifier: Apache-2.0
"""Who uses addresses: tunnels of nodes, endpoints, and services of Kubernetes (spec/ipam.md section 11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from percale.errors import NotFound
from percale.ipam import Use, parse_address
from percale.resources import KubeControllersConfiguration

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["service_uses", "tunnel_uses", "workload_uses"]

_OUR_CLASS = "calico"


def tunnel_uses(client: Client) -> Iterator[Use]:
    """Yield the addresses of the tunnels of all nodes, in both families."""
    for node in client.nodes.list():
        spec = node.spec
        tunnels = {
            "IPIP": spec.bgp.ipv4_ipip_tunnel_addr if spec.bgp else "",
            "VXLAN": spec.ipv4_vxlan_tunnel_addr,
            "VXLAN v6": spec.ipv6_vxlan_tunnel_addr,
            "WireGuard": spec.wireguard.interface_ipv4_address if spec.wireguard else "",
            "WireGuard v6": spec.wireguard.interface_ipv6_address if spec.wireguard else "",
        }
        yield from (Use(parse_address(at), f"node {node.name} ({kind} tunnel)") for kind, at in tunnels.items() if at)


def workload_uses(client: Client) -> Iterator[Use]:
    """Yield the addresses of all workload endpoints."""
    for endpoint in client.workload_endpoints.list():
        for network in endpoint.spec.ip_networks or ():
            yield Use(parse_address(network), f"workload {endpoint.namespace}/{endpoint.name}")


def service_uses(client: Client, services: Iterable[dict[str, Any]]) -> Iterator[Use]:
    """Yield the addresses of those load balancers of Kubernetes which Calico's controller gives addresses to."""
    classes = _classes(client)
    for service in services:
        spec, meta = service.get("spec") or {}, service.get("metadata") or {}
        if spec.get("type") != "LoadBalancer" or (spec.get("loadBalancerClass") or "") not in classes:
            continue
        status = (service.get("status") or {}).get("loadBalancer") or {}
        for ingress in status.get("ingress") or ():
            if ingress.get("ip"):
                yield Use(parse_address(ingress["ip"]), f"service {meta.get('namespace')}/{meta.get('name')}")


def _classes(client: Client) -> set[str]:
    """Which classes of load balancers are Calico's; services without a class are where its controller says so."""
    try:
        controllers = client.get(KubeControllersConfiguration, "default").spec.controllers
    except NotFound:
        return {_OUR_CLASS}
    balancer = controllers.load_balancer if controllers else None
    return {_OUR_CLASS, ""} if balancer is not None and balancer.assign_ips != "RequestedServicesOnly" else {_OUR_CLASS}
