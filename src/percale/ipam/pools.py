# SPDX-License-Identifier: Apache-2.0
"""Which pools a request may take addresses from, and in which order (spec/ipam.md section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Address, Network, parse_network, within
from percale.resources import IPPool
from percale.selectors import parse

__all__ = ["Pool", "PoolRequest", "enabled_pools", "pool_of", "select_pools"]

DEFAULT_BLOCK_SIZE = {4: 26, 6: 122}
DEFAULT_USES = ("Workload", "Tunnel")


@dataclass(frozen=True, slots=True)
class Pool:
    """An IPPool as the allocator sees it: defaults filled in, its network parsed."""

    name: str
    network: Network
    block_size: int
    enabled: bool
    allowed_uses: tuple[str, ...]
    node_selector: str
    namespace_selector: str | None
    manual: bool

    @classmethod
    def of(cls, resource: IPPool) -> Pool:
        """Return the pool of a resource; raises ValueError for a CIDR or selector that is none."""
        spec = resource.spec
        for selector in (spec.node_selector, spec.namespace_selector):
            parse(selector)
        network = parse_network(spec.cidr)
        conditions = resource.status.conditions if resource.status is not None else ()
        blocked = any(item.type == "Allocatable" and item.status == "False" for item in conditions)
        return cls(
            name=resource.name,
            network=network,
            block_size=spec.block_size or DEFAULT_BLOCK_SIZE[network.version],
            enabled=not (spec.disabled or blocked or resource.metadata.deletion_timestamp),
            allowed_uses=spec.allowed_uses or DEFAULT_USES,
            node_selector=spec.node_selector,
            namespace_selector=spec.namespace_selector or None,
            manual=spec.assignment_mode == "Manual",
        )

    def selects_node(self, labels: Mapping[str, str]) -> bool:
        """Report whether hosts with these labels may own blocks of this pool."""
        return parse(self.node_selector).matches(labels)

    def selects_namespace(self, labels: Mapping[str, str]) -> bool:
        """Report whether workloads in a namespace with these labels may have addresses of this pool."""
        return self.namespace_selector is None or parse(self.namespace_selector).matches(labels)

    def has_block(self, network: Network) -> bool:
        """Report whether a network is one of the blocks that this pool is cut into."""
        return network.prefixlen == self.block_size and within(network, self.network)

    def block_of(self, address: Address) -> Network:
        """Return the network of the block that an address of this pool belongs to."""
        return parse_network(f"{address}/{self.block_size}")


@dataclass(frozen=True, slots=True)
class PoolRequest:
    """What an automatic assignment asks of pools; ``wanted`` are their CIDRs in order, () leaves the choice."""

    version: int
    use: str
    node_labels: Mapping[str, str]
    namespace_labels: Mapping[str, str]
    wanted: tuple[Network, ...] = ()


def enabled_pools(pools: Iterable[Pool], version: int) -> list[Pool]:
    """Return the pools of an IP version that are open for allocation, sorted by name."""
    return sorted(
        (pool for pool in pools if pool.enabled and pool.network.version == version), key=lambda pool: pool.name
    )


def pool_of(pools: Iterable[Pool], network: Network) -> Pool | None:
    """Return the pool that holds a network, None if there is none."""
    return next((pool for pool in pools if within(network, pool.network)), None)


def select_pools(pools: Iterable[Pool], request: PoolRequest) -> list[Pool]:
    """Return the pools to try, in order; raises IpamError with the reason when there is none."""
    enabled = enabled_pools(pools, request.version)
    if not enabled:
        raise IpamError(Reason.NO_QUALIFIED_POOL, f"no IPv{request.version} pool is enabled")
    if not request.use:
        raise IpamError(Reason.USE_REQUIRED, "an assignment must say what the address is for")
    candidates = _requested(enabled, request.wanted) if request.wanted else _selecting(enabled, request)
    fitting = [pool for pool in candidates if request.use in pool.allowed_uses]
    if not fitting:
        names = ", ".join(pool.name for pool in candidates)
        raise IpamError(Reason.NO_QUALIFIED_POOL, f"none of the pools {names} allows the use {request.use}")
    return fitting


def _requested(enabled: Sequence[Pool], wanted: Iterable[Network]) -> list[Pool]:
    by_network = {pool.network: pool for pool in enabled}
    missing = [str(network) for network in wanted if network not in by_network]
    if missing:
        raise IpamError(
            Reason.REQUESTED_POOL_MISSING, f"the requested pools {', '.join(missing)} are not enabled pools"
        )
    return [by_network[network] for network in wanted]


def _selecting(enabled: Sequence[Pool], request: PoolRequest) -> list[Pool]:
    candidates = [
        pool
        for pool in enabled
        if not pool.manual
        and pool.selects_node(request.node_labels)
        and pool.selects_namespace(request.namespace_labels)
    ]
    if not candidates:
        names = ", ".join(pool.name for pool in enabled)
        raise IpamError(Reason.NO_POOLS_FOR_NODE, f"none of the enabled pools {names} selects this node and namespace")
    return candidates
