# SPDX-License-Identifier: Apache-2.0
"""Deletes that take more than one object along: a Node (spec/storage-etcd.md section 6) and an IPPool (section 3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from percale.datastore.seams import Datastore
from percale.errors import NotFound, NotSupported
from percale.resources import EndpointIdentifiers, Key, Node, Resource

__all__ = ["Addresses", "delete_pool", "release_node"]

_POOL_PAUSE_S = 0.5
"""How long allocators get to notice that a pool is disabled, before its blocks are taken from them."""


class Addresses(Protocol):
    """What these deletes need of address management, which stands above the client."""

    def release_addresses(self, addresses: list[str]) -> object:
        """Free single addresses (``192.0.2.1``); those that are free already are no error."""

    def remove_host(self, host: str) -> object:
        """Give back all blocks of a host and forget it."""

    def release_pool(self, cidr: str) -> object:
        """Give back the affinities of all blocks inside a pool."""


def release_node(datastore: Datastore, name: str, addresses: Addresses | None) -> None:
    """Delete what belongs to a node, its addresses included, but not the node; what is gone already is passed over."""
    prefix = EndpointIdentifiers(node=name).prefix()
    endpoints = [
        endpoint
        for endpoint in datastore.list("WorkloadEndpoint", name=prefix, prefix=True).items
        if endpoint.spec.node == name
    ]
    if addresses is not None:
        networks = [network for endpoint in endpoints for network in endpoint.spec.ip_networks]
        networks += _tunnel_addresses(datastore, name)
        if networks:
            addresses.release_addresses([network.partition("/")[0] for network in networks])
    for endpoint in endpoints:
        _delete(datastore, endpoint.key)
    if addresses is not None:
        addresses.remove_host(name)
    for key in _configuration_of(datastore, name):
        _delete(datastore, key)


def delete_pool(
    datastore: Datastore,
    pool: Resource,
    addresses: Addresses | None,
    resource_version: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Resource:
    """Disable a pool, take its blocks back, and delete it."""
    if resource_version:
        pool = pool.with_metadata(resource_version=resource_version)
    if not pool.spec.disabled or resource_version:
        pool = datastore.update(pool.replace(spec=pool.spec.replace(disabled=True)))
        if addresses is not None:
            sleep(_POOL_PAUSE_S)
    if addresses is not None:
        addresses.release_pool(pool.spec.cidr)
    return datastore.delete(pool.key, resource_version=pool.metadata.resource_version)


def _tunnel_addresses(datastore: Datastore, name: str) -> list[str]:
    try:
        node = datastore.get(Key("Node", "", name))
    except NotFound:
        return []
    assert isinstance(node, Node)
    spec = node.spec
    found = [
        spec.bgp.ipv4_ipip_tunnel_addr if spec.bgp else "",
        spec.ipv4_vxlan_tunnel_addr,
        spec.wireguard.interface_ipv4_address if spec.wireguard else "",
    ]
    return [address for address in found if address]


def _configuration_of(datastore: Datastore, name: str) -> Iterator[Key]:
    for peer in datastore.list("BGPPeer").items:
        if peer.spec.node == name:
            yield peer.key
    yield Key("FelixConfiguration", "", f"node.{name}")
    yield Key("BGPConfiguration", "", f"node.{name}")
    for endpoint in datastore.list("HostEndpoint").items:
        if endpoint.spec.node == name:
            yield endpoint.key


def _delete(datastore: Datastore, key: Key) -> None:
    try:
        datastore.delete(key)
    except (NotFound, NotSupported):
        return
