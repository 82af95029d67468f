# SPDX-License-Identifier: Apache-2.0
"""Leases of the embedded store; with no server, whoever uses the store next ends those that are over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from percale.datastore.keyvalue import Delete
from percale.datastore.sqlite.writing import Writer
from percale.errors import NotFound

__all__ = ["any_due", "expire", "grant", "keepalive", "revoke"]

_END = "the end of its lease"
"""Who ends a lease that is over: nobody in particular, whoever happens to look at the store next."""

_ATTACHED = """SELECT n.key FROM change c JOIN newest n ON n.id = c.id
               WHERE c.lease = ? AND c.lease <> 0 ORDER BY n.key"""


def grant(connection: sqlite3.Connection, ttl_s: int, now_s: float) -> int:
    """Add a lease and return its number."""
    if ttl_s < 1:
        raise ValueError("a lease lasts at least one second")
    cursor = connection.execute("INSERT INTO lease (ttl_s, expires_us) VALUES (?, ?)", (ttl_s, _after(now_s, ttl_s)))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def keepalive(connection: sqlite3.Connection, lease: int, now_s: float) -> int:
    """Let the lease begin again and return its seconds; raises NotFound."""
    row = connection.execute("SELECT ttl_s FROM lease WHERE id = ?", (lease,)).fetchone()
    if row is None:
        raise NotFound("Lease", str(lease))
    connection.execute("UPDATE lease SET expires_us = ? WHERE id = ?", (_after(now_s, row[0]), lease))
    return int(row[0])


def revoke(connection: sqlite3.Connection, lease: int, now_s: float, name: Callable[[], str]) -> None:
    """End a lease and delete its keys in one revision; raises NotFound."""
    if not connection.execute("DELETE FROM lease WHERE id = ?", (lease,)).rowcount:
        raise NotFound("Lease", str(lease))
    writer = Writer(connection, now_s, name)
    for (key,) in connection.execute(_ATTACHED, (lease,)).fetchall():
        writer.delete(Delete(key))


def any_due(connection: sqlite3.Connection, now_s: float) -> bool:
    """Whether a lease is over."""
    row = connection.execute("SELECT 1 FROM lease WHERE expires_us <= ? LIMIT 1", (_after(now_s, 0),)).fetchone()
    return row is not None


def expire(connection: sqlite3.Connection, now_s: float) -> None:
    """End every lease that is over, each in a revision of its own."""
    due = connection.execute(
        "SELECT id FROM lease WHERE expires_us <= ? ORDER BY expires_us, id", (_after(now_s, 0),)
    ).fetchall()
    for (lease,) in due:
        revoke(connection, lease, now_s, lambda: _END)


def _after(now_s: float, seconds: int) -> int:
    return round((now_s + seconds) * 1e6)
