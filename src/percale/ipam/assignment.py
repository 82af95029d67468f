# SPDX-License-Identifier: Apache-2.0
"""Automatic assignment: some addresses of one family for one host (spec/ipam.md section 5)."""

from __future__ import annotations

from collections.abc import Iterator

from percale.ipam.block import Attribute, Block
from percale.ipam.claims import Claims
from percale.ipam.errors import IpamError, Reason
from percale.ipam.networks import Network, parse_network, within
from percale.ipam.order import in_host_order
from percale.ipam.pools import Pool, PoolRequest, enabled_pools, pool_of, select_pools
from percale.ipam.records import Handle, IpamConfig
from percale.ipam.request import Assigned, AssignedAddress, AutoRequest
from percale.ipam.store import IpamStore, Stored, Surroundings, block_write, handle_write, retrying

__all__ = ["AutoAssignment"]

DEFAULT_BLOCK_LIMIT = 20
"""How many blocks a host may own when neither the configuration nor the request says it."""

_READ_AT_ONCE = 64


class AutoAssignment:
    """One family of one request on its way: made, run once, thrown away."""

    def __init__(self, store: IpamStore, claims: Claims, request: AutoRequest, version: int, count: int) -> None:
        self._store = store
        self._claims = claims
        self._request = request
        self._version = version
        self._count = count
        self._addresses: list[AssignedAddress] = []
        self._messages: list[str] = []
        self._surroundings: Surroundings
        self._wrote = False

    def run(self) -> Assigned:
        """Assign what can be assigned; a refusal comes back in the result, together with what was found before."""
        error = None
        try:
            self._assign()
        except IpamError as refusal:
            error = refusal
        return Assigned(self._count, tuple(self._addresses), tuple(self._messages), error)

    def ensure_block(self) -> Network:
        """Make the host own at least one usable block and return its network; raises IpamError."""
        pools = self._prepare()
        for stored in self._own_blocks(pools):
            if stored.value.free_ordinals(self._surroundings.reservations):
                return stored.value.network
        return self._new_block(pools, self._owned(pools)).value.network

    # The steps in their order

    def _assign(self) -> None:
        pools = self._prepare()
        if self._satisfied_by_handle():
            return
        self._release_strays()
        owned = self._owned(pools)
        for stored in self._own_blocks(pools):
            if not self._missing:
                return
            self._take_from(stored, owned=True)
        claimed = len(owned)
        while self._missing:
            found = self._next_block(pools, claimed)
            if found is None:
                break
            claimed += 1
            self._take_from(found, owned=True)
        if self._missing and not self._config.strict_affinity:
            self._borrow(pools)
        if self._missing:
            self._messages.append(f"got {len(self._addresses)} of {self._count} IPv{self._version} addresses")

    def _prepare(self) -> list[Pool]:
        request = self._request
        self._surroundings = self._store.surroundings(request.node, request.owner, self._version, request.handle)
        labels = self._surroundings.node_labels
        if request.node and labels is None:
            raise IpamError(Reason.NOT_FOUND, f"node {request.node} does not exist")
        wanted = PoolRequest(
            version=self._version,
            use=request.use,
            node_labels=labels or {},
            namespace_labels=request.namespace_labels,
            wanted=request.pools(self._version),
        )
        return self._large_enough(select_pools(self._surroundings.pools, wanted))

    def _large_enough(self, pools: list[Pool]) -> list[Pool]:
        reserved = self._request.reserved
        if reserved is None:
            return pools
        bits = (reserved.start + reserved.end).bit_length()
        fitting = [pool for pool in pools if pool.block_size <= pool.network.max_prefixlen - bits]
        if not fitting:
            raise IpamError(Reason.BLOCK_TOO_SMALL, "the reserved addresses fill a whole block of every pool")
        return fitting

    def _satisfied_by_handle(self) -> bool:
        """Take the addresses that the handle has already, if these are as many as it may have."""
        stored, limit = self._surroundings.handle, self._request.max_per_handle
        if not limit or stored is None or self._request.handle is None:
            return False
        networks = [network for network in map(parse_network, stored.value.blocks) if network.version == self._version]
        blocks = self._store.blocks_of(networks, self._config.cooldown_s)
        found = [address for block in blocks if block for address in block.value.addresses_of(self._request.handle)]
        if len(found) >= limit:
            self._addresses = [AssignedAddress(address, address.max_prefixlen) for address in found]
            return True
        return False

    def _release_strays(self) -> None:
        """Give up empty blocks in pools that do not select this node any more."""
        labels = self._surroundings.node_labels
        if labels is None:
            return
        enabled = enabled_pools(self._surroundings.pools, self._version)
        for network, _ in self._surroundings.affinities:
            pool = pool_of(enabled, network)
            if pool is None or pool.selects_node(labels):
                continue
            try:
                self._claims.release_if_owned(self._request.owner, network, self._config.cooldown_s, must_be_empty=True)
            except IpamError as error:
                if error.reason is not Reason.BLOCK_NOT_EMPTY:
                    raise

    def _owned(self, pools: list[Pool]) -> list[tuple[Network, bool]]:
        """Return the blocks of the owner inside the pools, in order of keys, and whether each is confirmed."""
        return [
            (network, affinity.value.is_confirmed)
            for network, affinity in self._surroundings.affinities
            if any(within(network, pool.network) for pool in pools)
        ]

    def _own_blocks(self, pools: list[Pool]) -> Iterator[Stored[Block]]:
        owned = [item for item in self._owned(pools) if not self._surroundings.reservations.covers(item[0])]
        blocks = self._store.blocks_of([network for network, _ in owned], self._config.cooldown_s)
        for (network, confirmed), stored in zip(owned, blocks, strict=True):
            if confirmed and stored is not None and stored.value.affinity == self._request.owner:
                yield stored
            elif (healed := self._heal(network)) is not None:
                yield healed

    def _heal(self, network: Network) -> Stored[Block] | None:
        """Finish a claim that was interrupted, or drop an affinity to somebody else's block."""
        try:
            return self._claim(network)
        except IpamError as error:
            if error.reason is not Reason.CLAIM_CONFLICT:
                raise
            return None

    def _claim(self, network: Network) -> Stored[Block]:
        return self._claims.claim(self._request.owner, network, self._config.cooldown_s, self._request.reserved)

    def _next_block(self, pools: list[Pool], owned: int) -> Stored[Block] | None:
        limit = self._block_limit
        if owned >= limit:
            raise IpamError(
                Reason.BLOCK_LIMIT, f"{self._request.owner} has {owned} blocks and may have no more than {limit}"
            )
        if not self._config.auto_allocate_blocks:
            raise IpamError(Reason.NO_BLOCK, "no block has a free address and autoAllocateBlocks is off")
        return self._claims.find_and_claim(
            self._request.owner,
            pools,
            self._surroundings.reservations,
            self._config.cooldown_s,
            self._request.reserved,
        )

    def _new_block(self, pools: list[Pool], owned: list[tuple[Network, bool]]) -> Stored[Block]:
        found = self._next_block(pools, len(owned))
        if found is None:
            raise IpamError(Reason.NO_BLOCK, f"no pool has a block left for {self._request.owner}")
        return found

    def _borrow(self, pools: list[Pool]) -> None:
        """Take addresses out of any block of the pools, whoever owns it."""
        existing = self._store.existing_blocks(self._version)
        reservations = self._surroundings.reservations
        for pool in pools:
            usable = [network for network in existing if pool.has_block(network) and not reservations.covers(network)]
            for stored in self._read_in_order(pool, usable):
                self._take_from(stored, owned=False)
                if not self._missing:
                    return
            self._messages.append(f"no addresses in pools {pool.network}")

    def _read_in_order(self, pool: Pool, networks: list[Network]) -> Iterator[Stored[Block]]:
        ordered = in_host_order(networks, pool.network, pool.block_size, self._request.host)
        for first in range(0, len(ordered), _READ_AT_ONCE):
            for stored in self._store.blocks_of(ordered[first : first + _READ_AT_ONCE], self._config.cooldown_s):
                if stored is not None:
                    yield stored

    # Taking addresses out of one block

    def _take_from(self, stored: Stored[Block], *, owned: bool) -> None:
        """Assign from a block what is missing; a block that we read too early is read again."""
        request = self._request
        current: Stored[Block] | None = stored
        for _ in retrying(f"the assignment from block {stored.value.network}"):
            if current is None or (owned and current.value.affinity != request.owner):
                return
            block, addresses = current.value.auto_assigned(
                self._missing,
                Attribute(request.handle or None, request.attributes or None),
                self._surroundings.reservations,
            )
            if not addresses:
                return
            writes = [block_write(block, current.revision)]
            if request.handle:
                writes.append(handle_write(request.handle, self._stored_handle(request.handle), block))
            self._wrote = True
            if self._store.commit(*writes):
                self._addresses += [AssignedAddress(address, block.network.prefixlen) for address in addresses]
                return
            current = self._store.block(stored.value.network, self._config.cooldown_s)

    def _stored_handle(self, handle: str) -> Stored[Handle] | None:
        """Return the handle as first read, or read again once anything has been written."""
        return self._store.handle(handle) if self._wrote else self._surroundings.handle

    @property
    def _config(self) -> IpamConfig:
        return self._surroundings.config

    @property
    def _block_limit(self) -> int:
        configured, asked = self._config.max_blocks_per_host, self._request.max_blocks
        if asked and configured:
            return min(asked, configured)
        return asked or configured or DEFAULT_BLOCK_LIMIT

    @property
    def _missing(self) -> int:
        return self._count - len(self._addresses)
