# SPDX-License-Identifier: Apache-2.0
"""Several hosts at once, and hosts that die in the middle: an address never has two owners."""

import random
import threading
from collections import Counter

import pytest

from percale.datastore.keyvalue import KeyValue
from percale.errors import StoreUnavailable
from percale.ipam import AutoRequest, Ipam, block_problems


def owners(ipam):
    """How often each address in use appears in all blocks, and the handle that has it."""
    return {
        str(block.address(ordinal)): block.attributes[index].handle
        for block in ipam.blocks()
        for ordinal, index in enumerate(block.allocations)
        if index is not None
    }


def test_two_hosts_never_share_an_address(cluster, open_store):
    """Hosts that assign and release at the same time on one store hold disjoint addresses at every moment."""
    holding: Counter[str] = Counter()
    lock = threading.Lock()
    doubles, failures = [], []

    def work(host, seed):
        choose = random.Random(seed)
        mine = {}
        try:
            with open_store() as store:
                ipam = Ipam(store)
                for step in range(60):
                    handle = f"{host}.{seed}.{step}"
                    if mine and choose.random() < 0.45:
                        gone = choose.choice(sorted(mine))
                        with lock:
                            holding.subtract(mine.pop(gone))
                        ipam.release_by_handle(gone)
                        continue
                    got = [str(item.address) for item in ipam.auto_assign(AutoRequest(host, 1, 0, handle)).v4.addresses]
                    with lock:
                        holding.update(got)
                        doubles.extend(address for address in got if holding[address] > 1)
                    if got:
                        mine[handle] = got
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(host, host + seed)) for host in ("n1", "n2") for seed in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, doubles) == ([], [])
    assert all(block_problems(block) == [] for block in cluster.ipam.blocks())
    assert set(owners(cluster.ipam)) == {address for address, count in holding.items() if count}


class Dying(KeyValue):
    """A store that is lost at its n-th write; ``after`` tells whether that write still took place."""

    def __init__(self, store, writes, *, after):
        self._store, self._left, self._after = store, writes, after

    def __getattr__(self, name):
        return getattr(self._store, name)

    def txn(self, compares=(), then=(), orelse=()):
        if compares:
            self._left -= 1
            if self._left == 0:
                if self._after:
                    self._store.txn(compares, then, orelse)
                raise StoreUnavailable("the store went away")
        return self._store.txn(compares, then, orelse)

    def range(self, *args, **more):
        return self._store.range(*args, **more)

    def watch(self, *args, **more):
        raise AssertionError("IPAM does not watch")

    lease_grant = lease_keepalive = lease_revoke = compact = close = watch
    revision = property(lambda self: self._store.revision)

    def statistics(self):
        return self._store.statistics()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writes", range(1, 7))
def test_death_in_the_middle_loses_nothing(cluster, writes, after):
    """Wherever a host dies, the next call works, handles know their addresses and none is given twice."""
    dying = Ipam(Dying(cluster.store, writes, after=after), clock_ns=cluster.clock)
    try:
        dying.auto_assign(AutoRequest("n1", 6, 0, "dead"))
        dying.release_by_handle("dead")
    except StoreUnavailable:
        pass
    before = owners(cluster.ipam)
    got = cluster.ipam.auto_assign(AutoRequest("n1", 4, 0, "alive")).v4
    assert len(got.addresses) == 4
    assert not {str(item.address) for item in got.addresses} & set(before)
    if "dead" in before.values():
        assert set(map(str, cluster.ipam.addresses_of("dead"))) == {a for a, h in before.items() if h == "dead"}
    assert all(block_problems(block) == [] for block in cluster.ipam.blocks())
