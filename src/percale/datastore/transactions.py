# SPDX-License-Identifier: Apache-2.0
"""Which transactions are refused before they are tried, so that every store refuses the same."""

from __future__ import annotations

from collections.abc import Sequence

from percale.datastore.keyvalue import EVERYTHING, Delete, Operation, Put, Txn

__all__ = ["check_txn"]


def check_txn(txn: Txn, limit: int) -> None:
    """Refuse what etcd refuses, with ValueError: too many operations, an empty key, one key written twice."""
    _check_size(txn, limit)
    if len(txn.then) > 1 or len(txn.orelse) > 1 or _is_nested(txn):
        _written((txn,))


def _is_nested(txn: Txn) -> bool:
    return any(isinstance(operation, Txn) for operation in (*txn.then, *txn.orelse))


def _check_size(txn: Txn, limit: int) -> None:
    size = max(len(txn.compares), len(txn.then), len(txn.orelse))
    if size > limit:
        raise ValueError(f"too many operations in one transaction: {size}, {limit} are allowed")
    for operation in (*txn.compares, *txn.then, *txn.orelse):
        if isinstance(operation, Txn):
            _check_size(operation, limit - size)
        elif not operation.key:
            raise ValueError("a key must not be empty")


def _written(operations: Sequence[Operation]) -> tuple[set[str], list[Delete]]:
    """Return the keys that a branch may put and the ranges it may delete; two branches of a Txn exclude each other."""
    puts: set[str] = set()
    deletes = [operation for operation in operations if isinstance(operation, Delete)]
    for operation in operations:
        if isinstance(operation, Put):
            below = {operation.key}
        elif isinstance(operation, Txn):
            then, then_deletes = _written(operation.then)
            orelse, orelse_deletes = _written(operation.orelse)
            below = then | orelse
            _refuse_deleted(below, deletes)
            deletes = [*deletes, *then_deletes, *orelse_deletes]
        else:
            continue
        if not puts.isdisjoint(below):
            raise ValueError(f"the transaction writes {min(puts & below)!r} twice")
        puts |= below
    _refuse_deleted({op.key for op in operations if isinstance(op, Put)}, deletes)
    return puts, deletes


def _refuse_deleted(puts: set[str], deletes: Sequence[Delete]) -> None:
    for delete in deletes:
        for key in puts:
            if key == delete.key or (delete.end and _in_range(key, delete.key, delete.end)):
                raise ValueError(f"the transaction writes and deletes {key!r}")


def _in_range(key: str, start: str, end: str) -> bool:
    return start <= key and (end == EVERYTHING or key < end)
