# SPDX-License-Identifier: Apache-2.0
"""The contract of a store of keys and values: etcd's model, whoever implements it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Literal, NamedTuple, Self

import msgspec

from percale.errors import NotSupported

__all__ = [
    "EVERYTHING",
    "Closable",
    "Compare",
    "Delete",
    "Deleted",
    "Get",
    "Item",
    "KeyEvent",
    "KeyValue",
    "Operation",
    "Put",
    "Range",
    "Response",
    "StoreStatistics",
    "Txn",
    "TxnResult",
    "Watch",
    "WatchBatch",
    "is_empty_range",
    "prefix_end",
]

EVERYTHING = "\0"
"""As the end of a range: all keys from the start on (etcd's convention)."""


def prefix_end(prefix: str) -> str:
    """Return the first key after all keys that begin with ``prefix``, to be used as the end of a range."""
    for position in range(len(prefix) - 1, -1, -1):
        following = ord(prefix[position]) + 1
        if following == 0xD800:  # surrogates have no UTF-8 form, so the next key begins after them
            following = 0xE000
        if following <= 0x10FFFF:
            return prefix[:position] + chr(following)
    return EVERYTHING


def is_empty_range(start: str, end: str) -> bool:
    """Whether no key can be in the range ``[start, end)``."""
    return end not in ("", EVERYTHING) and end <= start


class Closable(ABC):
    """Something with an end: closed once, by ``close()`` or by leaving its ``with`` block."""

    @abstractmethod
    def close(self) -> None:
        """Release what is held; calling it again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Item(NamedTuple):
    """One key at one revision; a deleted key has ``version`` 0 and an empty value, as in etcd."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int = 0


class Range(NamedTuple):
    """The answer to a range: the items in order of their keys, the store's newest revision, and whether more follow."""

    revision: int
    items: tuple[Item, ...]
    more: bool = False


class Compare(msgspec.Struct, frozen=True):
    """A condition of a transaction on one key; an absent key has version and revisions 0 and equals no value."""

    key: str
    target: Literal["version", "create_revision", "mod_revision", "value"]
    operator: Literal["=", "!=", "<", ">"]
    operand: int | bytes


class Put(msgspec.Struct, frozen=True):
    """Store a value; ``lease`` 0 means the key stays, and detaches it from a lease that it had."""

    key: str
    value: bytes
    lease: int = 0


class Delete(msgspec.Struct, frozen=True):
    """Delete one key, or the range ``[key, end)``; deleting what is absent succeeds."""

    key: str
    end: str = ""


class Get(msgspec.Struct, frozen=True):
    """Read one key or the range ``[key, end)``, after the operations before it in the same transaction."""

    key: str
    end: str = ""
    limit: int = 0
    keys_only: bool = False


class Txn(msgspec.Struct, frozen=True):
    """If all ``compares`` hold do ``then``, else ``orelse``; nested conditions too are judged before any write."""

    compares: tuple[Compare, ...] = ()
    then: tuple[Operation, ...] = ()
    orelse: tuple[Operation, ...] = ()


Operation = Put | Delete | Get | Txn


class Deleted(msgspec.Struct, frozen=True):
    """The answer to a Delete: the items as they were."""

    items: tuple[Item, ...]


class TxnResult(msgspec.Struct, frozen=True):
    """The answer to a transaction: one response per operation of the branch taken (None for a Put), in order.

    ``revision`` is the store's after the whole transaction, in nested answers too.
    """

    succeeded: bool
    revision: int
    responses: tuple[Response, ...] = ()


Response = Range | Deleted | TxnResult | None


class KeyEvent(NamedTuple):
    """One change: ``item.mod_revision`` is its revision; ``previous`` may be missing where history was compacted."""

    item: Item
    previous: Item | None = None

    @property
    def deleted(self) -> bool:
        """Whether the key was deleted."""
        return self.item.version == 0

    @property
    def created(self) -> bool:
        """Whether the key was absent before."""
        return self.item.version == 1


class WatchBatch(NamedTuple):
    """Events in order, revisions never split; every event up to ``revision`` has been delivered with this batch.

    Without events it is progress: nothing in the range changed up to ``revision``.
    """

    revision: int
    events: tuple[KeyEvent, ...] = ()


class Watch(Closable):
    """Every change of a range after a revision, once and in order; iterating blocks and ends after ``close()``.

    Raises Compacted if history that is still to be delivered is gone, as Restored where the store has gone back to an
    older state meanwhile, Unauthorized if it may not be read; each ``poll`` after that raises the same. Raises
    StoreUnavailable while the store is; polled again, it goes on where it was.
    """

    @abstractmethod
    def poll(self, timeout_s: float | None = None) -> WatchBatch | None:
        """Return the next batch, or None when time is over or the watch is closed; 0 never blocks, None waits on."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether ``close()`` was called."""

    def __iter__(self) -> Iterator[WatchBatch]:
        while not self.closed:
            batch = self.poll()
            if batch is not None:
                yield batch


class StoreStatistics(msgspec.Struct, frozen=True):
    """What a store did since it was opened, and how large it is (0 where the backend does not tell)."""

    revision: int
    compacted_revision: int
    size_bytes: int = 0
    keys: int = 0
    versions: int = 0
    leases: int = 0
    watches: int = 0
    transactions: int = 0
    retries: int = 0


class KeyValue(Closable):
    """etcd's model: one growing revision, ranges at a revision, compare-and-swap, ordered watches, leases."""

    max_operations: int = 128
    """How many compares or operations a branch may hold, minus those of the transactions around it (etcd's default)."""
    keeps_times: bool = False
    """Whether ``revision_time`` and ``revision_at`` can answer."""
    keeps_writers: bool = False
    """Whether ``revision_writer`` can answer."""

    @abstractmethod
    def range(self, start: str, end: str = "", *, revision: int = 0, limit: int = 0, keys_only: bool = False) -> Range:
        """Return one key, or those of ``[start, end)``, newest or as they were at ``revision``.

        Raises Compacted for a revision that is gone, FutureRevision for one that is not reached yet.
        """

    @abstractmethod
    def txn(
        self,
        compares: Sequence[Compare] = (),
        then: Sequence[Operation] = (),
        orelse: Sequence[Operation] = (),
    ) -> TxnResult:
        """Do all of one branch or nothing; the revision grows by one if anything changed.

        Raises ValueError if it writes the same key twice or is too long, NotFound if a Put names an unknown lease.
        """

    @abstractmethod
    def watch(self, start: str, end: str = "", *, start_revision: int = 0, previous: bool = False) -> Watch:
        """Watch one key or a range from ``start_revision`` on (0: from now on), on request with previous items.

        A start before the compacted revision makes ``poll`` raise Compacted, and so may a start at it: a store need not
        keep what was deleted there. Listing and watching from the revision after the list's is always right. An empty
        range raises ValueError.
        """

    @abstractmethod
    def lease_grant(self, ttl_s: int) -> int:
        """Grant a lease of that many seconds and return its number; keys attached to it go when it expires."""

    @abstractmethod
    def lease_keepalive(self, lease: int) -> int:
        """Renew the lease and return its seconds; raises NotFound if it has expired."""

    @abstractmethod
    def lease_revoke(self, lease: int) -> None:
        """End the lease and delete its keys in one revision; raises NotFound if it has expired."""

    @abstractmethod
    def compact(self, revision: int) -> None:
        """Forget history before ``revision``; raises Compacted or FutureRevision if that is not possible."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """The newest revision; 1 for a store that was never written."""

    def revision_time(self, revision: int) -> float:
        """Return when a revision was written, in seconds since 1970; raises NotSupported, Compacted, FutureRevision."""
        raise NotSupported("revision-time", "datastore", reason="this store does not keep the times of revisions")

    def revision_writer(self, revision: int) -> str:
        """Return who wrote a revision, empty where it is not known; raises as ``revision_time``."""
        raise NotSupported("revision-writer", "datastore", reason="this store does not keep who wrote a revision")

    def revision_at(self, time_s: float) -> int:
        """Return the newest revision that was written at or before a time; raises NotSupported, Compacted."""
        raise NotSupported("revision-at", "datastore", reason="this store does not keep the times of revisions")

    @abstractmethod
    def statistics(self) -> StoreStatistics:
        """Return counts and sizes."""

    def pages(
        self, start: str, end: str = "", *, revision: int = 0, limit: int = 10_000, keys_only: bool = False
    ) -> Iterator[Range]:
        """Yield a range in parts of one revision, at most ``limit`` items each and at least one part; raises as range.

        While a part is looked at the next one may be on its way.
        """
        more = True
        while more:
            part = self.range(start, end, revision=revision, limit=limit, keys_only=keys_only)
            revision, more = revision or part.revision, part.more
            if more:
                start = part.items[-1].key + "\0"
            yield part

    def get(self, key: str, *, revision: int = 0) -> Item | None:
        """Return one key, or None if it is absent."""
        items = self.range(key, revision=revision).items
        return items[0] if items else None

    def put(self, key: str, value: bytes, *, lease: int = 0) -> int:
        """Store a value without a condition and return the new revision."""
        return self.txn(then=(Put(key, value, lease),)).revision

    def delete(self, key: str, end: str = "") -> tuple[Item, ...]:
        """Delete one key or a range without a condition and return what was there."""
        (response,) = self.txn(then=(Delete(key, end),)).responses
        assert isinstance(response, Deleted)
        return response.items
