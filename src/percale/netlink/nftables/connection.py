# SPDX-License-Identifier: Apache-2.0
"""The connection to nf_tables: apply a batch, read one table back, and hear that somebody changed it."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from percale.netlink.attributes import parse, string, text_of
from percale.netlink.nftables.batch_codec import (
    GETCHAIN,
    GETGEN,
    GETRULE,
    GETSET,
    GETSETELEM,
    GETTABLE,
    NEWGEN,
    encode_batch,
    generic_header,
    message_kind,
)
from percale.netlink.nftables.element_codec import decode_elements, decode_keys
from percale.netlink.nftables.object_codec import FAMILIES, decode_chain, decode_rule, decode_set, decode_table
from percale.netlink.nftables.objects import Chain, Element, Rule, Set, Table
from percale.netlink.nftables.operations import Batch, Operation
from percale.netlink.nftables.text import operation_text
from percale.netlink.socket import NETFILTER, Connection, NetlinkError, NetlinkSocket

__all__ = ["BatchError", "Change", "Monitor", "NftSocket"]

_NFNLGRP_NFTABLES = 7
_HEADER_LENGTH = 4
_ELEMENTS = 3
_TEXT_MAXIMUM = 200
_READ_ATTEMPTS = 9
_RESIZE_PAUSE_S = 0.002

Member = TypeVar("Member", Element, bytes)


class BatchError(NetlinkError):
    """The kernel refused a batch, so nothing of it was applied.

    ``operation`` is the first one it complained about, ``position`` its place in the batch; None if the complaint is
    about the batch as a whole, such as ERESTART for a generation that has passed.
    """

    def __init__(self, error: NetlinkError, operation: Operation | None, position: int | None, complaints: int) -> None:
        self.operation, self.position, self.complaints = operation, position, complaints
        context = "batch" if operation is None else f"operation {position} ({_shortened(operation_text(operation))})"
        super().__init__(error.errno or errno.EIO, error.explanation, index=position or 0, context=context)


def _shortened(text: str) -> str:
    return text if len(text) <= _TEXT_MAXIMUM else f"{text[: _TEXT_MAXIMUM - 2]} …"


class NftSocket(Connection):
    """A connection to nf_tables in the calling thread's network namespace; a context manager, for one thread."""

    def __init__(self) -> None:
        super().__init__(NetlinkSocket(NETFILTER))

    def commit(self, batch: Batch, *, generation: int | None = None) -> None:
        """Apply a batch whole or not at all; raises BatchError, and NetlinkError (EMSGSIZE) if it is too long to send.

        With a ``generation`` the batch is refused (ERESTART) if any table has changed since that one.
        """
        if not batch:
            return
        encoded = encode_batch(batch, self._socket.next_sequence, generation)
        complaints = self._socket.transact(encoded.data, encoded.messages, context="nftables batch")
        if complaints:
            sequence, error = complaints[0]
            position = encoded.operation_of(sequence)
            operation = None if position is None else batch.operations[position]
            raise BatchError(error, operation, position, len(complaints))

    def generation(self) -> int:
        """The number of the rule set's present generation; every commit of anybody raises it."""
        answer = self._socket.query(message_kind(GETGEN), 0, generic_header(0), context="generation")
        return int.from_bytes(parse(answer.body, _HEADER_LENGTH)[1], "big")

    def table(self, family: str, name: str) -> Table | None:
        """The table of that family and name, or None."""
        header = generic_header(FAMILIES[family])
        try:
            answer = self._socket.query(message_kind(GETTABLE), 0, header + string(1, name), context=f"table {name}")
        except NetlinkError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return decode_table(FAMILIES[family], parse(answer.body, _HEADER_LENGTH))

    def tables(self) -> list[Table]:
        """The names and comments of all tables of all families."""
        messages = self._socket.dump(message_kind(GETTABLE), generic_header(0), context="tables")
        return [decode_table(message.body[0], parse(message.body, _HEADER_LENGTH)) for message in messages]

    def chains(self, table: Table) -> list[Chain]:
        """The chains of one table (the kernel dumps the family's; others are passed over undecoded)."""
        return [decode_chain(table.family, one) for one in self._dump(GETCHAIN, table, b"") if _is_of(one, table)]

    def sets(self, table: Table) -> list[Set]:
        """The sets and maps of one table, without their elements; anonymous ones too."""
        return [decode_set(one) for one in self._dump(GETSET, table, string(1, table.name)) if _is_of(one, table)]

    def rules(self, table: Table, chain: str = "") -> list[Rule]:
        """The rules of one table, or of one of its chains, in order and with their handles."""
        wanted = string(1, table.name) + (string(2, chain) if chain else b"")
        return [decode_rule(one) for one in self._dump(GETRULE, table, wanted)]

    def elements(self, table: Table, item: Set) -> list[Element]:
        """The elements of a set; those of interval sets joined to ranges and sorted."""
        return self._read(table, item, decode_elements, lambda elements: {element.key for element in elements})

    def keys(self, table: Table, item: Set) -> list[bytes]:
        """The bare keys of a set without data and intervals: the quick way for many."""
        return self._read(table, item, decode_keys, set)

    def _read(
        self,
        table: Table,
        item: Set,
        decode: Callable[[Set, Iterable[bytes]], list[Member]],
        distinct: Callable[[list[Member]], set[bytes]],
    ) -> list[Member]:
        """All elements of a set, read again while its hash table is being resized.

        The kernel resizes in the background after many additions and says nothing of it: a dump then repeats some
        elements and leaves out as many others (seen on Linux 6.18 with 50000 new elements). Repetition gives it away.
        """
        for attempt in range(_READ_ATTEMPTS):
            found = decode(item, self._element_lists(table, item))
            if len(distinct(found)) == len(found):
                return found
            time.sleep(_RESIZE_PAUSE_S * 2**attempt)
        raise NetlinkError(errno.EINTR, "the set was being resized during each attempt to read it", context=item.name)

    def _element_lists(self, table: Table, item: Set) -> Iterator[bytes]:
        wanted = string(1, table.name) + string(2, item.name)
        for attributes in self._dump(GETSETELEM, table, wanted):
            if _ELEMENTS in attributes:
                yield attributes[_ELEMENTS]

    def _dump(self, kind: int, table: Table, wanted: bytes) -> Iterator[dict[int, bytes]]:
        body = generic_header(FAMILIES[table.family]) + wanted
        for message in self._socket.dump(message_kind(kind), body, context=str(table)):
            yield parse(message.body, _HEADER_LENGTH)


