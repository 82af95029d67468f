# SPDX-License-Identifier: Apache-2.0
"""Our values as etcd's messages, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from percale.datastore.etcd.messages import message
from percale.datastore.keyvalue import (
    Compare,
    Delete,
    Deleted,
    Get,
    Item,
    KeyEvent,
    Operation,
    Put,
    Range,
    Response,
    Txn,
    TxnResult,
)

__all__ = ["event", "item", "range_request", "text", "txn_request", "txn_result"]

_RESULTS = {"=": 0, ">": 1, "<": 2, "!=": 3}
_TARGETS = {"version": 0, "create_revision": 1, "mod_revision": 2, "value": 3}
_DELETED = 1


_item: Callable[[Sequence[Any]], Item] = partial(tuple.__new__, Item)
"""Make an item of its fields; the class's own way counts them again for each of 100 000."""


def item(pair: Any) -> Item:
    """Return an item."""
    return _item(
        (
            pair.key.decode("utf-8", "surrogateescape"),
            pair.value,
            pair.create_revision,
            pair.mod_revision,
            pair.version,
            pair.lease,
        )
    )


def event(raw: Any) -> KeyEvent:
    """Return an event; a delete has no value and no version."""
    previous = item(raw.prev_kv) if raw.HasField("prev_kv") else None
    if raw.type == _DELETED:
        return KeyEvent(Item(item(raw.kv).key, b"", 0, raw.kv.mod_revision, 0), previous)
    return KeyEvent(item(raw.kv), previous)


def range_request(start: str, end: str, *, revision: int = 0, limit: int = 0, keys_only: bool = False) -> Any:
    """Return the request for a range."""
    return message("RangeRequest")(
        key=_bytes(start), range_end=_bytes(end), revision=revision, limit=limit, keys_only=keys_only
    )


def txn_request(txn: Txn) -> Any:
    """Return the request for a transaction."""
    return message("TxnRequest")(
        compare=[_compare(compare) for compare in txn.compares],
        success=[_operation(operation) for operation in txn.then],
        failure=[_operation(operation) for operation in txn.orelse],
    )


def txn_result(answer: Any, revision: int) -> TxnResult:
    """Return the result of a transaction; nested ones get the revision of the whole."""
    return TxnResult(answer.succeeded, revision, tuple(_response(response, revision) for response in answer.responses))


def text(key: bytes) -> str:
    """Return a key as text; what is no UTF-8 in it becomes surrogates."""
    return key.decode("utf-8", "surrogateescape")


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _compare(compare: Compare) -> Any:
    return message("Compare")(
        key=_bytes(compare.key),
        result=_RESULTS[compare.operator],
        target=_TARGETS[compare.target],
        **{compare.target: compare.operand},
    )


def _operation(operation: Operation) -> Any:
    made = message("RequestOp")
    match operation:
        case Put(key, value, lease):
            return made(request_put=message("PutRequest")(key=_bytes(key), value=value, lease=lease))
        case Delete(key, end):
            delete = message("DeleteRangeRequest")(key=_bytes(key), range_end=_bytes(end), prev_kv=True)
            return made(request_delete_range=delete)
        case Get(key, end, limit, keys_only):
            return made(request_range=range_request(key, end, limit=limit, keys_only=keys_only))
        case Txn():
            return made(request_txn=txn_request(operation))


def _response(response: Any, revision: int) -> Response:
    match response.WhichOneof("union"):
        case "response_range":
            found = response.response_range
            return Range(found.header.revision, tuple(map(item, found.kvs)), found.more)
        case "response_delete_range":
            return Deleted(tuple(map(item, response.response_delete_range.prev_kvs)))
        case "response_txn":
            return txn_result(response.response_txn, revision)
        case _:
            return None
