# SPDX-License-Identifier: Apache-2.0
"""The inbox: what threads hand to the loop, with a descriptor that ``select`` can wait for."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from percale.datastore.seams import SyncerEvent

__all__ = ["Inbox", "Item", "Stop"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the loop; what is programmed stays."""


Item: TypeAlias = SyncerEvent | Stop
_FULL = 16
"""So many batches of the datastore wait for a busy loop; then the watches have to, whose own stores are bounded."""
_AS_MUCH_AS_FITS = 1 << 16
"""The bytes that a pipe holds (pipe(7))."""


class Inbox:
    """A queue that any thread may fill and the loop's thread empties; a byte written to ``bell`` makes it readable."""

    def __init__(self) -> None:
        self._batches: queue.SimpleQueue[tuple[Item, ...]] = queue.SimpleQueue()
        self._wake, self.bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._room = threading.Condition()
        self._hurried = False

    def fileno(self) -> int:
        """Readable while there is something in the inbox."""
        return self._wake

    def deliver(self, events: Sequence[SyncerEvent]) -> None:
        """Add events as `put` does; while much is waiting, wait until it is taken."""
        with self._room:
            self._room.wait_for(lambda: self._hurried or self._batches.qsize() < _FULL)
        self.put(*events)

    def hurry(self) -> None:
        """Let nobody wait from now on: nothing will be taken any more."""
        with self._room:
            self._hurried = True
            self._room.notify_all()

    def put(self, *items: Item) -> None:
        """Add items, in order; they are taken together, so that one transaction of the store stays one change.

        Never waits and takes no lock: signal handlers call it.
        """
        self._batches.put(items)
        with suppress(BlockingIOError):  # full, and so readable already
            os.write(self.bell, b"\0")

    def take(self) -> list[Item]:
        """Return all that is there, in order; nothing is no error."""
        try:
            os.read(self._wake, _AS_MUCH_AS_FITS)
        except BlockingIOError:
            return []
        # What is added meanwhile is announced again: at worst the next call finds nothing.
        items = [item for _ in range(self._batches.qsize()) for item in self._batches.get_nowait()]
        with self._room:
            self._room.notify_all()
        return items

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self._wake)
        os.close(self.bell)
