# SPDX-License-Identifier: Apache-2.0
"""Writing one transaction into the embedded store; the caller holds SQLite's write lock and commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from percale.datastore.keyvalue import (
    Compare,
    Delete,
    Deleted,
    Get,
    Item,
    Operation,
    Put,
    Response,
    Txn,
    TxnResult,
)
from percale.datastore.sqlite.reading import newest_item, newest_revision, read_range
from percale.datastore.sqlite.schema import PLACE_BITS, first_id
from percale.errors import NotFound

__all__ = ["Writer"]


class Writer:
    """The changes of one revision: they take their ids one after the other, and bear the name of who makes them."""

    def __init__(self, connection: sqlite3.Connection, now_s: float, name: Callable[[], str]) -> None:
        self._connection = connection
        self._name = name
        row = connection.execute("SELECT id, time_us FROM change ORDER BY id DESC LIMIT 1").fetchone()
        self._newest = row[0] >> PLACE_BITS if row else newest_revision(connection)
        # Times never go back, so that a time has one revision even after the clock was set.
        self._time_us = max(round(now_s * 1e6), row[1] if row else 0)
        self._next_id = first_id(self._newest + 1)

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return self._next_id != first_id(self._newest + 1)

    @property
    def revision(self) -> int:
        """The store's revision after what was written."""
        return self._newest + self.changed

    def run(self, txn: Txn) -> TxnResult:
        """Do one branch of the transaction."""
        return _stamped(self._perform(txn, dict(self._verdicts(txn))), self.revision)

    def put(self, operation: Put) -> None:
        """Write a new version of a key."""
        if operation.lease and not self._lease_exists(operation.lease):
            raise NotFound("Lease", str(operation.lease))
        last, item = newest_item(self._connection, operation.key)
        revision = self._newest + 1
        created, version = (item.create_revision, item.version + 1) if item else (revision, 1)
        self._append(operation.key, operation.value, created, version, operation.lease, last)

    def delete(self, operation: Delete) -> Deleted:
        """Write tombstones for the keys of a range that are there."""
        items = tuple(self._present(operation))
        for item in items:
            last, _ = newest_item(self._connection, item.key)
            self._append(item.key, None, 0, 0, 0, last)
        return Deleted(items)

    def _present(self, operation: Delete) -> Iterator[Item]:
        if operation.end:
            yield from read_range(self._connection, operation.key, operation.end).items
        elif (item := newest_item(self._connection, operation.key)[1]) is not None:
            yield item

    def _append(self, key: str, value: bytes | None, created: int, version: int, lease: int, previous: int) -> None:
        execute = self._connection.execute
        execute(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._next_id, key, value, created, version, lease, previous, self._time_us, self._name()),
        )
        if previous:
            execute("UPDATE newest SET id = ? WHERE key = ?", (self._next_id, key))
        else:
            execute("INSERT INTO newest VALUES (?, ?)", (key, self._next_id))
        self._next_id += 1

    def _lease_exists(self, lease: int) -> bool:
        return self._connection.execute("SELECT 1 FROM lease WHERE id = ?", (lease,)).fetchone() is not None

    def _verdicts(self, txn: Txn) -> Iterator[tuple[int, bool]]:
        """Judge the conditions of a transaction and of those nested in the branch taken, before anything is written."""
        succeeded = all(self._holds(compare) for compare in txn.compares)
        yield id(txn), succeeded
        for operation in txn.then if succeeded else txn.orelse:
            if isinstance(operation, Txn):
                yield from self._verdicts(operation)

    def _holds(self, compare: Compare) -> bool:
        _, item = newest_item(self._connection, compare.key)
        if compare.target == "value":
            return item is not None and _compare(item.value, compare.operator, compare.operand)
        actual: int = getattr(item, compare.target) if item is not None else 0
        return _compare(actual, compare.operator, compare.operand)

    def _perform(self, txn: Txn, verdicts: dict[int, bool]) -> TxnResult:
        succeeded = verdicts[id(txn)]
        responses = tuple(self._respond(operation, verdicts) for operation in (txn.then if succeeded else txn.orelse))
        return TxnResult(succeeded, self.revision, responses)

    def _respond(self, operation: Operation, verdicts: dict[int, bool]) -> Response:
        match operation:
            case Put():
                self.put(operation)
                return None
            case Delete():
                return self.delete(operation)
            case Get(key, end, limit, keys_only):
                return read_range(self._connection, key, end, limit=limit, keys_only=keys_only)
            case Txn():
                return self._perform(operation, verdicts)


def _stamped(result: TxnResult, revision: int) -> TxnResult:
    """Give nested results the revision of the whole transaction."""
    if not any(isinstance(response, TxnResult) for response in result.responses) and result.revision == revision:
        return result
    return TxnResult(
        result.succeeded,
        revision,
        tuple(_stamped(part, revision) if isinstance(part, TxnResult) else part for part in result.responses),
    )


def _compare(actual: int | bytes, operator: str, operand: int | bytes) -> bool:
    match operator:
        case "=":
            return actual == operand
        case "!=":
            return actual != operand
        case "<":
            return actual < operand  # type: ignore[operator]
        case _:
            return actual > operand  # type: ignore[operator]
