# SPDX-License-Identifier: Apache-2.0
"""A batch as the bytes of one ``sendmsg`` (linux/netfilter/nfnetlink.h).

BATCH_BEGIN [GENID (1)] | message per operation, or several for many elements ... | BATCH_END

each message: netlink header (16) | family (8) version (8) resource (16) | attributes
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from percale.netlink.attributes import be32, be64, string
from percale.netlink.nftables.element_codec import encode_element_lists
from percale.netlink.nftables.object_codec import FAMILIES, encode_chain, encode_rule, encode_set, encode_table
from percale.netlink.nftables.objects import Chain, Rule, Set, Table
from percale.netlink.nftables.operations import (
    Add,
    AddElements,
    Batch,
    Create,
    Delete,
    DeleteElements,
    Flush,
    Insert,
    Operation,
    Replace,
)
from percale.netlink.socket import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, pack_message

__all__ = ["EncodedBatch", "encode_batch", "generic_header", "message_kind"]

_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_GENERATION = 1
_HANDLE, _POSITION = 3, 6  # of rules

NEWTABLE, GETTABLE, DELTABLE, NEWCHAIN, GETCHAIN, DELCHAIN, NEWRULE, GETRULE, DELRULE = range(9)
NEWSET, GETSET, DELSET, NEWSETELEM, GETSETELEM, DELSETELEM, NEWGEN, GETGEN = range(9, 17)

_GENERIC = struct.Struct(">BBH")

_Encoded = tuple[int, int, bytes]  # message kind within nf_tables, flags, attributes after the table's


def message_kind(kind: int) -> int:
    """The netlink message type of one of nf_tables' own."""
    return _SUBSYSTEM << 8 | kind


def generic_header(family: int, resource: int = 0) -> bytes:
    """The four bytes after the netlink header of every nfnetlink message."""
    return _GENERIC.pack(family, 0, resource)


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A batch ready to send: its bytes, the number of messages, and where each operation's messages begin."""

    data: bytes
    messages: int
    first_sequence: int
    starts: tuple[int, ...]

    def operation_of(self, sequence: int) -> int | None:
        """The position of the operation that a message belongs to, or None for the batch's own begin and end."""
        position = bisect_right(self.starts, sequence) - 1
        return position if position >= 0 and sequence < self.first_sequence + self.messages - 1 else None


def encode_batch(batch: Batch, sequence: int, generation: int | None = None) -> EncodedBatch:
    """The bytes of a batch whose messages are numbered from ``sequence`` on.

    With a ``generation`` the kernel refuses the batch (ERESTART) if anything has changed since. Raises ValueError for a
    comment or a key of a wrong length.
    """
    family = batch.table.family
    header, table = generic_header(FAMILIES[family]), string(1, batch.table.name)
    check = b"" if generation is None else be32(_GENERATION, generation)
    packed = [pack_message(_BATCH_BEGIN, 0, sequence, generic_header(0, _SUBSYSTEM) + check)]
    starts = []
    number = sequence + 1
    for operation in batch.operations:
        starts.append(number)
        for kind, flags, attributes in _OPERATIONS[type(operation)](operation, family, number):
            head = header if kind in (NEWTABLE, DELTABLE) else header + table
            packed.append(pack_message(message_kind(kind), flags, number, head + attributes))
            number += 1
    packed.append(pack_message(_BATCH_END, 0, number, generic_header(0, _SUBSYSTEM)))
    return EncodedBatch(b"".join(packed), len(packed), sequence, tuple(starts))


def _add(operation: Add, family: str, number: int) -> Iterator[_Encoded]:
    item = operation.item
    if isinstance(item, Rule):
        position = be64(_POSITION, operation.after) if operation.after else b""
        yield NEWRULE, NLM_F_CREATE | NLM_F_APPEND, encode_rule(item) + position
    else:
        yield _new(item, family, number, NLM_F_CREATE)


def _create(operation: Create, family: str, number: int) -> Iterator[_Encoded]:
    yield _new(operation.item, family, number, NLM_F_CREATE | NLM_F_EXCL)


def _new(item: Table | Chain | Set, family: str, number: int, flags: int) -> _Encoded:
    if isinstance(item, Chain):
        return NEWCHAIN, flags, encode_chain(family, item)
    if isinstance(item, Set):
        return NEWSET, flags, encode_set(item, number)
    return NEWTABLE, flags, encode_table(item)


def _insert(operation: Insert, family: str, number: int) -> Iterator[_Encoded]:
    position = be64(_POSITION, operation.before) if operation.before else b""
    yield NEWRULE, NLM_F_CREATE, encode_rule(operation.item) + position


def _replace(operation: Replace, family: str, number: int) -> Iterator[_Encoded]:
    yield NEWRULE, NLM_F_REPLACE, encode_rule(operation.item) + be64(_HANDLE, operation.handle)


def _delete(operation: Delete, family: str, number: int) -> Iterator[_Encoded]:
    item = operation.item
    if isinstance(item, Rule):
        if not item.handle:  # without one the kernel would flush the chain
            raise ValueError(f"a rule of {item.chain} is deleted by its handle, and this one has none")
        yield DELRULE, 0, string(2, item.chain) + be64(_HANDLE, item.handle)
    elif isinstance(item, Chain):
        yield DELCHAIN, 0, string(3, item.name)
    elif isinstance(item, Set):
        yield DELSET, 0, string(2, item.name)
    else:
        yield DELTABLE, 0, string(1, item.name)


def _flush(operation: Flush, family: str, number: int) -> Iterator[_Encoded]:
    kind = DELSETELEM if isinstance(operation.item, Set) else DELRULE
    yield kind, 0, string(2, operation.item.name)


def _add_elements(operation: AddElements, family: str, number: int) -> Iterator[_Encoded]:
    name = string(2, operation.set.name)
    for elements in encode_element_lists(operation.set, operation.elements):
        yield NEWSETELEM, NLM_F_CREATE, name + elements


def _delete_elements(operation: DeleteElements, family: str, number: int) -> Iterator[_Encoded]:
    name = string(2, operation.set.name)
    for elements in encode_element_lists(operation.set, operation.elements, deletion=True):
        yield DELSETELEM, 0, name + elements


_OPERATIONS: dict[type[Operation], Callable[[Any, str, int], Iterator[_Encoded]]] = {
    Add: _add,
    Create: _create,
    Insert: _insert,
    Replace: _replace,
    Delete: _delete,
    Flush: _flush,
    AddElements: _add_elements,
    DeleteElements: _delete_elements,
}
