# SPDX-License-Identifier: Apache-2.0
"""Whether a file of the embedded store is whole: SQLite's own check, then the promises of our tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from percale.datastore.sqlite.compaction import swept_revision
from percale.datastore.sqlite.reading import compacted_revision
from percale.datastore.sqlite.schema import PLACE_BITS, first_id

__all__ = ["faults"]

_PROMISES = {
    "keys whose newest version is not their last change": """
        SELECT n.key FROM newest n LEFT JOIN (SELECT key, max(id) AS id FROM change GROUP BY key) c USING (key)
        WHERE c.id IS NOT n.id""",
    "keys with changes that are in no index": "SELECT DISTINCT key FROM change EXCEPT SELECT key FROM newest",
    "versions that do not follow the one which they replaced": f"""
        SELECT c.key FROM change c JOIN change p ON p.id = c.previous
        WHERE p.key <> c.key OR p.id >= c.id OR (c.value IS NOT NULL AND (
            c.version <> p.version + 1
            OR c.create_revision <> iif(p.version > 0, p.create_revision, c.id >> {PLACE_BITS})))""",
    "first versions that are not numbered 1": f"""
        SELECT key FROM change
        WHERE previous = 0 AND (value IS NULL OR version <> 1 OR create_revision <> id >> {PLACE_BITS})""",
    "keys whose history has a hole": """
        SELECT c.key FROM change c LEFT JOIN change p ON p.id = c.previous
        WHERE c.previous > 0 AND c.previous >= :border AND p.id IS NULL""",
    "changes dated before the one in front of them": """
        SELECT key FROM (SELECT key, time_us, lag(time_us) OVER (ORDER BY id) AS before FROM change)
        WHERE time_us < before""",
}
"""What must find nothing; each gives the keys that break it."""


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong, one sentence each; the connection must be in a transaction."""
    for (text,) in connection.execute("PRAGMA integrity_check"):
        if text != "ok":
            yield f"SQLite: {text}"
            return
    border = first_id(compacted_revision(connection))
    for promise, query in _PROMISES.items():
        keys = [row[0] for row in connection.execute(query, {"border": border} if ":border" in query else {})]
        if keys:
            yield f"{len(keys)} {promise}, the first is {keys[0]}"
    if swept_revision(connection) > compacted_revision(connection):
        yield "history was deleted behind its border"
