# SPDX-License-Identifier: Apache-2.0
"""Copying everything of Calico from one store of keys and values into another, and comparing the two afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from percale.datastore.keys import CALICO
from percale.datastore.keyvalue import Compare, Item, KeyValue, Put, TxnResult, prefix_end
from percale.errors import Refused, StoreUnavailable

__all__ = ["BrokenOff", "Copied", "copy_store", "differences"]

_PAGE = 1000
_BYTES_PER_TRANSACTION = 1_000_000  # etcd refuses requests above 1.5 MiB
_OPERATIONS_PER_TRANSACTION = 100


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: how many keys of which revision; keys with a lease are left to who renews them."""

    keys: int
    revision: int
    leased: int


class BrokenOff(StoreUnavailable):
    """A copy ended in its midst because of the ``fault``, so that the target holds a part of it."""

    def __init__(self, fault: StoreUnavailable) -> None:
        self.fault = fault
        super().__init__(f"{fault}. The target holds a part of the copy now: copy again with --overwrite")


def copy_store(
    source: KeyValue, target: KeyValue, *, overwrite: bool = False, progress: Callable[[int, int], None] | None = None
) -> Copied:
    """Copy what one revision of the source holds, then compare.

    Raises Refused for a target that is not empty, BrokenOff where a store becomes unavailable on the way.

    With ``overwrite`` what the target has is deleted first. Keys and values stay the same bytes, so UIDs do too;
    revisions are the target's own. ``progress`` is told how many steps are done, and of how many: each key is one when
    it is copied and one when it is compared.
    """
    end = prefix_end(CALICO)
    revision = source.revision  # before anything is deleted: the source may be silent, or be the target by another name
    if overwrite:
        target.delete(CALICO, end)
    elif target.range(CALICO, end, limit=1, keys_only=True).items:
        raise Refused("the target holds a datastore already; --overwrite deletes it first")
    try:
        return _copied(source, target, revision, progress)
    except StoreUnavailable as fault:
        raise BrokenOff(fault) from fault


def _copied(source: KeyValue, target: KeyValue, revision: int, progress: Callable[[int, int], None] | None) -> Copied:
    steps = _Steps(progress, 2 * sum(1 for _ in _items(source, revision, keys_only=True)) if progress else 0)
    keys = leased = 0
    for batch in _batches(steps.of(_items(source, revision))):
        lasting = [item for item in batch if not item.lease]
        leased += len(batch) - len(lasting)
        _write(target, lasting)
        keys += len(lasting)
        steps.tell()
    compared = _differences(_without_leases(steps.of(_items(source, revision))), _lasting(target, target.revision))
    different = next(compared, "")
    if different:
        raise Refused(f"the copy differs at {different}; was the target written meanwhile? Copy again with --overwrite")
    steps.tell()
    return Copied(keys, revision, leased)


class _Steps:
    """Counts what was done and tells it, now and then."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def of(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items, each a step when the next one is asked for."""
        for item in items:
            yield item
            self._done += 1
            if self._done % _PAGE == 0:
                self.tell()

    def tell(self) -> None:
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)


def differences(left: KeyValue, left_revision: int, right: KeyValue, right_revision: int) -> Iterator[str]:
    """Yield the keys without a lease that are not equal byte for byte in two revisions of two stores."""
    return _differences(_lasting(left, left_revision), _lasting(right, right_revision))


def _differences(ours: Iterator[Item], theirs: Iterator[Item]) -> Iterator[str]:
    one, other = next(ours, None), next(theirs, None)
    while one or other:
        if one and other and one.key == other.key:
            if one.value != other.value:
                yield one.key
            one, other = next(ours, None), next(theirs, None)
        elif other is None or (one is not None and one.key < other.key):
            assert one is not None
            yield one.key
            one = next(ours, None)
        else:
            yield other.key
            other = next(theirs, None)


def _lasting(store: KeyValue, revision: int) -> Iterator[Item]:
    return _without_leases(_items(store, revision))


def _without_leases(items: Iterator[Item]) -> Iterator[Item]:
    return (item for item in items if not item.lease)


def _items(store: KeyValue, revision: int, *, keys_only: bool = False) -> Iterator[Item]:
    parts = store.pages(CALICO, prefix_end(CALICO), revision=revision, limit=_PAGE, keys_only=keys_only)
    for part in parts:
        yield from part.items


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) >= _OPERATIONS_PER_TRANSACTION or size + len(item.value) > _BYTES_PER_TRANSACTION):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.key) + len(item.value)
    if batch:
        yield batch


def _write(target: KeyValue, items: list[Item]) -> None:
    """Create the keys; one that is there was written by somebody else meanwhile."""
    if not items:
        return
    absent = [Compare(item.key, "version", "=", 0) for item in items]
    result: TxnResult = target.txn(absent, [Put(item.key, item.value) for item in items])
    if not result.succeeded:
        raise Refused("somebody else writes into the target; stop that, and copy again with --overwrite")
