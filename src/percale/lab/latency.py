# SPDX-License-Identifier: Apache-2.0
"""How long a change takes until packets feel it, measured with new flows one after the other."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from percale.lab.world import PrivateNamespace

__all__ = ["NewFlows"]

_INTERVAL_S = 0.0005
_IN_FLIGHT_S = 0.01
_SETTLED = 40
"""So many new flows in a row must tell the same before a change counts as felt by all."""
_LIMIT_S = 5.0


class NewFlows:
    """New UDP flows to one address, each from a socket of its own, every half millisecond, noted at the receiver.

    A context manager: the flows run until it ends.
    """

    def __init__(self, source: PrivateNamespace, destination: PrivateNamespace, address: str, port: int) -> None:
        self._source, self._target = source, (address, port)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._receiver = destination.place.open_socket(self._family, socket.SOCK_DGRAM, 0)
        self._receiver.bind(self._target)
        self._receiver.settimeout(0.1)
        self._sent: list[float] = []
        self._arrived: set[int] = set()
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._source.within, args=(self._send,)),
            threading.Thread(target=self._receive),
        ]

    def __enter__(self) -> NewFlows:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        self._receiver.close()

    def felt_ms(self, change: Callable[[], object], *, arrives: bool) -> float:
        """Make a change and return the milliseconds until a first new flow, sent after it began, felt it.

        Raises TimeoutError if none does.
        """
        first, began = len(self._sent), time.monotonic()
        change()
        limit = time.monotonic() + _LIMIT_S
        while time.monotonic() < limit:
            time.sleep(_IN_FLIGHT_S)
            felt = [number for number in self._judged(first) if (number in self._arrived) == arrives]
            if len(felt) >= _SETTLED:
                return 1000 * (self._sent[felt[0]] - began)
        raise TimeoutError(f"no packet felt the change within {_LIMIT_S} s")

    def _judged(self, first: int) -> range:
        """The flows from the first one on, but for the last ones, which may still be on their way."""
        now, end = time.monotonic(), len(self._sent)
        while end > first and self._sent[end - 1] > now - _IN_FLIGHT_S:
            end -= 1
        return range(first, end)

    def _send(self) -> None:
        number = 0
        while not self._done.is_set():
            with socket.socket(self._family, socket.SOCK_DGRAM) as flow:
                self._sent.append(time.monotonic())
                flow.sendto(number.to_bytes(8, "big"), self._target)
            number += 1
            time.sleep(_INTERVAL_S)

    def _receive(self) -> None:
        while not self._done.is_set():
            try:
                self._arrived.add(int.from_bytes(self._receiver.recv(64)[:8], "big"))
            except TimeoutError:
                continue
