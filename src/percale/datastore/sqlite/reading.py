# SPDX-License-Identifier: Apache-2.0
"""Reading the embedded store: the newest state, an older one, and the changes between two revisions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from percale.datastore.keyvalue import EVERYTHING, Item, KeyEvent, Range
from percale.datastore.sqlite.schema import PLACE_BITS, first_id, knows_writers, last_id
from percale.errors import Compacted, FutureRevision

__all__ = [
    "FIRST_REVISION",
    "compacted_revision",
    "events_after",
    "newest_item",
    "newest_revision",
    "read_range",
    "revision_at",
    "revision_time",
    "revision_writer",
]

FIRST_REVISION = 1
"""The revision of a store that was never written, as in etcd."""

_ITEM = f"c.key, coalesce(c.value, x''), c.create_revision, c.id >> {PLACE_BITS}, c.version, c.lease"
_KEY_ONLY = _ITEM.replace("coalesce(c.value, x'')", "x''")

_NEWEST = """SELECT {columns} FROM newest n JOIN change c ON c.id = n.id
             WHERE {where} AND c.value IS NOT NULL ORDER BY n.key LIMIT :limit"""

# The state at an id: keys untouched since then, and of the others what their first later change replaced.
# Sorted before the values are joined: SQLite's sorter would carry them along.
_OLDER = """SELECT {columns} FROM (
                SELECT o.key, o.id FROM (
                    SELECT n.key, n.id FROM newest n WHERE n.id <= :id AND {where}
                    UNION ALL
                    SELECT n.key, n.previous FROM change n
                    WHERE n.id > :id AND n.previous BETWEEN 1 AND :id AND {where}
                ) o JOIN change v ON v.id = o.id AND v.value IS NOT NULL
                ORDER BY o.key LIMIT :limit
            ) s CROSS JOIN change c ON c.id = s.id"""

# For a single key it is cheaper to walk its versions backwards than to read all changes since then.
_OLDER_ONE = """WITH RECURSIVE chain (id, previous) AS (
                    SELECT c.id, c.previous FROM newest n JOIN change c ON c.id = n.id WHERE n.key = :start
                    UNION ALL
                    SELECT c.id, c.previous FROM chain JOIN change c ON c.id = chain.previous WHERE chain.id > :id
                )
                SELECT {columns} FROM chain JOIN change c ON c.id = chain.id
                WHERE c.id <= :id AND c.value IS NOT NULL LIMIT :limit"""

_EVENTS = f"""SELECT c.id, {_ITEM} FROM change c
              WHERE c.id > :after AND c.id <= :until AND {{where}} ORDER BY c.id LIMIT :limit"""

_EVENTS_WITH_PREVIOUS = f"""SELECT c.id, {_ITEM}, {_ITEM.replace("c.", "p.")} FROM change c
                            LEFT JOIN change p ON p.id = c.previous AND p.value IS NOT NULL
                            WHERE c.id > :after AND c.id <= :until AND {{where}} ORDER BY c.id LIMIT :limit"""


_item: Callable[[Sequence[Any]], Item] = partial(tuple.__new__, Item)
"""Make an item of a row; the class's own way counts the columns again for each of 100 000."""


def newest_revision(connection: sqlite3.Connection) -> int:
    """Return the revision of the last change."""
    row = connection.execute("SELECT id FROM change ORDER BY id DESC LIMIT 1").fetchone()
    return row[0] >> PLACE_BITS if row else FIRST_REVISION


def compacted_revision(connection: sqlite3.Connection) -> int:
    """Return the revision before which history is gone, 0 if all is there."""
    number: int = connection.execute("SELECT number FROM meta WHERE name = 'compacted'").fetchone()[0]
    return number


def newest_item(connection: sqlite3.Connection, key: str) -> tuple[int, Item | None]:
    """Return the id of the last version of a key (0: never written), and the item unless it is deleted."""
    row = connection.execute(
        f"SELECT c.id, {_ITEM} FROM newest n JOIN change c ON c.id = n.id WHERE n.key = ?", (key,)
    ).fetchone()
    if row is None:
        return 0, None
    item = _item(row[1:])
    return row[0], item if item.version else None


