# SPDX-License-Identifier: Apache-2.0
"""The queue of a slow reader: full by number or by bytes, whichever comes first."""

import pytest

from percale.datastore.etcd.waiting import Waiting
from percale.datastore.keyvalue import Item, KeyEvent, WatchBatch


def batch(size, previous=0):
    """Return a batch of one event of so many bytes, with its key."""
    before = Item("k", bytes(previous - 1), 1, 1, 1) if previous else None
    return WatchBatch(2, (KeyEvent(Item("k", bytes(size - 1), 1, 2, 2), before),))


@pytest.mark.parametrize(
    ("batches", "full"),
    [
        ([batch(99)], False),
        ([batch(100)], True),
        ([batch(50), batch(49)], False),
        ([batch(50), batch(50)], True),
        ([batch(50, previous=50)], True),
        ([batch(1), None], False),
        ([batch(1), batch(1), None], True),
    ],
)
def test_borders(batches, full):
    """Three batches, or a hundred bytes, are full; taken out again they leave room for one of any size."""
    waiting = Waiting(3, 100)
    for each in batches:
        waiting.put_nowait(each)
    assert waiting.full() == full
    assert [waiting.get_nowait() for _ in batches] == batches
    assert waiting.empty()
    waiting.put_nowait(batch(1000))
    assert waiting.full()
