# SPDX-License-Identifier: Apache-2.0
"""The past of one key, as far as the store still has it."""

from __future__ import annotations

from dataclasses import dataclass

from percale.datastore.keyvalue import Item, KeyValue, Watch
from percale.errors import Compacted

__all__ = ["Past", "past_of"]

_LAST_WORD_S = 0.5
_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Past:
    """The versions of a key in order (a deleted one has version 0).

    ``first`` is what the key was at ``border``, before which nothing is known; 0 if nothing has been forgotten.
    """

    border: int
    first: Item | None
    changes: tuple[Item, ...]


def past_of(store: KeyValue, key: str) -> Past:
    """Return every version that is left of a key, up to now."""
    newest = store.get(key)
    try:
        return Past(0, None, _changes(store, key, 1, newest))
    except Compacted as compacted:
        border = compacted.revision
    return Past(border, store.get(key, revision=border), _changes(store, key, border + 1, newest))


def _changes(store: KeyValue, key: str, since: int, newest: Item | None) -> tuple[Item, ...]:
    if since > store.revision:
        return ()
    found: list[Item] = []
    with store.watch(key, start_revision=since) as watch:
        _read_until(watch, found, newest.mod_revision if newest and newest.mod_revision >= since else 0)
    return tuple(found)


def _read_until(watch: Watch, found: list[Item], last: int) -> None:
    """Read events up to a revision; an absent key has no last one, so silence ends its history."""
    while not last or not found or found[-1].mod_revision < last:
        batch = watch.poll(_ANSWER_S if last else _LAST_WORD_S)
        if batch is None:
            return
        found += [event.item for event in batch.events]
