# SPDX-License-Identifier: Apache-2.0
"""Copying everything of Calico from one store of keys and values into another, and comparing the two afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from percale.datastore.keys import CALICO
from percale.datastore.keyvalue import Compare, Item, KeyValue, Put, TxnResult, prefix_end
from percale.errors import Refused

__all__ = ["Copied", "copy_store", "differences"]

_PAGE = 1000
_BYTES_PER_TRANSACTION = 1_000_000  # etcd refuses requests above 1.5 MiB
_OPERATIONS_PER_TRANSACTION = 100


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: how many keys of which revision; keys with a lease are left to who renews them."""

    keys: int
    revision: int
    leased: int


def copy_store(
    source: KeyValue, target: KeyValue, *, overwrite: bool = False, progress: Callable[[int], None] = lambda keys: None
) -> Copied:
    """Copy what one revision of the source holds, then compare; raises Refused for a target that is not empty.

    With ``overwrite`` what the target has is deleted first. Keys and values stay the same bytes, so UIDs do too;
    revisions are the target's own.
    """
    end = prefix_end(CALICO)
    if overwrite:
        target.delete(CALICO, end)
    elif target.range(CALICO, end, limit=1, keys_only=True).items:
        raise Refused("the target holds a datastore already; --overwrite deletes it first")
    revision = source.revision
    keys = leased = 0
    for batch in _batches(_items(source, revision)):
        lasting = [item for item in batch if not item.lease]
        leased += len(batch) - len(lasting)
        _write(target, lasting)
        keys += len(lasting)
        progress(keys)
    different = next(differences(source, revision, target, target.revision), "")
    if different:
        raise Refused(f"the copy differs at {different}; was the target written meanwhile? Copy again with --overwrite")
    return Copied(keys, revision, leased)


def differences(left: KeyValue, left_revision: int, right: KeyValue, right_revision: int) -> Iterator[str]:
    """Yield the keys without a lease that are not equal byte for byte in two revisions of two stores."""
    ours, theirs = _lasting(left, left_revision), _lasting(right, right_revision)
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
    return (item for item in _items(store, revision) if not item.lease)


def _items(store: KeyValue, revision: int) -> Iterator[Item]:
    start, more = CALICO, True
    while more:
        found = store.range(start, prefix_end(CALICO), revision=revision, limit=_PAGE)
        yield from found.items
        more = found.more
        if more:
            start = found.items[-1].key + "\0"


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
