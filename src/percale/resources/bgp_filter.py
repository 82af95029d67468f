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

    min: Int32 | None = None
    max: Int32 | None = None


class BGPFilterCommunityMatch(Value, frozen=True, kw_only=True):
    """The communities that a route must carry."""

    values: tuple[str, ...] | None = written(lambda: None)


class BGPFilterAddCommunity(Value, frozen=True, kw_only=True):
    """A community to add to a route."""

    value: str = written(str)


class BGPFilterPrependASPath(Canonical, frozen=True, kw_only=True):
    """AS numbers to put before a route's path."""

    prefix: tuple[ASNumber, ...] | None = written(lambda: None)


class BGPFilterSetPriority(Value, frozen=True, kw_only=True):
    """The priority that a route gets."""

    value: Int64 = written(int)


class BGPFilterOperation(Value, frozen=True, kw_only=True):
    """One change of an accepted route; exactly one member is set."""

    add_community: BGPFilterAddCommunity | None = None
    prepend_as_path: BGPFilterPrependASPath | None = None
    set_priority: BGPFilterSetPriority | None = None


class BGPFilterRule(Canonical, frozen=True, kw_only=True):
    """``Accept`` or ``Reject`` for routes that match every member."""

    cidr: str = ""
    prefix_length: BGPFilterPrefixLength | None = None
    source: str = ""
    interface: str = ""
    match_operator: str = ""
    peer_type: str = ""
    communities: BGPFilterCommunityMatch | None = None
    as_path_prefix: tuple[ASNumber, ...] = ()
    priority: Int64 | None = None
    action: str = written(str)
    operations: tuple[BGPFilterOperation, ...] = ()


class BGPFilterSpec(Value, frozen=True, kw_only=True):
    """Rules for each direction and family, the first that matches decides."""

    export_v4: tuple[BGPFilterRule, ...] = ()
    import_v4: tuple[BGPFilterRule, ...] = ()
    export_v6: tuple[BGPFilterRule, ...] = ()
    import_v6: tuple[BGPFilterRule, ...] = ()


class BGPFilter(Resource, frozen=True, kw_only=True):
    """Which routes pass to and from a peer."""

    spec: BGPFilterSpec = written(BGPFilterSpec)
