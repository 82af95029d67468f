# SPDX-License-Identifier: Apache-2.0
"""A netlink socket: requests with acknowledgement, dumps, pipelines, and multicast groups (linux/netlink.h)."""

from __future__ import annotations

import errno
import os
import socket as sockets
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from percale.errors import PercaleError
from percale.netlink.attributes import parse, text_of

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "NETFILTER",
    "ROUTE",
    "Connection",
    "Message",
    "NetlinkError",
    "NetlinkSocket",
    "Request",
    "SocketStatistics",
    "pack_message",
    "unpack_messages",
]

# Protocols of the address family.
ROUTE, NETFILTER = 0, 12

# Message flags.
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP_INTR = 0x1, 0x2, 0x4, 0x10
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND, NLM_F_DUMP = 0x100, 0x200, 0x400, 0x800, 0x300
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200

_NLMSG_ERROR, _NLMSG_DONE, _NLMSG_OVERRUN = 2, 3, 4
_NLMSGERR_ATTR_MSG = 1

_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 1, 10, 11, 12

_HEADER = struct.Struct("=IHHII")
_STATUS = struct.Struct("=i")
_ERROR = struct.Struct("=iIHHII")
_RECEIVE_SIZE = 1 << 17
_SEND_SLACK = 1 << 12
_PIPELINE_LENGTH = 256  # so few answers that they fit an unprivileged receive buffer even if all of them are errors
_DUMP_ATTEMPTS = 8
_SEQUENCE_MAXIMUM = 0xFFFFFFFF


class NetlinkError(PercaleError, OSError):
    """The kernel refused a message: ``errno``, its own words if it gave some, and which message it was.

    ``index`` counts the messages of the call from 0. ``explanation`` is the extended acknowledgement, often empty.
    """

    def __init__(self, number: int, explanation: str = "", *, index: int = 0, context: str = "") -> None:
        self.explanation, self.index, self.context = explanation, index, context
        text = os.strerror(number) if number < 512 else f"error {number}"
        super().__init__(number, ": ".join(part for part in (context, text, explanation) if part))

    @property
    def is_not_found(self) -> bool:
        """Whether what was to be read, changed or deleted is not there."""
        return self.errno in (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ENXIO)

    @property
    def already_exists(self) -> bool:
        """Whether what was to be made is there already."""
        return self.errno == errno.EEXIST

    def __str__(self) -> str:
        return str(self.strerror)


class Message(NamedTuple):
    """A message as received: its type, flags, sequence number, the sender's port id (0 is the kernel) and its body."""

    kind: int
    flags: int
    sequence: int
    port_id: int
    body: bytes


class Request(NamedTuple):
    """A message to send: its type, its flags besides REQUEST, and its body."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SocketStatistics:
    """What a socket has done since it was opened."""

    messages_sent: int
    bytes_sent: int
    messages_received: int
    dumps: int
    dumps_interrupted: int
    """Dumps that were begun again because the kernel's tables changed meanwhile."""
    overruns: int
    """Times that notifications were lost because the receive buffer was full."""


def pack_message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One message with its header; the body must be padded to 4 bytes (attributes are)."""
    return _HEADER.pack(16 + len(body), kind, flags | NLM_F_REQUEST, sequence, 0) + body


def unpack_messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram."""
    offset, end = 0, len(data) - 16
    while offset <= end:
        length, kind, flags, sequence, port_id = _HEADER.unpack_from(data, offset)
        if length < 16:
            return
        yield Message(kind, flags, sequence, port_id, data[offset + 16 : offset + length])
        offset += (length + 3) & ~3


