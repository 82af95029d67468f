# SPDX-License-Identifier: Apache-2.0
"""Routes, permanent neighbors and sysctls of workload interfaces: desired, realised, and the way between.

An interface gets its routes only while it is up, and its sysctls each time it comes up (spec/dataplane.md sections 2.2
to 2.4). Connections of an address that leaves an interface are forgotten after its route is gone and before a new one
is there (section 2.8).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from percale.dataplane.claims import Claims
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.endpoints import EndpointRouting
from percale.dataplane.network import (
    DropNeighbor,
    DropRoute,
    ForgetConnections,
    NetworkOperation,
    PutNeighbor,
    PutRoute,
    SetSysctl,
)
from percale.dataplane.prefix import Prefix
from percale.netlink.rtnetlink.links import Link
from percale.netlink.rtnetlink.neighbors import Neighbor
from percale.netlink.rtnetlink.routes import SCOPE_LINK, Route

__all__ = ["Routing", "global_sysctls"]

_PROTOCOL_KERNEL = 2


class _Given(NamedTuple):
    """What an interface is to hold: routes to these prefixes, and the MAC of each address."""

    link: int = 0
    prefixes: frozenset[Prefix] = frozenset()
    neighbors: frozenset[Neighbor] = frozenset()


_NOTHING = _Given()
_NeighborKey: TypeAlias = tuple[int, str]


class Routing:
    """The routing of one host's workload interfaces.

    Changes are told by ``want``, ``link_changed`` and ``link_gone``; ``take_operations`` yields what they come to.
    ``resync`` compares everything with what was read from the host.
    """

    def __init__(self, config: DataplaneConfig, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self.rp_filter = "1" if config.rp_filter is None else str(config.rp_filter)
        self._wanted: dict[str, EndpointRouting] = {}
        self._links: dict[str, Link] = {}
        self._given: dict[str, _Given] = {}
        self._claims: Claims[Prefix, str] = Claims()
        self._desired_neighbors: dict[_NeighborKey, Neighbor] = {}
        # What the host has, as far as we know; entries in doubt are put or dropped again whatever stands here.
        self._routes: dict[Prefix, Route] = {}
        self._neighbors: dict[_NeighborKey, Neighbor] = {}
        self._doubted: set[Prefix | _NeighborKey] = set()
        self._dirty: set[str] = set()
        self._unprepared: set[str] = set()
        self._affected: set[Prefix] = set()
        self._affected_neighbors: set[_NeighborKey] = set()
        self._left: set[Prefix] = set()
        self._first_seen: dict[Route, float] = {}

    @property
    def routes(self) -> int:
        """How many routes are there."""
        return len(self._routes)

    @property
    def spared_s(self) -> float | None:
        """How many seconds until the first unknown route's grace ends, or None if there is none."""
        if not self._first_seen:
            return None
        return max(0.0, min(self._first_seen.values()) + self._config.grace_s - self._clock())

    def is_up(self, interface: str) -> bool:
        """Whether the interface is there and carries packets."""
        link = self._links.get(interface)
        return link is not None and link.operational

    def concerns(self, item: Route | Neighbor) -> bool:
        """Whether a route is over an interface that is wanted, or a neighbor is ours, so that it may be amiss."""
        if isinstance(item, Neighbor):
            return _key(item) in self._desired_neighbors
        return any(given.link == item.interface for given in self._given.values())

    def want(self, interface: str, wanted: EndpointRouting | None) -> None:
        """What an interface needs has changed; None for nothing."""
        old = self._wanted.pop(interface, None)
        if wanted is not None:
            self._wanted[interface] = wanted
        self._left.update(set(old.prefixes if old else ()) - set(wanted.prefixes if wanted else ()))
        self._dirty.add(interface)

    def link_changed(self, link: Link, *, flapped: bool = False) -> None:
        """A link is new or has changed, or was down in between; links that are not a workload's are passed over."""
        if not self._config.is_workload_interface(link.name):
            return
        old = self._links.get(link.name)
        self._links[link.name] = link
        self._dirty.add(link.name)
        if flapped or not link.operational or (old is not None and old.index != link.index):
            self._doubt(link.name)

    def link_gone(self, interface: str) -> None:
        """A link is gone, and with it what it held."""
        if self._links.pop(interface, None) is not None:
            self._dirty.add(interface)
            self._doubt(interface)

    def resync(self, links: Iterable[Link], routes: Iterable[Route], neighbors: Iterable[Neighbor]) -> None:
        """Take over what the host has; ``take_operations`` then yields what is amiss."""
        self._links = {link.name: link for link in links if self._config.is_workload_interface(link.name)}
        self._dirty.update(self._wanted, self._links, self._given)
        self._settle_interfaces()
        indexes = {link.index for link in self._links.values()}
        desired = {self._route_to(prefix): prefix for prefix in self._claims}
        here = [route for route in routes if route.interface in indexes and route.protocol != _PROTOCOL_KERNEL]
        self._routes = {desired[route]: route for route in here if route in desired}
        self._neighbors = {_key(one): one for one in neighbors if one.interface in indexes and one.state == "permanent"}
        self._doubted.clear()
        self._affected.update(self._claims)
        self._affected_neighbors.update(self._desired_neighbors)
        now = self._clock()
        unknown = [route for route in here if route not in desired and self._is_ours(route)]
        self._first_seen = {route: self._first_seen.get(route, now) for route in unknown}

    def take_operations(self) -> tuple[NetworkOperation, ...]:
        """What must be done, in order: what goes, connections to forget, sysctls, what comes."""
        self._settle_interfaces()
        sysctls = [
            sysctl
            for interface in sorted(self._unprepared & self._given.keys())
            for sysctl in self._sysctls(self._wanted[interface])
        ]
        drops: list[NetworkOperation] = []
        puts: list[NetworkOperation] = []
        for prefix in sorted(self._affected):
            self._settle_route(prefix, drops, puts)
        for key in sorted(self._affected_neighbors):
            self._settle_neighbor(key, drops, puts)
        drops.extend(self._expired())
        left = tuple(str(prefix).partition("/")[0] for prefix in sorted(self._left))
        forget = [ForgetConnections(left)] if left else []
        for touched in (self._unprepared, self._affected, self._affected_neighbors, self._doubted, self._left):
            touched.clear()
        return (*drops, *forget, *sysctls, *puts)

    def owned(self, routes: Iterable[Route], neighbors: Iterable[Neighbor]) -> Iterator[NetworkOperation]:
        """The operations that take away all of ours, for a host that is left for good."""
        indexes = {link.index for link in self._links.values()}
        for route in routes:
            ours = route.protocol == self._config.route_protocol and route.metric == self._config.route_metric
            if route.interface in indexes and ours:
                yield DropRoute(route)
        for neighbor in neighbors:
            # We make no IPv6 neighbors.
            if neighbor.interface in indexes and neighbor.state == "permanent" and ":" not in neighbor.address:
                yield DropNeighbor(neighbor)

    def _doubt(self, interface: str) -> None:
        """The kernel may have taken away what the interface held."""
        given = self._given.get(interface, _NOTHING)
        self._doubted.update(given.prefixes)
        self._doubted.update(map(_key, given.neighbors))
        self._affected.update(given.prefixes)
        self._affected_neighbors.update(map(_key, given.neighbors))

    def _settle_interfaces(self) -> None:
        """Bring claims and desired neighbors in step with what was wanted and with the links."""
        for interface in sorted(self._dirty):
            old, new = self._given.pop(interface, _NOTHING), self._due(interface)
            if new is not _NOTHING:
                self._given[interface] = new
            for prefix in old.prefixes - new.prefixes:
                self._claims.withdraw(prefix, interface)
            for prefix in new.prefixes - old.prefixes:
                self._claims.add(prefix, interface)
            for neighbor in old.neighbors - new.neighbors:
                del self._desired_neighbors[_key(neighbor)]
            for neighbor in new.neighbors - old.neighbors:
                self._desired_neighbors[_key(neighbor)] = neighbor
            self._affected |= old.prefixes | new.prefixes
            self._affected_neighbors.update(map(_key, old.neighbors | new.neighbors))
        self._unprepared |= self._dirty
        self._dirty.clear()

    def _due(self, interface: str) -> _Given:
        """What the interface is to hold now: all that is wanted while it is up, with a carrier or not.

        A carrier comes late and may go for a moment, and what is there then needs nobody to put it back.
        """
        link, wanted = self._links.get(interface), self._wanted.get(interface)
        if link is None or wanted is None or not link.up:
            return _NOTHING
        neighbors = (Neighbor(link.index, str(prefix).partition("/")[0], wanted.mac) for prefix in wanted.neighbors)
        return _Given(link.index, frozenset(wanted.prefixes), frozenset(neighbors))

    def _settle_route(self, prefix: Prefix, drops: list[NetworkOperation], puts: list[NetworkOperation]) -> None:
        realised = self._routes.get(prefix)
        desired = self._route_to(prefix) if self._claims.winner(prefix) is not None else None
        if realised == desired and prefix not in self._doubted:
            return
        if realised is not None and (desired is None or desired.interface != realised.interface):
            drops.append(DropRoute(realised))
            del self._routes[prefix]
        if desired is not None:
            puts.append(PutRoute(desired))
            self._routes[prefix] = desired

    def _settle_neighbor(self, key: _NeighborKey, drops: list[NetworkOperation], puts: list[NetworkOperation]) -> None:
        realised, desired = self._neighbors.get(key), self._desired_neighbors.get(key)
        if realised == desired and key not in self._doubted:
            return
        if desired is not None:
            puts.append(PutNeighbor(desired))
            self._neighbors[key] = desired
        elif realised is not None:
            drops.append(DropNeighbor(realised))
            del self._neighbors[key]

    def _route_to(self, prefix: Prefix) -> Route:
        interface = self._claims.winner(prefix)
        assert interface is not None
        return Route(
            str(prefix),
            self._given[interface].link,
            metric=self._config.route_metric,
            protocol=self._config.route_protocol,
            scope=SCOPE_LINK,
        ).reported()

    def _is_ours(self, route: Route) -> bool:
        return self._config.remove_external_routes or route.protocol == self._config.route_protocol

    def _expired(self) -> Iterator[NetworkOperation]:
        """Unknown routes whose grace is over: a CNI plugin adds a route before its endpoint is heard of."""
        now, wanted = self._clock(), set(self._routes.values())
        for route, seen in list(self._first_seen.items()):
            if route in wanted or now - seen >= self._config.grace_s:
                del self._first_seen[route]
                if route not in wanted:
                    yield DropRoute(route)

    def _sysctls(self, wanted: EndpointRouting) -> Iterator[SetSysctl]:
        name = wanted.interface
        yield SetSysctl(f"net/ipv6/conf/{name}/accept_ra", "0")
        yield SetSysctl(f"net/ipv4/conf/{name}/route_localnet", "1")
        yield SetSysctl(f"net/ipv4/neigh/{name}/proxy_delay", "0", vital=False)
        yield SetSysctl(f"net/ipv4/conf/{name}/proxy_arp", "1")
        yield SetSysctl(f"net/ipv4/conf/{name}/forwarding", "1")
        yield SetSysctl(f"net/ipv4/conf/{name}/rp_filter", "0" if wanted.may_spoof else self.rp_filter)
        if self._config.ipv6:
            yield SetSysctl(f"net/ipv6/conf/{name}/proxy_ndp", "1")
            yield SetSysctl(f"net/ipv6/conf/{name}/forwarding", "1")


def global_sysctls(config: DataplaneConfig) -> Iterator[SetSysctl]:
    """What a host needs to forward for workloads (spec/dataplane.md section 2.1)."""
    if config.ip_forward:
        yield SetSysctl("net/ipv4/ip_forward", "1")
        if config.ipv6:
            yield SetSysctl("net/ipv6/conf/all/forwarding", "1")
    yield SetSysctl("net/netfilter/nf_conntrack_acct", "1", vital=False)


def _key(neighbor: Neighbor) -> _NeighborKey:
    return neighbor.interface, neighbor.address
