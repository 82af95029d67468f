# SPDX-License-Identifier: Apache-2.0
"""Streams of numbered datagrams between two places, counted at the receiver."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.scenarios.flows import place_of

from percale.lab.site import Site

_BUFFER_BYTES = 32 << 20
_SO_RCVBUFFORCE = 33
_FIRST_PORT = 1024


@dataclass
class Stream:
    """One stream: an established flow (one source port) or new flows only (each datagram its own source port)."""

    source: str
    destination: str
    port: int
    new: bool
    per_second: int
    sent: int = 0
    received: set[int] = field(default_factory=set)

    @property
    def lost(self) -> int:
        """How many datagrams were sent and did not arrive."""
        return self.sent - len(self.received)


@contextmanager
def flowing(site: Site, *streams: Stream) -> Iterator[None]:
    """Send all streams while the body runs; afterwards their counts are complete."""
    stopping, drained = threading.Event(), threading.Event()
    receivers = [threading.Thread(target=_receive, args=(site, stream, drained)) for stream in streams]
    senders = [threading.Thread(target=_send, args=(site, stream, stopping)) for stream in streams]
    for thread in receivers:
        thread.start()
    time.sleep(0.1)
    for thread in senders:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in senders:
            thread.join()
        time.sleep(0.5)
        drained.set()
        for thread in receivers:
            thread.join()


def _send(site: Site, stream: Stream, stopping: threading.Event) -> None:
    place, own = place_of(site, stream.source)
    target = (place_of(site, stream.destination)[1][4], stream.port)
    burst = max(1, stream.per_second // 200)
    began = time.monotonic()
    with place.place.open_socket(socket.AF_INET, socket.SOCK_DGRAM, 0) as steady:
        steady.bind((own[4], 0))
        port = _FIRST_PORT

        def send_all() -> None:
            nonlocal port
            while not stopping.is_set():
                for _ in range(burst):
                    body = stream.sent.to_bytes(8, "big")
                    if stream.new:
                        port = port + 1 if port < 65535 else _FIRST_PORT
                        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fresh:
                            fresh.bind((own[4], port))
                            fresh.sendto(body, target)
                    else:
                        steady.sendto(body, target)
                    stream.sent += 1
                ahead = began + stream.sent / stream.per_second - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)

        place.within(send_all)


def _receive(site: Site, stream: Stream, drained: threading.Event) -> None:
    place, own = place_of(site, stream.destination)
    with place.place.open_socket(socket.AF_INET, socket.SOCK_DGRAM, 0) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        receiver.bind((own[4], stream.port))
        receiver.settimeout(0.05)
        answered = False
        while True:
            try:
                body, sender = receiver.recvfrom(64)
            except TimeoutError:
                if drained.is_set():
                    return
                continue
            stream.received.add(int.from_bytes(body, "big"))
            if not answered and not stream.new:
                # One answer makes the kernel call the flow established.
                receiver.sendto(b"", sender)
                answered = True
