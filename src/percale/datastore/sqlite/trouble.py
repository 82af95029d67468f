# SPDX-License-Identifier: Apache-2.0
"""What SQLite's errors mean for the owner of the file, in sentences."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from percale.errors import StoreUnavailable

__all__ = ["as_unavailable"]

# By the primary result code, the low byte of the extended one (sqlite.org/rescode.html).
_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full; nothing was changed. Make room and try again",
    sqlite3.SQLITE_BUSY: "another process has been writing for too long; nothing was changed. Try again",
    sqlite3.SQLITE_READONLY: "this user may not write it, or it was opened for reading only; nothing was changed",
    sqlite3.SQLITE_PERM: "this user may not open it",
    sqlite3.SQLITE_CANTOPEN: "it, or a file beside it, cannot be opened by this user",
    sqlite3.SQLITE_IOERR: "the disk could not be read or written; nothing was changed",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a backup",
    sqlite3.SQLITE_NOTADB: "it is damaged, or no database; restore a backup",
}


@contextlib.contextmanager
def as_unavailable(path: Path | None) -> Iterator[None]:
    """Raise StoreUnavailable with the meaning of an error of SQLite, and SQLite's own words behind it."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) or 0
        meaning = _MEANINGS.get(code & 0xFF)
        sentence = f"{meaning} ({error})" if meaning else str(error)
        raise StoreUnavailable(f"the datastore {path or 'in memory'}: {sentence}") from error
