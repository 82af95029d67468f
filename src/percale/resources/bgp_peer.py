# SPDX-License-Identifier: Apache-2.0
"""BGPPeer: a neighbour to exchange routes with; it is stored, not acted upon (spec/resources.md section 15)."""

from __future__ import annotations

from percale.resources.fields import ASNumber, Duration, Int32, UInt8
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = ["BGPPassword", "BGPPeer", "BGPPeerSpec", "SecretKeySelector"]


class SecretKeySelector(Value, frozen=True, kw_only=True):
    """One key of a Kubernetes Secret."""

    name: str = ""  #: The name of the Secret.
    key: str = written(str)  #: The key within the Secret.
    optional: bool | None = None  #: Whether the Secret or its key may be missing; false unless given.


class BGPPassword(Value, frozen=True, kw_only=True):
    """Where the password of a session is kept."""

    secret_key_ref: SecretKeySelector | None = None  #: The key of a Kubernetes Secret that holds the password.


class BGPPeerSpec(Canonical, frozen=True, kw_only=True):
    """Which nodes peer with whom, and how."""

    node: str = ""  #: The node that peers; without node and nodeSelector all nodes do.
    node_selector: str = ""  #: The nodes that peer, by their labels; not together with node.
    peer_ip: str = ""  #: The address of the peer, with :port where it is not 179; not together with peerSelector.
    #: The AS number of the peer; 0 or absent with peerSelector, where the nodes themselves know it.
    as_number: ASNumber = 0
    #: The AS number that the node claims towards this peer; its own unless given.
    local_as_number: ASNumber | None = None
    peer_selector: str = ""  #: The nodes that are the peers, by their labels; not together with peerIP.
    #: Whether routes to an external peer keep their next hop; the older form of nextHopMode Keep.
    keep_original_next_hop: bool = False
    #: The next hop of routes that are sent: Auto (the default, as BGP has it), Self (this node) or Keep (as learned).
    next_hop_mode: str | None = None
    password: BGPPassword | None = None  #: The secret that signs the session's TCP segments; unsigned unless given.
    #: The node's own address in the session: UseNodeIP (the default), or None to leave it to the kernel.
    source_address: str = ""
    #: How long the peer's routes are kept while it restarts; the BGP daemon's own time unless given.
    max_restart_time: Duration | None = None
    #: The time between keepalive messages; the BGP daemon's own time unless given.
    keepalive_time: Duration | None = None
    #: How often the own AS number may stand in the path of a received route; such loops are refused unless given.
    num_allowed_local_as_numbers: Int32 | None = None
    #: Refuse packets of peers more than so many hops away (RFC 5082); 0 or absent is no check.
    ttl_security: UInt8 | None = None
    #: The gateway through which peerIP is reached, where no route leads to it; of the same family.
    reachable_by: str = ""
    filters: tuple[str, ...] = ()  #: The names of the BGPFilters that routes to and from the peer pass, in order.
    #: The workloads on the node itself that are the peers, by their labels; needs asNumber.
    local_workload_selector: str = ""
    #: Whether selected peers that are nodes peer back by themselves (Auto, the default) or need a BGPPeer of their own
    #: (Manual).
    reverse_peering: str | None = None


class BGPPeer(Resource, frozen=True, kw_only=True):
    """A neighbour to exchange routes with."""

    spec: BGPPeerSpec = written(BGPPeerSpec)
