# SPDX-License-Identifier: Apache-2.0
"""Forgetting history in the embedded store: by hand, or by a policy that every process of the file shares."""

from __future__ import annotations

import sqlite3

import msgspec

from percale.datastore.sqlite.reading import compacted_revision, newest_revision, revision_at
from percale.datastore.sqlite.schema import first_id, last_id
from percale.errors import Compacted, FutureRevision

__all__ = ["Retention", "announce", "due_border", "read_retention", "sweep", "swept_revision", "write_retention"]

_SECONDS_PER_DAY = 86_400
_REVISIONS_AT_ONCE = 20_000

# Versions that a later one, itself not after the new border, has replaced.
_REPLACED = """DELETE FROM change WHERE id IN (
                   SELECT previous FROM change WHERE id BETWEEN :from AND :until AND previous > 0)"""

# Tombstones before the border. One at the border itself stays for a watch that starts there (so does etcd).
_TOMBSTONES = "SELECT id FROM change WHERE id BETWEEN :from AND :until AND id < :border AND value IS NULL"
_FORGET_KEYS = f"DELETE FROM newest WHERE (key, id) IN (SELECT key, id FROM change WHERE id IN ({_TOMBSTONES}))"
_FORGET_TOMBSTONES = f"DELETE FROM change WHERE id IN ({_TOMBSTONES})"


class Retention(msgspec.Struct, frozen=True):
    """How much history is kept: what is younger than ``days``, and the newest ``revisions`` whatever their age.

    So a clock that jumps ahead does not cost the history that people look at. ``days`` 0 keeps all of it for ever.
    """

    days: int = 30
    revisions: int = 10_000

    def __post_init__(self) -> None:
        if self.days < 0 or self.revisions < 1:
            raise ValueError("history is kept for 0 (for ever) or more days, and for 1 or more revisions")


def read_retention(connection: sqlite3.Connection) -> Retention:
    """Return the policy that is written in the file, else the usual one."""
    found = dict(connection.execute("SELECT name, number FROM meta WHERE name IN ('keep_days', 'keep_revisions')"))
    usual = Retention()
    return Retention(found.get("keep_days", usual.days), found.get("keep_revisions", usual.revisions))


def write_retention(connection: sqlite3.Connection, retention: Retention) -> None:
    """Write the policy into the file, for all processes from now on."""
    rows = ("keep_days", retention.days), ("keep_revisions", retention.revisions)
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)


def due_border(connection: sqlite3.Connection, now_s: float, *, bounded: bool) -> int:
    """Return the revision before which the policy wants history forgotten, 0 if nothing is due.

    ``bounded`` takes only a part of much, because a writer waits for it.
    """
    retention = read_retention(connection)
    compacted = compacted_revision(connection)
    most = newest_revision(connection) - retention.revisions
    if not retention.days or most <= compacted:
        return 0
    if bounded:
        most = min(most, max(compacted, 1) + _REVISIONS_AT_ONCE)
    try:
        border = min(most, revision_at(connection, now_s - retention.days * _SECONDS_PER_DAY))
    except Compacted:
        return 0
    return border if border > max(compacted, 1) else 0


def announce(connection: sqlite3.Connection, revision: int) -> None:
    """Set the border of history before anything is deleted."""
    newest, compacted = newest_revision(connection), compacted_revision(connection)
    if revision > newest:
        raise FutureRevision(revision, newest)
    if revision <= compacted:
        raise Compacted(compacted)
    # How far the sweep has come is kept, so that the next one goes on where one was killed.
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('swept', ?)", (compacted,))
    connection.execute("UPDATE meta SET number = ? WHERE name = 'compacted'", (revision,))


def swept_revision(connection: sqlite3.Connection) -> int:
    """Return up to which revision everything superfluous has been deleted."""
    row = connection.execute("SELECT number FROM meta WHERE name = 'swept'").fetchone()
    return int(row[0]) if row else compacted_revision(connection)


def sweep(connection: sqlite3.Connection, revisions: int) -> bool:
    """Delete what one slice of revisions made superfluous; whether more is left to do."""
    old, new = swept_revision(connection), compacted_revision(connection)
    until = min(old + revisions, new)
    parameters = {"from": first_id(old), "until": last_id(until), "border": first_id(new)}
    connection.execute(_REPLACED, parameters)
    connection.execute(_FORGET_KEYS, parameters)
    connection.execute(_FORGET_TOMBSTONES, parameters)
    connection.execute("UPDATE meta SET number = ? WHERE name = 'swept'", (until,))
    return until < new
