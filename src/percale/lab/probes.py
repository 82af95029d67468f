# SPDX-License-Identifier: Apache-2.0
"""Real packets: which flows arrive, counted at the receiver.

All probes of a run are sent at once and watched by one loop, so that a hundred dropped flows cost one deadline and
not a hundred.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias

__all__ = ["OpenSocket", "Place", "Probe", "arrivals"]

OpenSocket: TypeAlias = Callable[[int, int, int], socket.socket]
"""Opens a socket (family, type, protocol) inside one network namespace."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where packets start or end: a name for the reader, and how to open a socket there."""

    name: str
    open_socket: OpenSocket


@dataclass(frozen=True, slots=True)
class Probe:
    """One new flow: ``port`` is the destination port, 0 for ICMP; addresses are text of one family."""

    source: Place
    destination: Place
    protocol: Literal["tcp", "udp", "icmp"]
    source_address: str
    destination_address: str
    port: int = 0

    @property
    def family(self) -> int:
        """``AF_INET`` or ``AF_INET6``, as the destination address says."""
        return socket.AF_INET6 if ":" in self.destination_address else socket.AF_INET


# Each flow of this process has a number of its own, so that no ping continues an earlier one's connection.
_TOKENS = count(os.getpid() << 8 & 0xFFFF0000)
_ECHO: dict[int, tuple[int, int]] = {
    socket.AF_INET: (8, socket.IPPROTO_ICMP),
    socket.AF_INET6: (128, socket.IPPROTO_ICMPV6),
}


def arrivals(probes: Sequence[Probe], *, deadline_s: float = 1.0) -> dict[Probe, bool]:
    """Send every probe once and report which arrived within ``deadline_s`` seconds; OSError if a socket fails."""
    with ExitStack() as stack:
        run = _Run(stack, probes)
        run.listen()
        run.send()
        run.watch(time.monotonic() + deadline_s)
        return {probe: probe in run.arrived for probe in probes}


class _Run:
    """One run's sockets: listeners at the destinations, one sender per probe."""

    def __init__(self, stack: ExitStack, probes: Iterable[Probe]) -> None:
        self.stack = stack
        self.tokens = dict(zip(_TOKENS, probes, strict=False))
        self.arrived: set[Probe] = set()
        self.poll = stack.enter_context(selectors.DefaultSelector())

    def listen(self) -> None:
        done: set[tuple[str, str, str, int]] = set()
        for probe in self.tokens.values():
            place = (probe.destination.name, probe.destination_address, probe.protocol, probe.port)
            if place not in done:
                done.add(place)
                self._listen_for(probe)

    def _listen_for(self, probe: Probe) -> None:
        where = (probe.destination_address, probe.port)
        match probe.protocol:
            case "tcp":
                listener = self._open(probe.destination, probe.family, socket.SOCK_STREAM, 0)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(where)
                listener.listen(128)
            case "udp":
                receiver = self._open(probe.destination, probe.family, socket.SOCK_DGRAM, 0)
                receiver.bind(where)
                self.poll.register(receiver, selectors.EVENT_READ, self._datagram)
            case "icmp":
                receiver = self._open(probe.destination, probe.family, socket.SOCK_RAW, _ECHO[probe.family][1])
                receiver.bind((probe.destination_address, 0))
                self.poll.register(receiver, selectors.EVENT_READ, self._echo)

    def send(self) -> None:
        for token, probe in self.tokens.items():
            here = (probe.source_address, 0)
            match probe.protocol:
                case "tcp":
                    client = self._open(probe.source, probe.family, socket.SOCK_STREAM, 0)
                    client.bind(here)
                    client.connect_ex((probe.destination_address, probe.port))
                    self.poll.register(client, selectors.EVENT_WRITE, self._connected(probe))
                case "udp":
                    sender = self._open(probe.source, probe.family, socket.SOCK_DGRAM, 0)
                    sender.bind(here)
                    _try_send(sender, struct.pack(">Q", token), (probe.destination_address, probe.port))
                case "icmp":
                    sender = self._open(probe.source, probe.family, socket.SOCK_RAW, _ECHO[probe.family][1])
                    sender.bind(here)
                    _try_send(sender, _echo_request(probe.family, token), (probe.destination_address, 0))

    def watch(self, deadline: float) -> None:
        while len(self.arrived) < len(self.tokens) and (left := deadline - time.monotonic()) > 0:
            for key, _ in self.poll.select(left):
                key.data(key.fileobj)

    def _open(self, place: Place, family: int, kind: int, protocol: int) -> socket.socket:
        opened = self.stack.enter_context(place.open_socket(family, kind, protocol))
        opened.setblocking(False)
        if family == socket.AF_INET6 and kind != socket.SOCK_RAW:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return opened

    def _connected(self, probe: Probe) -> Callable[[socket.socket], None]:
        def connected(client: socket.socket) -> None:
            self.poll.unregister(client)
            if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                self.arrived.add(probe)

        return connected

    def _datagram(self, receiver: socket.socket) -> None:
        self._note(receiver.recv(64)[:8])

    def _echo(self, receiver: socket.socket) -> None:
        packet = receiver.recv(256)
        # A raw IPv4 socket hands over the IP header too, a raw IPv6 socket does not (raw(7), ipv6(7)).
        body = packet[(packet[0] & 15) * 4 :] if receiver.family == socket.AF_INET else packet
        if body[0] == _ECHO[receiver.family][0]:
            self._note(body[8:16])

    def _note(self, token: bytes) -> None:
        probe = self.tokens.get(int.from_bytes(token, "big"))
        if probe is not None:
            self.arrived.add(probe)


def _try_send(sender: socket.socket, packet: bytes, where: tuple[str, int]) -> None:
    try:
        sender.sendto(packet, where)
    except PermissionError:
        # A drop on the host's own output hook answers EPERM: the flow is denied, which is an observation.
        return


def _echo_request(family: int, token: int) -> bytes:
    """Type, code, checksum, identifier, sequence (RFC 792, RFC 4443), then the token; the kernel sums ICMPv6 itself."""
    kind = _ECHO[family][0]
    body = struct.pack(">BBHHHQ", kind, 0, 0, token & 0xFFFF, 1, token)
    if family == socket.AF_INET6:
        return body
    total = sum(struct.unpack(">8H", body))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">BBHHHQ", kind, 0, ~(total + (total >> 16)) & 0xFFFF, token & 0xFFFF, 1, token)
