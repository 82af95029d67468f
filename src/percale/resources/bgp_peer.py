# SPDX-License-Identifier: Apache-2.0
"""BGPPeer: a neighbour to exchange routes with; it is stored, not acted upon (spec/resources.md section 15)."""

from __future__ import annotations

from percale.resources.fields import ASNumber, Duration, Int32, UInt8
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = ["BGPPassword", "BGPPeer", "BGPPeerSpec", "SecretKeySelector"]


class SecretKeySelector(Value, frozen=True, kw_only=True):
    """One key of a Kubernetes Secret."""

    name: str = ""
    key: str = written(str)
    optional: bool | None = None


class BGPPassword(Value, frozen=True, kw_only=True):
    """Where the password of a session is kept."""

    secret_key_ref: SecretKeySelector | None = None


class BGPPeerSpec(Canonical, frozen=True, kw_only=True):
    """Which nodes peer with whom, and how."""

    node: str = ""  #: The node that peers; all nodes unless given.
    node_selector: str = ""  #: The nodes that peer.
    peer_ip: str = ""  #: The address of the peer, perhaps with its port.
    as_number: ASNumber = 0  #: The AS number of the peer.
    local_as_number: ASNumber | None = None
    peer_selector: str = ""  #: The nodes with which they peer.
    keep_original_next_hop: bool = False  #: Leave the next hop of routes as it is.
    next_hop_mode: str | None = None
    password: BGPPassword | None = None  #: The secret that signs the session.
    source_address: str = ""
    max_restart_time: Duration | None = None
    keepalive_time: Duration | None = None
    num_allowed_local_as_numbers: Int32 | None = None
    ttl_security: UInt8 | None = None
    reachable_by: str = ""
    filters: tuple[str, ...] = ()  #: Filters of routes, in order.
    local_workload_selector: str = ""
    reverse_peering: str | None = None


class BGPPeer(Resource, frozen=True, kw_only=True):
    """A neighbour to exchange routes with."""

    spec: BGPPeerSpec = written(BGPPeerSpec)
