# SPDX-License-Identifier: Apache-2.0
"""A watch on the embedded store: it reads the changes after the last one it has seen, whenever the bell rings."""

from __future__ import annotations

import time
from collections.abc import Callable

from percale.datastore.keyvalue import Watch, WatchBatch
from percale.datastore.wakeup import Wakeup

__all__ = ["ReadChanges", "SQLiteWatch"]


ReadChanges = Callable[[int], tuple[int, WatchBatch]]
"""Reads the events after an id; returns the id up to which they are complete, and the events."""


class SQLiteWatch(Watch):
    """Reads on the caller's thread; only waiting for more uses the store's wake-up."""

    def __init__(self, read: ReadChanges, after: int, wakeup: Wakeup, ended: Callable[[SQLiteWatch], None]) -> None:
        self._read = read
        self._after = after
        self._wakeup = wakeup
        self._ended = ended
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._closed

    def poll(self, timeout_s: float | None = None) -> WatchBatch | None:
        """Return the next batch; progress without events is reported only together with a change elsewhere."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._closed:
            rings = self._wakeup.rings
            until, batch = self._read(self._after)
            if until > self._after:
                self._after = until
                return batch
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._wakeup.wait(rings, left)
        return None

    def close(self) -> None:
        """End the watch; a ``poll`` that waits in another thread returns None."""
        if not self._closed:
            self._closed = True
            self._ended(self)
            self._wakeup.wake()
