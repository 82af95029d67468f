# SPDX-License-Identifier: Apache-2.0
"""A cluster of etcd servers as a KeyValue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import grpc

from percale.datastore.etcd.connection import EtcdConnection
from percale.datastore.etcd.messages import message
from percale.datastore.etcd.settings import EtcdSettings
from percale.datastore.etcd.watch import EtcdWatch
from percale.datastore.etcd.wire import item, range_request, text, txn_request, txn_result
from percale.datastore.keys import CALICO
from percale.datastore.keyvalue import (
    Compare,
    Item,
    KeyValue,
    Operation,
    Range,
    StoreStatistics,
    Txn,
    TxnResult,
    is_empty_range,
)
from percale.datastore.transactions import check_txn
from percale.errors import Compacted, FutureRevision, NotFound, StoreUnavailable

__all__ = ["EtcdKeyValue"]

_PAGE = 10_000
_FIRST_PART = 4
"""The first part of several is so much smaller than the largest, so that there is soon something to do."""
_ASKED = CALICO
"""The key to ask for where any would do: a user's permissions may end with Calico's keys."""


class EtcdKeyValue(KeyValue):
    """Etcd's own model; large ranges are read in pages of one revision.

    Raises StoreUnavailable when no endpoint answers in time, Unauthorized when etcd refuses the user.
    """

    def __init__(self, settings: EtcdSettings) -> None:
        self._settings = settings
        self._connection = EtcdConnection(settings)
        self._watches: set[EtcdWatch] = set()
        self._transactions = 0
        self._closed = False

    def range(self, start: str, end: str = "", *, revision: int = 0, limit: int = 0, keys_only: bool = False) -> Range:
        """Return one key or a range."""
        items: list[Item] = []
        newest, more = 0, True
        while more and (not limit or len(items) < limit):
            page = min(_PAGE, limit - len(items)) if limit else _PAGE
            request = range_request(start, end, revision=revision, limit=page, keys_only=keys_only)
            answer = self._call("Range", request, revision)
            newest = newest or answer.header.revision
            revision = revision or newest
            items += map(item, answer.kvs)
            more = answer.more
            if more:
                start = items[-1].key + "\0"
        return Range(newest, tuple(items), more)

    def pages(
        self, start: str, end: str = "", *, revision: int = 0, limit: int = _PAGE, keys_only: bool = False
    ) -> Iterator[Range]:
        """Yield a range in parts, small ones first, each asked for before the one in front of it is looked at."""
        size = -(-limit // _FIRST_PART)
        request = range_request(start, end, revision=revision, limit=size, keys_only=keys_only)
        coming: Callable[[], Any] = partial(self._connection.call, "Range", request)
        more = True
        while more:
            answer = self._answered(coming, revision)
            newest, more = answer.header.revision, answer.more
            revision, size = revision or newest, min(2 * size, limit)
            if more:
                start = text(answer.kvs[-1].key) + "\0"
                request = range_request(start, end, revision=revision, limit=size, keys_only=keys_only)
                coming = self._connection.begin("Range", request)
            yield Range(newest, tuple(map(item, answer.kvs)), more)

    def txn(
        self,
        compares: Sequence[Compare] = (),
        then: Sequence[Operation] = (),
        orelse: Sequence[Operation] = (),
    ) -> TxnResult:
        """Do all of one branch or nothing."""
        txn = Txn(tuple(compares), tuple(then), tuple(orelse))
        check_txn(txn, self.max_operations)
        answer = self._call("Txn", txn_request(txn))
        self._transactions += 1
        return txn_result(answer, answer.header.revision)

    def watch(self, start: str, end: str = "", *, start_revision: int = 0, previous: bool = False) -> EtcdWatch:
        """Watch a key or a range; raises StoreUnavailable at once if "from now on" cannot be found out."""
        self._check_open()
        if is_empty_range(start, end):
            raise ValueError(f"there is nothing to watch from {start!r} to {end!r}")
        watch = EtcdWatch(
            self._connection,
            start.encode(),
            end.encode(),
            start_revision=start_revision or self._revision(start) + 1,
            previous=previous,
            ended=self._watches.discard,
        )
        self._watches.add(watch)
        if self._closed:  # closed by another thread, which may not have seen this watch
            watch.close()
        return watch

    def lease_grant(self, ttl_s: int) -> int:
        """Grant a lease; etcd may make a very short one longer."""
        if ttl_s < 1:
            raise ValueError("a lease lasts at least one second")
        return int(self._call("LeaseGrant", message("LeaseGrantRequest")(TTL=ttl_s)).ID)

    def lease_keepalive(self, lease: int) -> int:
        """Renew a lease and return its seconds."""
        answer = self._call("LeaseKeepAlive", message("LeaseKeepAliveRequest")(ID=lease))
        if answer.TTL <= 0:
            raise NotFound("Lease", str(lease))
        return int(answer.TTL)

    def lease_revoke(self, lease: int) -> None:
        """End a lease and delete its keys."""
        self._call("LeaseRevoke", message("LeaseRevokeRequest")(ID=lease), lease=lease)

    def compact(self, revision: int) -> None:
        """Forget history before a revision; returns when it is gone from the disk too."""
        self._call("Compact", message("CompactionRequest")(revision=revision, physical=True), revision)

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self._revision(_ASKED)

    def statistics(self) -> StoreStatistics:
        """Return what one server tells of itself; it does not count keys and versions."""
        status = self._call("Status", message("StatusRequest")())
        return StoreStatistics(
            revision=status.header.revision,
            compacted_revision=0,
            size_bytes=status.dbSize,
            watches=len(self._watches),
            transactions=self._transactions,
            retries=self._connection.retries,
        )

    def close(self) -> None:
        """End all watches and close the connections."""
        if self._closed:
            return
        self._closed = True
        for watch in tuple(self._watches):
            watch.close()
        self._connection.close()

    def _call(self, method: str, request: Any, revision: int = 0, lease: int = 0) -> Any:
        return self._answered(partial(self._connection.call, method, request), revision, lease)

    def _answered(self, answer: Callable[[], Any], revision: int = 0, lease: int = 0) -> Any:
        self._check_open()
        try:
            return answer()
        except grpc.RpcError as error:
            raise self._translated(error, revision, lease) from error

    def _translated(self, error: grpc.RpcError, revision: int, lease: int) -> Exception:
        details = error.details() or ""
        match error.code():
            case grpc.StatusCode.OUT_OF_RANGE if "compacted" in details:
                return Compacted(self._compacted())
            case grpc.StatusCode.OUT_OF_RANGE:
                return FutureRevision(revision, self.revision)
            case grpc.StatusCode.NOT_FOUND if "lease" in details:
                return NotFound("Lease", str(lease) if lease else "", cause=details)
            case grpc.StatusCode.INVALID_ARGUMENT:
                return ValueError(details)
            case _:
                return StoreUnavailable(f"etcd at {', '.join(self._settings.endpoints)}: {details}")

    def _revision(self, key: str) -> int:
        """Return the newest revision, told beside a key that this user may read."""
        return int(self._call("Range", range_request(key, "", limit=1, keys_only=True)).header.revision)

    def _compacted(self) -> int:
        """Return the border of history; etcd tells it only to a watch that starts before it."""
        with self.watch(_ASKED, start_revision=1) as watch:
            try:
                watch.poll(self._settings.timeout_s)
            except Compacted as error:
                return error.revision
        return 0

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the datastore is closed")
