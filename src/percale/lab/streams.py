# SPDX-License-Identifier: Apache-2.0
"""Streams of numbered packets, counted at the receiver: what a fault, a restart or a rewrite costs.

One thread sends for all streams in turn, one receives. Every packet carries its stream and its number, so that each
single one can be accounted for; receive buffers are large, and what overflows one all the same is told apart.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from percale.lab.world import PrivateNamespace

__all__ = ["Count", "Stream", "Traffic"]

_PACKET = struct.Struct("!HI")  # place of the stream, number
_UDP = struct.Struct("!HHHH")  # RFC 768: source port, destination port, length, checksum
_UDP_CHECKSUM_AT = 6
_FIRST_PORT, _PORTS = 20_000, 16_384
_BUFFER_BYTES = 64 << 20
_BURST, _PAUSE_S = 4, 0.001
_QUIET_S = 0.3
# linux/socket.h, linux/in6.h, linux/sock_diag.h: not in the socket module.
_SO_RCVBUFFORCE, _IPV6_CHECKSUM, _SO_MEMINFO = 33, 7, 55
_MEMINFO = struct.Struct("=9I")
_MEMINFO_DROPS = 8


@dataclass(frozen=True, slots=True)
class Stream:
    """UDP packets from one address to another and its port.

    ``established``: one connection, each packet answered. ``new``: a connection each, from one of 16384 source ports by
    turns, never answered, so that each packet is judged as a first one.
    """

    name: str
    kind: Literal["established", "new"]
    source: PrivateNamespace
    destination: PrivateNamespace
    source_address: str
    destination_address: str
    port: int

    @property
    def family(self) -> int:
        """``AF_INET`` or ``AF_INET6``, as the destination address says."""
        return socket.AF_INET6 if ":" in self.destination_address else socket.AF_INET


@dataclass(frozen=True, slots=True)
class Count:
    """What became of a stream: how many packets were sent, which numbers arrived, and which were answered.

    ``overflows`` are packets that reached a socket of ours and found no room there.
    """

    sent: int
    arrived: frozenset[int]
    answered: frozenset[int]
    overflows: int = 0

    @property
    def lost(self) -> list[int]:
        """The numbers that did not arrive."""
        return sorted(set(range(self.sent)) - self.arrived)

    @property
    def unanswered(self) -> list[int]:
        """The numbers whose answer did not come back."""
        return sorted(set(range(self.sent)) - self.answered)


class Traffic:
    """Keeps streams running from its start until ``stop``; a context manager.

    An established stream is set up before the others start: raises TimeoutError if its first packet is not answered.
    """

    def __init__(self, streams: Sequence[Stream], *, pause_s: float = _PAUSE_S) -> None:
        self._stack = ExitStack()
        self._pause_s = pause_s
        self._done, self._silent = threading.Event(), threading.Event()
        try:
            self._lanes = [_Lane(place, stream, self._stack) for place, stream in enumerate(streams)]
            self._poll = self._stack.enter_context(selectors.DefaultSelector())
            for lane in self._lanes:
                lane.register(self._poll)
            self._threads = [threading.Thread(target=act) for act in (self._send, self._receive)]
            self._establish()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def sent(self, stream: Stream) -> int:
        """How many packets of a stream were sent so far: the number of the next one."""
        return self._lane(stream).sent

    @property
    def total_sent(self) -> int:
        """How many packets of all streams were sent so far, answers not counted."""
        return sum(lane.sent for lane in self._lanes)

    def await_sent(self, more: int) -> None:
        """Wait until every stream has sent so many more packets."""
        goals = [(lane, lane.sent + more) for lane in self._lanes]
        while any(lane.sent < goal for lane, goal in goals):
            time.sleep(0.002)

    def stop(self) -> Mapping[Stream, Count]:
        """Stop sending, wait until nothing more arrives, and return the counts; may be called again."""
        if not self._done.is_set():
            self._done.set()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join()
            self._counts = {lane.stream: lane.count() for lane in self._lanes}
            self._stack.close()
        return self._counts

    def _lane(self, stream: Stream) -> _Lane:
        return next(lane for lane in self._lanes if lane.stream is stream)

    def _establish(self) -> None:
        waiting = [lane for lane in self._lanes if lane.stream.kind == "established"]
        for lane in waiting:
            lane.send()
        limit = time.monotonic() + 2.0
        while missing := [lane.stream.name for lane in waiting if not lane.answered]:
            if time.monotonic() > limit:
                raise TimeoutError(f"no connection: {', '.join(missing)}")
            self._take(0.05)

    def _send(self) -> None:
        while not self._done.is_set():
            for lane in self._lanes:
                for _ in range(_BURST):
                    lane.send()
            time.sleep(self._pause_s)
        self._silent.set()

    def _receive(self) -> None:
        while self._take(_QUIET_S) or not self._silent.is_set():
            continue

    def _take(self, timeout_s: float) -> bool:
        """Take in what has arrived within a time; reports whether anything has."""
        ready = self._poll.select(timeout_s)
        for key, _ in ready:
            key.data()
        return bool(ready)


class _Lane:
    """One stream's sockets and what passed them."""

    def __init__(self, place: int, stream: Stream, stack: ExitStack) -> None:
        self.stream, self.sent = stream, 0
        self.arrived: set[int] = set()
        self.answered: set[int] = set()
        self._place = place
        self._is_new = stream.kind == "new"
        self._receiver = stack.enter_context(_receiver(stream))
        self._sender = stack.enter_context(_raw_sender(stream) if self._is_new else _connected_sender(stream))

    def register(self, poll: selectors.BaseSelector) -> None:
        poll.register(self._receiver, selectors.EVENT_READ, self._arrivals)
        if not self._is_new:
            poll.register(self._sender, selectors.EVENT_READ, self._answers)

    def send(self) -> None:
        packet = _PACKET.pack(self._place, self.sent)
        if self._is_new:
            source = _FIRST_PORT + self.sent % _PORTS
            header = _UDP.pack(source, self.stream.port, _UDP.size + len(packet), 0)
            self._sender.sendto(header + packet, (self.stream.destination_address, 0))
        else:
            self._sender.send(packet)
        self.sent += 1

    def count(self) -> Count:
        overflows = _overflows(self._receiver) + (0 if self._is_new else _overflows(self._sender))
        return Count(self.sent, frozenset(self.arrived), frozenset(self.answered), overflows)

    def _arrivals(self) -> None:
        try:
            while True:
                packet, sender = self._receiver.recvfrom(64)
                place, number = _PACKET.unpack(packet)
                assert place == self._place, "a packet of another stream: two streams share an address and port"
                self.arrived.add(number)
                if not self._is_new:
                    self._receiver.sendto(packet, sender)
        except BlockingIOError:
            return

    def _answers(self) -> None:
        try:
            while True:
                self.answered.add(_PACKET.unpack(self._sender.recv(64))[1])
        except BlockingIOError:
            return


