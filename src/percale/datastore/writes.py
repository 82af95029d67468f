# SPDX-License-Identifier: Apache-2.0
"""One write of a resource as a transaction over its key, and what became of it (spec/storage-etcd.md section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from percale.datastore.keys import resource_path
from percale.datastore.keyvalue import Compare, Delete, Deleted, Get, Operation, Put, Range, Txn, TxnResult
from percale.datastore.seams import Write, WriteOutcome
from percale.datastore.values import as_stored, from_value, to_value
from percale.errors import AlreadyExists, Conflict, NotFound, Problem, Unreadable, ValidationError
from percale.resources import KINDS, Key, Resource

__all__ = ["batches", "outcome", "revision_number", "to_txn"]

_BYTES_PER_REQUEST = 1_000_000
"""Below etcd's limit of 1.5 MB for a request, with room for keys and conditions."""


def to_txn(write: Write, *, lease: int = 0) -> Txn:
    """Return the transaction of a write; where its condition fails it reads the key instead."""
    path = resource_path(write.key)
    if write.operation == "delete":
        then: Operation = Delete(path)
        version = write.resource_version
    else:
        assert write.resource is not None
        then = Put(path, to_value(write.resource), lease)
        version = write.resource.metadata.resource_version
    if write.operation == "create":
        compares: tuple[Compare, ...] = (Compare(path, "version", "=", 0),)
    elif version:
        # Version 0 is no version of anything; compared as it is, it would match a key that does not exist.
        compares = (Compare(path, "mod_revision", "=", revision_number(version) or -1),)
    else:
        compares = ()
    return Txn(compares, (then,), (Get(path),))


def outcome(write: Write, result: TxnResult) -> WriteOutcome:
    """Return what the transaction of a write came to."""
    (response,) = result.responses
    if isinstance(response, Deleted):
        return _deleted(write.key, response)
    if isinstance(response, Range):
        return WriteOutcome(write.key, error=_refusal(write, response))
    assert write.resource is not None
    stored = as_stored(write.resource)
    return WriteOutcome(write.key, stored.with_metadata(resource_version=str(result.revision)))


def batches(writes: Sequence[Write], transactions: Sequence[Txn], most: int) -> Iterator[list[int]]:
    """Yield the positions of writes that may share one request: not too many, not too large, each key once."""
    batch: list[int] = []
    keys: set[Key] = set()
    size = 0
    for position, (write, txn) in enumerate(zip(writes, transactions, strict=True)):
        put = txn.then[0]
        weight = len(put.value) if isinstance(put, Put) else 0
        if batch and (len(batch) >= most or write.key in keys or size + weight > _BYTES_PER_REQUEST):
            yield batch
            batch, keys, size = [], set(), 0
        batch.append(position)
        keys.add(write.key)
        size += weight
    if batch:
        yield batch


def revision_number(text: str) -> int:
    """Return a resource version as a number, 0 for none; raises ValidationError for what is no decimal integer."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()):
        message = f"{text!r} is not a resource version of this datastore: expected a decimal number"
        raise ValidationError(
            [
                Problem(
                    path="metadata.resourceVersion",
                    message=message,
                    value=text,
                    rule="revision",
                    calico_name="ResourceVersion",
                )
            ]
        )
    return int(text)


def _deleted(key: Key, response: Deleted) -> WriteOutcome:
    if not response.items:
        return WriteOutcome(key, error=NotFound(key.kind, key.name, key.namespace))
    (item,) = response.items
    try:
        return WriteOutcome(key, from_value(key, item.value, item.mod_revision))
    except Unreadable:
        # What can't be read must still be removable; of such an object only the identity is known.
        nothing = KINDS[key.kind].type()
        return WriteOutcome(key, nothing.with_metadata(name=key.name, namespace=key.namespace))


def _refusal(write: Write, response: Range) -> AlreadyExists | Conflict | NotFound:
    key = write.key
    identity = key.kind, key.name, key.namespace
    if not response.items:
        return NotFound(*identity)
    (item,) = response.items
    current: Resource | None
    try:
        current = from_value(key, item.value, item.mod_revision)
    except Unreadable:
        current = None
    error = AlreadyExists if write.operation == "create" else Conflict
    return error(*identity, current=current)
