# SPDX-License-Identifier: Apache-2.0
"""Forgetting history in the embedded store."""

from __future__ import annotations

import sqlite3

from percale.datastore.sqlite.reading import compacted_revision, newest_revision
from percale.datastore.sqlite.schema import first_id, last_id
from percale.errors import Compacted, FutureRevision

__all__ = ["announce", "sweep"]

# Versions that a later one, itself not after the new border, has replaced.
_REPLACED = """DELETE FROM change WHERE id IN (
                   SELECT previous FROM change WHERE id BETWEEN :from AND :until AND previous > 0)"""

# Tombstones before the border. One at the border itself stays for a watch that starts there (so does etcd).
_TOMBSTONES = "SELECT id FROM change WHERE id BETWEEN :from AND :until AND id < :border AND value IS NULL"
_FORGET_KEYS = f"DELETE FROM newest WHERE (key, id) IN (SELECT key, id FROM change WHERE id IN ({_TOMBSTONES}))"
_FORGET_TOMBSTONES = f"DELETE FROM change WHERE id IN ({_TOMBSTONES})"


def announce(connection: sqlite3.Connection, revision: int) -> int:
    """Set the border of history before anything is deleted, and return the old border."""
    newest, compacted = newest_revision(connection), compacted_revision(connection)
    if revision > newest:
        raise FutureRevision(revision, newest)
    if revision <= compacted:
        raise Compacted(compacted)
    connection.execute("UPDATE meta SET number = ? WHERE name = 'compacted'", (revision,))
    return compacted


def sweep(connection: sqlite3.Connection, old: int, new: int, revisions: int) -> int:
    """Delete what one slice of revisions after the old border made superfluous; return the slice's end."""
    until = min(old + revisions, new)
    parameters = {"from": first_id(old), "until": last_id(until), "border": first_id(new)}
    connection.execute(_REPLACED, parameters)
    connection.execute(_FORGET_KEYS, parameters)
    connection.execute(_FORGET_TOMBSTONES, parameters)
    return until