def read_range(
    connection: sqlite3.Connection,
    start: str,
    end: str,
    *,
    revision: int = 0,
    limit: int = 0,
    keys_only: bool = False,
) -> Range:
    """Return the items of a range; the connection must be in a transaction, so that all is of one moment."""
    newest = newest_revision(connection)
    if revision > newest:
        raise FutureRevision(revision, newest)
    if 0 < revision < (compacted := compacted_revision(connection)):
        raise Compacted(compacted)
    if revision in (0, newest):
        statement = _NEWEST
    elif end:
        statement = _OLDER
    else:
        statement = _OLDER_ONE
    query = statement.format(columns=_KEY_ONLY if keys_only else _ITEM, where=_within("n", start, end))
    parameters = {
        "start": start,
        "end": end,
        "id": last_id(revision),
        "limit": limit + 1 if limit > 0 else -1,
    }
    items = tuple(map(_item, connection.execute(query, parameters)))
    if 0 < limit < len(items):
        return Range(newest, items[:limit], more=True)
    return Range(newest, items)


def events_after(
    connection: sqlite3.Connection,
    start: str,
    end: str,
    *,
    after: int,
    until: int,
    limit: int,
    previous: bool,
) -> tuple[int, tuple[KeyEvent, ...]]:
    """Return the events of a range with ids in ``(after, until]``, and the id up to which they are complete.

    About ``limit`` events at most, but a revision is never split.
    """
    statement = (_EVENTS_WITH_PREVIOUS if previous else _EVENTS).format(where=_within("c", start, end))
    parameters = {"start": start, "end": end, "after": after, "until": until, "limit": limit}
    rows = connection.execute(statement, parameters).fetchall()
    if len(rows) == limit:
        last = rows[-1][0]
        until = last_id(last >> PLACE_BITS)
        parameters |= {"after": last, "until": until, "limit": -1}
        rows += connection.execute(statement, parameters).fetchall()
    return until, tuple(
        KeyEvent(
            _item(row[1:7]),
            _item(row[7:13]) if previous and row[7] is not None else None,
        )
        for row in rows
    )


def revision_time(connection: sqlite3.Connection, revision: int) -> float:
    """Return when a revision was written; raises FutureRevision, or Compacted when no change of it is left."""
    return float(_of_revision(connection, revision, "time_us") / 1e6)


def revision_writer(connection: sqlite3.Connection, revision: int) -> str:
    """Return who wrote a revision, empty where it is not known; raises as `revision_time`."""
    return str(_of_revision(connection, revision, "writer" if knows_writers(connection) else "''"))


def _of_revision(connection: sqlite3.Connection, revision: int, column: str) -> Any:
    """Return what all changes of a revision have in common."""
    newest = newest_revision(connection)
    if revision > newest:
        raise FutureRevision(revision, newest)
    row = connection.execute(
        f"SELECT {column} FROM change WHERE id BETWEEN ? AND ? LIMIT 1", (first_id(revision), last_id(revision))
    ).fetchone()
    if row is None:
        raise Compacted(compacted_revision(connection))
    return row[0]


def revision_at(connection: sqlite3.Connection, time_s: float) -> int:
    """Return the newest revision written at or before a time; times never decrease, so bisection finds it."""
    time_us = round(time_s * 1e6)
    compacted = compacted_revision(connection)
    low, high = max(FIRST_REVISION, compacted), newest_revision(connection)
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(
            "SELECT time_us FROM change WHERE id >= ? ORDER BY id LIMIT 1", (first_id(middle),)
        ).fetchone()
        if row[0] <= time_us:
            low = middle
        else:
            high = middle - 1
    if compacted and low == compacted and _time_of(connection, compacted) > time_us:
        raise Compacted(compacted)
    return low


def _time_of(connection: sqlite3.Connection, revision: int) -> int:
    row = connection.execute(
        "SELECT time_us FROM change WHERE id <= ? ORDER BY id DESC LIMIT 1", (last_id(revision),)
    ).fetchone()
    return int(row[0]) if row else 0


def _within(table: str, start: str, end: str) -> str:
    if not end:
        return f"{table}.key = :start"
    if end == EVERYTHING:
        return f"{table}.key >= :start"
    return f"{table}.key >= :start AND {table}.key < :end"
