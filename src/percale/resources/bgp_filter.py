# SPDX-License-Identifier: Apache-2.0
"""BGPFilter: which routes pass to and from a peer; it is stored, not acted upon (spec/resources.md section 15)."""

from __future__ import annotations

from percale.resources.fields import ASNumber, Int32, Int64
from percale.resources.resource import Resource
from percale.resources.value import Canonical, Value, written

__all__ = [
    "BGPFilter",
    "BGPFilterAddCommunity",
    "BGPFilterCommunityMatch",
    "BGPFilterOperation",
    "BGPFilterPrefixLength",
    "BGPFilterPrependASPath",
    "BGPFilterRule",
    "BGPFilterSetPriority",
    "BGPFilterSpec",
]


class BGPFilterPrefixLength(Value, frozen=True, kw_only=True):
    """The shortest and longest prefix that matches."""

    min: Int32 | None = None  #: The shortest prefix length that matches; no lower limit unless given.
    max: Int32 | None = None  #: The longest prefix length that matches; no upper limit unless given.


class BGPFilterCommunityMatch(Value, frozen=True, kw_only=True):
    """The communities that a route must carry."""

    values: tuple[str, ...] | None = written(lambda: None)  #: The communities that match; at present exactly one.


class BGPFilterAddCommunity(Value, frozen=True, kw_only=True):
    """A community to add to a route."""

    value: str = written(str)  #: The community: two numbers joined by a colon, or three for a large community.


class BGPFilterPrependASPath(Canonical, frozen=True, kw_only=True):
    """AS numbers to put before a route's path."""

    #: The AS numbers, in the order in which they stand before the path.
    prefix: tuple[ASNumber, ...] | None = written(lambda: None)


class BGPFilterSetPriority(Value, frozen=True, kw_only=True):
    """The priority that a route gets."""

    value: Int64 = written(int)  #: The priority (metric) of the route; lower ones win.


class BGPFilterOperation(Value, frozen=True, kw_only=True):
    """One change of an accepted route; exactly one member is set."""

    add_community: BGPFilterAddCommunity | None = None  #: Add a community to the route.
    #: Put AS numbers before the route's path, which makes it less attractive.
    prepend_as_path: BGPFilterPrependASPath | None = None
    set_priority: BGPFilterSetPriority | None = None  #: Give the route this priority.


class BGPFilterRule(Canonical, frozen=True, kw_only=True):
    """``Accept`` or ``Reject`` for routes that match every member."""

    cidr: str = ""  #: Only routes whose destination stands in this relation (matchOperator) to the network.
    #: Only routes with a prefix length within these limits; needs cidr.
    prefix_length: BGPFilterPrefixLength | None = None
    source: str = ""  #: Only routes of this origin: RemotePeers are those learned from peers on other machines.
    interface: str = ""  #: Only routes through this interface; * stands for any characters.
    match_operator: str = ""  #: How the destination relates to cidr: Equal, NotEqual, In (within it) or NotIn.
    peer_type: str = ""  #: Only routes to or from such peers: eBGP ones have another AS number, iBGP ones the same.
    communities: BGPFilterCommunityMatch | None = None  #: Only routes that carry one of these communities.
    as_path_prefix: tuple[ASNumber, ...] = ()  #: Only routes whose AS path begins with these numbers.
    priority: Int64 | None = None  #: Only routes with this priority (metric).
    action: str = written(str)  #: What happens to a route that matches: Accept or Reject.
    operations: tuple[BGPFilterOperation, ...] = ()  #: Changes of an accepted route, in order.


class BGPFilterSpec(Value, frozen=True, kw_only=True):
    """Rules for each direction and family, the first that matches decides."""

    #: Rules for IPv4 routes that are sent to the peer; the first that matches decides.
    export_v4: tuple[BGPFilterRule, ...] = ()
    #: Rules for IPv4 routes that the peer sends; the first that matches decides.
    import_v4: tuple[BGPFilterRule, ...] = ()
    #: Rules for IPv6 routes that are sent to the peer; the first that matches decides.
    export_v6: tuple[BGPFilterRule, ...] = ()
    #: Rules for IPv6 routes that the peer sends; the first that matches decides.
    import_v6: tuple[BGPFilterRule, ...] = ()


class BGPFilter(Resource, frozen=True, kw_only=True):
    """Which routes pass to and from a peer."""

    spec: BGPFilterSpec = written(BGPFilterSpec)
