# SPDX-License-Identifier: Apache-2.0
"""What one active workload endpoint adds to the tables, and what it needs of routes and neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from percale.calc.host_state import WorkloadInterface
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.floating import FloatingAddress
from percale.dataplane.layout import FROM_WORKLOAD, TO_WORKLOAD, fixed_sets
from percale.dataplane.match import FAMILIES
from percale.dataplane.prefix import Prefix
from percale.netlink.nftables.datatypes import (
    CT_ESTABLISHED,
    CT_INVALID,
    CT_NEW,
    CT_RELATED,
    CT_UNTRACKED,
    IFNAME,
)
from percale.netlink.nftables.expressions import ACCEPT, goto
from percale.netlink.nftables.objects import Element, Set

__all__ = ["EndpointRouting", "arp_elements", "elements_of", "floating_addresses", "routing_of"]


class EndpointRouting(NamedTuple):
    """What an interface needs beside rules: routes to these, a neighbour entry, and whether it may spoof sources."""

    interface: str
    prefixes: tuple[Prefix, ...] = ()
    mac: str = ""
    neighbors: tuple[Prefix, ...] = ()
    may_spoof: bool = False


def elements_of(
    endpoint: WorkloadInterface, egress: str, ingress: str, config: DataplaneConfig
) -> Iterator[tuple[str, Element]]:
    """The (set name, element) pairs of an endpoint; none for one that is not active, so that it is dropped.

    ``egress`` and ``ingress`` name the chains of its programs.
    """
    if not endpoint.active:
        return
    for dispatch, program in ((FROM_WORKLOAD, egress), (TO_WORKLOAD, ingress)):
        yield from ((dispatch.name, element) for element in _dispatch(dispatch, endpoint.interface, program, config))
    name = IFNAME.encode(endpoint.interface)
    for prefix in _own(endpoint, config):
        yield fixed_sets(prefix.version).sources.name, Element(name + prefix.first)
    for prefix in _parsed(endpoint.allow_spoofed_source_prefixes, config):
        low, high = name + prefix.first, name + prefix.last
        yield fixed_sets(prefix.version).spoofed.name, Element.between(low, high)


def _dispatch(dispatch: Set, interface: str, program: str, config: DataplaneConfig) -> Iterator[Element]:
    """One look-up decides for established traffic; a state without an element is dropped by the rule that follows."""
    judged = [CT_NEW, CT_UNTRACKED] + [CT_INVALID] * config.disable_conntrack_invalid_check
    for state in (CT_ESTABLISHED, CT_RELATED):
        yield Element(dispatch.key_of(interface, state), None, ACCEPT)
    for state in judged:
        yield Element(dispatch.key_of(interface, state), None, goto(program))


def arp_elements(endpoint: WorkloadInterface) -> Iterator[Element]:
    """The addresses for which the host must not answer ARP on the endpoint's interface."""
    if endpoint.active:
        name = IFNAME.encode(endpoint.interface)
        for prefix in map(Prefix.parse, endpoint.ipv4_nets):
            yield Element(name + prefix.first)


def floating_addresses(endpoint: WorkloadInterface, config: DataplaneConfig) -> Iterator[FloatingAddress]:
    """The endpoint's 1:1 NATs, where they are enabled: by the configuration, and always for OpenStack."""
    if not endpoint.active or not (config.floating_ips or endpoint.sort_key[0] == "openstack"):
        return
    for nat in endpoint.nats:
        external, internal = Prefix.parse(nat.external_ip), Prefix.parse(nat.internal_ip)
        if external.version == internal.version and external.version in config.versions:
            yield FloatingAddress(external.version, external.first, internal.first, endpoint.interface)


def routing_of(endpoint: WorkloadInterface, config: DataplaneConfig) -> EndpointRouting:
    """What the endpoint's interface needs beside rules; of one that is not active neither routes nor neighbours."""
    may_spoof = bool(endpoint.allow_spoofed_source_prefixes)
    if not endpoint.active:
        return EndpointRouting(endpoint.interface, may_spoof=may_spoof)
    own = tuple(_own(endpoint, config))
    floating = tuple(
        Prefix(one.version, int.from_bytes(one.external, "big"), FAMILIES[one.version].size * 8)
        for one in floating_addresses(endpoint, config)
    )
    neighbors = tuple(prefix for prefix in own if prefix.version == 4) if endpoint.mac else ()
    return EndpointRouting(endpoint.interface, (*own, *floating), endpoint.mac, neighbors, may_spoof)


def _own(endpoint: WorkloadInterface, config: DataplaneConfig) -> Iterator[Prefix]:
    return _parsed((*endpoint.ipv4_nets, *endpoint.ipv6_nets), config)


def _parsed(texts: tuple[str, ...], config: DataplaneConfig) -> Iterator[Prefix]:
    return (prefix for prefix in map(Prefix.parse, texts) if prefix.version in config.versions)