def _receiver(stream: Stream) -> socket.socket:
    opened = stream.destination.place.open_socket(stream.family, socket.SOCK_DGRAM, 0)
    _enlarge(opened)
    opened.bind((stream.destination_address, stream.port))
    opened.setblocking(False)
    return opened


def _connected_sender(stream: Stream) -> socket.socket:
    opened = stream.source.place.open_socket(stream.family, socket.SOCK_DGRAM, 0)
    _enlarge(opened)
    opened.bind((stream.source_address, 0))
    opened.connect((stream.destination_address, stream.port))
    opened.setblocking(False)
    return opened


def _raw_sender(stream: Stream) -> socket.socket:
    """A socket that sends UDP with a header of our own: a new source port costs no new socket."""
    opened = stream.source.place.open_socket(stream.family, socket.SOCK_RAW, socket.IPPROTO_UDP)
    opened.bind((stream.source_address, 0))
    if stream.family == socket.AF_INET6:
        # IPv4 may leave the sum out, IPv6 must not (RFC 8200): the kernel puts it in.
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_CHECKSUM, _UDP_CHECKSUM_AT)
    return opened


def _enlarge(opened: socket.socket) -> None:
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)


def _overflows(opened: socket.socket) -> int:
    found = opened.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    return int(_MEMINFO.unpack(found)[_MEMINFO_DROPS])