def _is_of(attributes: dict[int, bytes], table: Table) -> bool:
    return text_of(attributes[1]) == table.name


@dataclass(frozen=True, slots=True)
class Change:
    """A notification: a change of a table by the owner of a port id, or with ``generation`` the end of a commit."""

    family: str
    table: str
    port_id: int
    generation: int | None = None


class Monitor(Connection):
    """Notifications about nf_tables in the calling thread's network namespace; a context manager."""

    def __init__(self) -> None:
        super().__init__(NetlinkSocket(NETFILTER, (_NFNLGRP_NFTABLES,), receive_buffer=8 << 20))

    def receive(self, timeout_s: float | None = None) -> list[Change]:
        """The next changes, none after the timeout; raises NetlinkError (ENOBUFS) when some were lost."""
        return [_change_of(message.kind, message.port_id, message.body) for message in self._socket.receive(timeout_s)]

    def touched(self, table: Table, own_ports: Iterable[int], timeout_s: float | None = None) -> bool:
        """Whether the next changes include one of ``table`` by a port id other than ``own_ports``."""
        own = frozenset(own_ports)
        return any(
            change.table == table.name and change.family == table.family and change.port_id not in own
            for change in self.receive(timeout_s)
        )


_FAMILY_NAMES = {number: name for name, number in FAMILIES.items()}


def _change_of(kind: int, port_id: int, body: bytes) -> Change:
    attributes = parse(body, _HEADER_LENGTH)
    if kind == message_kind(NEWGEN):
        return Change("", "", port_id, int.from_bytes(attributes[1], "big"))
    return Change(_FAMILY_NAMES.get(body[0], ""), text_of(attributes.get(1, b"")), port_id)
