# SPDX-License-Identifier: Apache-2.0
"""Node: a machine of the cluster, as the network sees it (spec/resources.md section 11)."""

from __future__ import annotations

from percale.resources.fields import ASNumber
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = [
    "Node",
    "NodeAddress",
    "NodeBGPSpec",
    "NodeInterface",
    "NodeSpec",
    "NodeStatus",
    "NodeWireguardSpec",
    "OrchRef",
]


class NodeBGPSpec(Canonical, frozen=True, kw_only=True):
    """The node as a BGP speaker, and its address on the IPIP tunnel."""

    as_number: ASNumber | None = None
    ipv4_address: str = ""
    ipv6_address: str = ""
    ipv4_ipip_tunnel_addr: str = ""
    route_reflector_cluster_id: str = ""


class OrchRef(Value, frozen=True, kw_only=True):
    """The name by which an orchestrator knows the node."""

    node_name: str = ""
    orchestrator: str = written(str)


class NodeWireguardSpec(Value, frozen=True, kw_only=True):
    """The addresses of the node's WireGuard interface."""

    interface_ipv4_address: str = ""
    interface_ipv6_address: str = ""


class NodeAddress(Value, frozen=True, kw_only=True):
    """An address of the node: ``CalicoNodeIP``, ``InternalIP`` or ``ExternalIP``."""

    address: str = written(str)
    type: str = ""


class NodeInterface(Value, frozen=True, kw_only=True):
    """An interface of the node with its addresses."""

    name: str = ""
    addresses: tuple[str, ...] = ()


class NodeSpec(Value, frozen=True, kw_only=True):
    """How other nodes reach this one."""

    bgp: NodeBGPSpec | None = None
    ipv4_vxlan_tunnel_addr: str = ""
    vxlan_tunnel_mac_addr: str = ""
    ipv6_vxlan_tunnel_addr: str = ""
    vxlan_tunnel_mac_addr_v6: str = ""
    orch_refs: tuple[OrchRef, ...] = ()
    wireguard: NodeWireguardSpec | None = None
    addresses: tuple[NodeAddress, ...] = ()
    interfaces: tuple[NodeInterface, ...] = ()


class NodeStatus(Value, frozen=True, kw_only=True):
    """What the node's agent reports."""

    wireguard_public_key: str = ""
    wireguard_public_key_v6: str = ""
    pod_cidrs: tuple[str, ...] = ()


class Node(Resource, frozen=True, kw_only=True):
    """A machine of the cluster."""

    spec: NodeSpec = written(NodeSpec)
    status: NodeStatus = written(NodeStatus)
