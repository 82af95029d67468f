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

    as_number: ASNumber | None = None  #: The node's AS number; that of the BGPConfiguration unless given.
    ipv4_address: str = ""  #: The node's IPv4 address towards other nodes, with the prefix length of its subnet.
    ipv6_address: str = ""  #: The node's IPv6 address towards other nodes, with the prefix length of its subnet.
    ipv4_ipip_tunnel_addr: str = ""  #: The IPv4 address of the node's IP-in-IP interface.
    #: The cluster identifier, written as an IPv4 address, under which the node reflects routes; it reflects none unless
    #: given.
    route_reflector_cluster_id: str = ""


class OrchRef(Value, frozen=True, kw_only=True):
    """The name by which an orchestrator knows the node."""

    node_name: str = ""  #: The node's name in the orchestrator.
    orchestrator: str = written(str)  #: The orchestrator, such as k8s.


class NodeWireguardSpec(Value, frozen=True, kw_only=True):
    """The addresses of the node's WireGuard interface."""

    interface_ipv4_address: str = ""  #: The IPv4 address of the node's WireGuard interface.
    interface_ipv6_address: str = ""  #: The IPv6 address of the node's WireGuard interface.


class NodeAddress(Value, frozen=True, kw_only=True):
    """An address of the node: ``CalicoNodeIP``, ``InternalIP`` or ``ExternalIP``."""

    address: str = written(str)  #: The address, perhaps with the prefix length of its subnet.
    type: str = ""  #: What the address is: CalicoNodeIP (Calico's own choice), InternalIP or ExternalIP.


class NodeInterface(Value, frozen=True, kw_only=True):
    """An interface of the node with its addresses."""

    name: str = ""  #: The interface's name.
    addresses: tuple[str, ...] = ()  #: The interface's addresses.


class NodeSpec(Value, frozen=True, kw_only=True):
    """How other nodes reach this one."""

    #: The node as a BGP speaker, and its addresses towards other nodes; absent on a node without BGP.
    bgp: NodeBGPSpec | None = None
    ipv4_vxlan_tunnel_addr: str = ""  #: The IPv4 address of the node's VXLAN interface.
    vxlan_tunnel_mac_addr: str = ""  #: The hardware address of the node's VXLAN interface for IPv4.
    ipv6_vxlan_tunnel_addr: str = ""  #: The IPv6 address of the node's VXLAN interface.
    vxlan_tunnel_mac_addr_v6: str = ""  #: The hardware address of the node's VXLAN interface for IPv6.
    orch_refs: tuple[OrchRef, ...] = ()  #: The names by which orchestrators know the node.
    wireguard: NodeWireguardSpec | None = None  #: The node's addresses in the WireGuard network.
    addresses: tuple[NodeAddress, ...] = ()  #: The node's addresses, as its orchestrator and Calico know them.
    interfaces: tuple[NodeInterface, ...] = ()  #: The node's interfaces with their addresses.


class NodeStatus(Value, frozen=True, kw_only=True):
    """What the node's agent reports."""

    wireguard_public_key: str = ""  #: The public key of the node's WireGuard interface for IPv4: base64 of 32 bytes.
    wireguard_public_key_v6: str = ""  #: The public key of the node's WireGuard interface for IPv6: base64 of 32 bytes.
    pod_cidrs: tuple[str, ...] = ()  #: The networks from which Kubernetes lets the node give addresses to pods.


class Node(Resource, frozen=True, kw_only=True):
    """A machine of the cluster."""

    spec: NodeSpec = written(NodeSpec)
    status: NodeStatus = written(NodeStatus)
