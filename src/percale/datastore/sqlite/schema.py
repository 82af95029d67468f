# SPDX-License-Identifier: Apache-2.0
"""The tables of the embedded store, and how a file of it is opened.

change   every version of every key that compaction has left, in the order of writing
         id = revision << 22 | place within the revision: so a revision is a range of ids and needs no index
         previous = id of the version that this one replaced (0: the key was absent)
         writer = who wrote it, in words (from schema 2 on; empty: not known)
newest   key -> id of its last version; a deleted key points at its tombstone (value NULL) until compaction
lease    when each lease ends
meta     `compacted`: history before this revision is gone; `swept`: how far its traces have been deleted;
         `keep_days`, `keep_revisions`: the policy, where it is not the usual one
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from percale.errors import Refused, StoreUnavailable

__all__ = [
    "BUSY_TIMEOUT_S",
    "PLACE_BITS",
    "Durability",
    "connect",
    "first_id",
    "knows_writers",
    "last_id",
    "prepare",
    "version_of",
]

Durability = Literal["NORMAL", "FULL"]
"""NORMAL: a power failure may lose the last moments, never consistency. FULL: a commit that returned is on disk."""

PLACE_BITS = 22
_APPLICATION_ID = 0x50524331  # "PRC1"
_SCHEMA_VERSION = 2
BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for the writers of other processes."""

_TABLES = """
CREATE TABLE change (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value BLOB,
    create_revision INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    writer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX attached ON change (lease) WHERE lease <> 0;
CREATE TABLE newest (key TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_s INTEGER NOT NULL, expires_us INTEGER NOT NULL);
CREATE INDEX expiry ON lease (expires_us);
CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('compacted', 0);
"""

_MIGRATIONS = {1: "ALTER TABLE change ADD COLUMN writer TEXT NOT NULL DEFAULT ''"}
"""What makes of a file of one schema one of the next; each takes no longer for a large file."""


def first_id(revision: int) -> int:
    """Return the smallest id that a change of this revision can have."""
    return revision << PLACE_BITS


def last_id(revision: int) -> int:
    """Return the largest id that a change of this revision can have."""
    return (revision + 1 << PLACE_BITS) - 1


def connect(
    path: Path | None,
    durability: Durability,
    *,
    create: bool = False,
    read_only: bool = False,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> sqlite3.Connection:
    """Open a connection to the file (None: a private store in memory); raises StoreUnavailable if it can't."""
    try:
        if create and path is not None:
            _create(path)
        if path is not None and not os.access(path, os.R_OK):
            os.stat(path)  # its error says more than SQLite's
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        connection = sqlite3.connect(
            _uri(path, read_only=read_only),
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA mmap_size = 268435456")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"cannot open the datastore {path}: {getattr(error, 'strerror', error)}") from error
    return connection


def _create(path: Path) -> None:
    """Make the file with the mode that SQLite then gives to those beside it.

    An existing one is never opened here: closing it would drop the locks that this process holds on it (fcntl(2)).
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _uri(path: Path | None, *, read_only: bool) -> str:
    """Return the file as SQLite's URI.

    A reader that may not write beside the file can still read it when no log is there, because then nobody uses it.
    """
    if path is None:
        return ":memory:"
    mode = "ro" if read_only else "rw"
    log = path.with_name(path.name + "-wal")
    lonely = read_only and not os.access(path.parent, os.W_OK) and not log.exists()
    return f"file:{quote(os.fsencode(path))}?mode={mode}" + ("&immutable=1" if lonely else "")


def prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    """Create the tables in a new file, or renew those of an older percale.

    Raises Refused for a file of something else or of a newer percale.
    """
    try:
        if version_of(connection, path) == _SCHEMA_VERSION:
            connection.execute("PRAGMA journal_mode = WAL")  # a backup that was copied by hand has none
            return
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            _renew(connection, version_of(connection, path))  # another process may have been first
        except BaseException:
            if connection.in_transaction:  # SQLite itself has ended it where the disk was full
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot use the datastore {path}: {error}") from error


def _renew(connection: sqlite3.Connection, version: int) -> None:
    if not version:
        for statement in filter(str.strip, _TABLES.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    for older in range(version or _SCHEMA_VERSION, _SCHEMA_VERSION):
        connection.execute(_MIGRATIONS[older])
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def knows_writers(connection: sqlite3.Connection) -> bool:
    """Whether changes say who wrote them; a file that is only read keeps an older schema."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return bool(version >= 2)


def version_of(connection: sqlite3.Connection, path: Path | None) -> int:
    """Return the schema of the tables, 0 for a new file; raises Refused as `prepare`."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return 0
    if application != _APPLICATION_ID:
        raise Refused(f"{path} is not a datastore of percale")
    if version > _SCHEMA_VERSION:
        raise Refused(
            f"{path} was written by a newer percale: its schema is {version}, this one knows {_SCHEMA_VERSION}; "
            "upgrade percale"
        )
    return int(version)