class NetlinkSocket:
    """A socket of one netlink protocol in the network namespace of the thread that opens it; a context manager.

    Not for several threads at once. ``groups`` are multicast groups to join: such a socket should only receive.
    """

    def __init__(self, protocol: int, groups: Sequence[int] = (), *, receive_buffer: int = 1 << 20) -> None:
        self._socket = sockets.socket(sockets.AF_NETLINK, sockets.SOCK_RAW | sockets.SOCK_CLOEXEC, protocol)
        self._next_sequence = 1
        self._messages_sent = self._bytes_sent = self._messages_received = 0
        self._dumps = self._dumps_interrupted = self._overruns = 0
        self._send_buffer = self._socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF)
        try:
            self._socket.bind((0, 0))
            self.port_id: int = self._socket.getsockname()[0]
            self._set_options(protocol, groups, receive_buffer)
        except BaseException:
            self._socket.close()
            raise

    def _set_options(self, protocol: int, groups: Sequence[int], receive_buffer: int) -> None:
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        if protocol == ROUTE:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self._set_buffer(_SO_RCVBUFFORCE, sockets.SO_RCVBUF, receive_buffer)
        for group in groups:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)

    def _set_buffer(self, forced: int, plain: int, size: int) -> None:
        try:
            self._socket.setsockopt(sockets.SOL_SOCKET, forced, size)
        except PermissionError:  # a user namespace: the plain option is capped by net.core.[rw]mem_max
            self._socket.setsockopt(sockets.SOL_SOCKET, plain, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; closing twice is fine."""
        self._socket.close()

    def fileno(self) -> int:
        """The file descriptor, for ``select``."""
        return self._socket.fileno()

    def statistics(self) -> SocketStatistics:
        """What the socket has done so far."""
        return SocketStatistics(
            self._messages_sent,
            self._bytes_sent,
            self._messages_received,
            self._dumps,
            self._dumps_interrupted,
            self._overruns,
        )

    def request(self, kind: int, flags: int, body: bytes, *, context: str = "") -> None:
        """Send one message and wait for its acknowledgement; raises NetlinkError."""
        self._exchange(kind, flags | NLM_F_ACK, body, context)

    def query(self, kind: int, flags: int, body: bytes, *, context: str = "") -> Message:
        """Send one message that is answered by one; raises NetlinkError."""
        answer = self._exchange(kind, flags, body, context)
        if answer is None:
            raise NetlinkError(errno.ENOMSG, "the kernel acknowledged but did not answer", context=context)
        return answer

    def dump(self, kind: int, body: bytes, *, context: str = "") -> list[Message]:
        """All messages that answer a dump request, begun again if the kernel says that it was interrupted by changes.

        Raises NetlinkError; with EINTR if the tables changed during each of several attempts.
        """
        for _ in range(_DUMP_ATTEMPTS):
            self._dumps += 1
            messages, consistent = self._dump_once(kind, body, context)
            if consistent:
                return messages
            self._dumps_interrupted += 1
        raise NetlinkError(errno.EINTR, "the tables changed during each attempt to dump them", context=context)

    def pipeline(self, requests: Iterable[Request], *, context: str = "") -> dict[int, NetlinkError]:
        """Send many messages, few system calls; each is carried out whatever becomes of the others.

        Returns what was refused, by position among the requests; empty if all went well.
        """
        refused: dict[int, NetlinkError] = {}
        pending = list(requests)
        for start in range(0, len(pending), _PIPELINE_LENGTH):
            refused |= self._pipeline_once(pending[start : start + _PIPELINE_LENGTH], start, context)
        return refused

    def transact(self, data: bytes, messages: int, *, context: str = "") -> list[tuple[int, NetlinkError]]:
        """Send packed messages that the kernel handles as one before ``send`` returns, and collect its complaints.

        Returns (sequence number, error) for each complaint. Raises NetlinkError (EMSGSIZE) if ``data`` is too long.
        """
        self._take_sequences(messages)
        self._send(data, messages, context)
        complaints = []
        overrun: NetlinkError | None = None
        while True:
            try:
                answer = self._receive(sockets.MSG_DONTWAIT)
            except NetlinkError as error:  # so many complaints that the last did not fit the receive buffer
                overrun = error
                continue
            if answer is None:
                break
            for message in unpack_messages(answer):
                self._messages_received += 1
                if message.kind == _NLMSG_ERROR and (complaint := _error_of(message, 0, context)):
                    complaints.append((message.sequence, complaint))
        if overrun and not complaints:
            raise overrun
        return complaints

    def receive(self, timeout_s: float | None = None) -> list[Message]:
        """The next notifications, at least one, or none after ``timeout_s`` seconds (None: wait for ever).

        Raises NetlinkError (ENOBUFS) when notifications were lost: read everything again.
        """
        self._socket.settimeout(timeout_s)
        try:
            data = self._receive(0)
        except (TimeoutError, BlockingIOError):
            return []
        finally:
            self._socket.settimeout(None)
        messages = list(unpack_messages(data or b""))
        self._messages_received += len(messages)
        return messages

    @property
    def next_sequence(self) -> int:
        """The sequence number that the next message will have; ``transact`` takes one for each of its messages."""
        return self._next_sequence

    def _exchange(self, kind: int, flags: int, body: bytes, context: str) -> Message | None:
        sequence = self._take_sequences(1)
        self._send(pack_message(kind, flags, sequence, body), 1, context)
        for message in self._answers((sequence,)):
            if message.kind != _NLMSG_ERROR:
                return message
            if error := _error_of(message, 0, context):
                raise error
            return None
        raise AssertionError("unreachable: answers go on until this function returns")

    def _dump_once(self, kind: int, body: bytes, context: str) -> tuple[list[Message], bool]:
        sequence = self._take_sequences(1)
        self._send(pack_message(kind, NLM_F_DUMP, sequence, body), 1, context)
        messages: list[Message] = []
        consistent = True
        for message in self._answers((sequence,)):
            consistent = consistent and not message.flags & NLM_F_DUMP_INTR
            if message.kind in (_NLMSG_ERROR, _NLMSG_DONE):
                if error := _error_of(message, 0, context):
                    raise error
                break
            messages.append(message)
        return messages, consistent

    def _pipeline_once(self, requests: list[Request], start: int, context: str) -> dict[int, NetlinkError]:
        # Errors are always answered, success only where asked: for the last message, which ends the waiting.
        first = self._take_sequences(len(requests))
        sequences = range(first, first + len(requests))
        last = sequences[-1]
        packed = [
            pack_message(one.kind, one.flags | (NLM_F_ACK if sequence == last else 0), sequence, one.body)
            for one, sequence in zip(requests, sequences, strict=True)
        ]
        self._send(b"".join(packed), len(packed), context)
        refused = {}
        for message in self._answers(sequences):
            if message.kind == _NLMSG_ERROR:
                index = start + message.sequence - first
                if error := _error_of(message, index, context):
                    refused[index] = error
                if message.sequence == last:
                    break
        return refused

    def _take_sequences(self, number: int) -> int:
        first = self._next_sequence
        if first + number > _SEQUENCE_MAXIMUM:
            first = 1
        self._next_sequence = first + number
        return first

    def _answers(self, sequences: Sequence[int]) -> Iterator[Message]:
        while True:
            for message in unpack_messages(self._receive(0) or b""):
                # Leftovers of an exchange that was broken off by an exception are passed over.
                if message.sequence in sequences:
                    self._messages_received += 1
                    yield message

    def _send(self, data: bytes, messages: int, context: str) -> None:
        try:
            if len(data) + _SEND_SLACK > self._send_buffer:
                self._send_buffer = len(data) + _SEND_SLACK
                self._set_buffer(_SO_SNDBUFFORCE, sockets.SO_SNDBUF, self._send_buffer)
            self._socket.send(data)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise NetlinkError(error.errno or errno.EIO, context=context) from error
            room = self._socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF)
            advice = f"{len(data)} bytes do not fit the send buffer of {room}; raise net.core.wmem_max"
            raise NetlinkError(errno.EMSGSIZE, advice, context=context) from error
        self._messages_sent += messages
        self._bytes_sent += len(data)

    def _receive(self, flags: int) -> bytes | None:
        try:
            return self._socket.recv(_RECEIVE_SIZE, flags)
        except BlockingIOError:
            if flags & sockets.MSG_DONTWAIT:
                return None
            raise
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._overruns += 1
            raise NetlinkError(errno.ENOBUFS, "messages were lost; read everything again") from error


class Connection:
    """What the connections to the kernel's parts have in common: one socket, closed with the context."""

    def __init__(self, socket: NetlinkSocket) -> None:
        self._socket = socket

    @property
    def port_id(self) -> int:
        """The number by which notifications name what this connection did."""
        return self._socket.port_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; closing twice is fine."""
        self._socket.close()

    def fileno(self) -> int:
        """The file descriptor, for ``select``."""
        return self._socket.fileno()

    def statistics(self) -> SocketStatistics:
        """What the socket has done so far; what changes nothing sends no message."""
        return self._socket.statistics()


def _error_of(message: Message, index: int, context: str) -> NetlinkError | None:
    """The refusal that an ERROR or DONE message carries, or None for a plain acknowledgement.

    error (int32, negative errno or 0) | header of the refused message | [attributes, if ACK_TLVS]
    """
    if message.kind == _NLMSG_DONE:
        number = -_STATUS.unpack_from(message.body)[0] if len(message.body) >= 4 else 0
        return NetlinkError(number, index=index, context=context) if number > 0 else None
    fields = _ERROR.unpack_from(message.body)
    if not fields[0]:
        return None
    explanation = ""
    if message.flags & _NLM_F_ACK_TLVS:
        echoed = 16 if message.flags & _NLM_F_CAPPED else fields[1]
        explanation = text_of(parse(message.body, 4 + ((echoed + 3) & ~3)).get(_NLMSGERR_ATTR_MSG, b""))
    return NetlinkError(-fields[0], explanation, index=index, context=context)
