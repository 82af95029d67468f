# SPDX-License-Identifier: Apache-2.0
"""IP pools in the tables: traffic from a masqueraded pool to outside all pools takes the host's address."""

from __future__ import annotations

from percale.calc.host_state import Pool
from percale.dataplane.cover import cover_of
from percale.dataplane.layout import fixed_sets
from percale.dataplane.prefix import Prefix
from percale.dataplane.ruleset import Ruleset

__all__ = ["Pools"]


class Pools:
    """The pools of the cluster; there are few of them, so a change computes both covers anew."""

    def __init__(self, ruleset: Ruleset, versions: tuple[int, ...]) -> None:
        self._ruleset, self._versions = ruleset, versions
        self._pools: dict[str, Pool] = {}
        self._changed = False

    def put(self, pool: Pool) -> None:
        """A pool is new or has changed."""
        self._pools[pool.name] = pool
        self._changed = True

    def remove(self, name: str) -> None:
        """A pool is gone."""
        del self._pools[name]
        self._changed = True

    def settle(self) -> None:
        """Bring the sets of all pools and of the masqueraded ones up to date."""
        if not self._changed:
            return
        self._changed = False
        for version in self._versions:
            sets = fixed_sets(version)
            self._fill(sets.pools.name, version, list(self._pools.values()))
            self._fill(sets.masqueraded.name, version, [pool for pool in self._pools.values() if pool.nat_outgoing])

    def _fill(self, set_name: str, version: int, pools: list[Pool]) -> None:
        prefixes = (Prefix.parse(pool.cidr) for pool in pools)
        wanted = {prefix.element() for prefix in cover_of(one for one in prefixes if one.version == version)}
        present = set(self._ruleset.contents.elements[set_name])
        for element in present - wanted:
            self._ruleset.discard(set_name, element)
        for element in wanted - present:
            self._ruleset.add(set_name, element)
