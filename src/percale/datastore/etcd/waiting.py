# SPDX-License-Identifier: Apache-2.0
"""The batches that wait for a slow reader of a watch: a queue that is full by their number or by their bytes."""

from __future__ import annotations

import queue

from percale.datastore.keyvalue import Item, WatchBatch
from percale.errors import PercaleError

__all__ = ["Waiting"]


class Waiting(queue.Queue[WatchBatch | PercaleError | None]):
    """``put`` blocks while it is full; one batch always fits, however large it is, for a revision is never split."""

    def __init__(self, batches: int, size: int) -> None:
        super().__init__(batches)
        self._most = size
        self._size = 0

    # What ``queue.Queue`` asks of those that keep their items otherwise; it holds its lock meanwhile.

    def _qsize(self) -> int:
        return self.maxsize if self._size >= self._most else len(self.queue)

    def _put(self, item: WatchBatch | PercaleError | None) -> None:
        self._size += _size(item)
        self.queue.append(item)

    def _get(self) -> WatchBatch | PercaleError | None:
        item: WatchBatch | PercaleError | None = self.queue.popleft()
        self._size -= _size(item)
        return item


def _size(item: WatchBatch | PercaleError | None) -> int:
    if not isinstance(item, WatchBatch):
        return 0
    return sum(_bytes(event.item) + _bytes(event.previous) for event in item.events)


def _bytes(item: Item | None) -> int:
    return len(item.key) + len(item.value) if item is not None else 0
