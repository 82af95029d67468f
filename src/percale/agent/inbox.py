# SPDX-License-Identifier: Apache-2.0
"""The inbox: what threads hand to the loop, with a descriptor that ``select`` can wait for."""

from __future__ import annotations

import os
import queue
from dataclasses import dataclass
from typing import TypeAlias

from percale.datastore.seams import SyncerEvent

__all__ = ["Inbox", "Item", "Stop"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the loop; what is programmed stays."""


Item: TypeAlias = SyncerEvent | Stop


class Inbox:
    """A queue that any thread may fill and the loop's thread empties."""

    def __init__(self) -> None:
        self._batches: queue.SimpleQueue[tuple[Item, ...]] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Readable while there is something in the inbox."""
        return self._wake

    def put(self, *items: Item) -> None:
        """Add items, in order; they are taken together, so that one transaction of the store stays one change."""
        self._batches.put(items)
        os.eventfd_write(self._wake, 1)

    def take(self) -> list[Item]:
        """Return all that is there, in order; nothing is no error."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return []
        # What is added meanwhile is announced again: at worst the next call finds nothing.
        return [item for _ in range(self._batches.qsize()) for item in self._batches.get_nowait()]

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._wake)
