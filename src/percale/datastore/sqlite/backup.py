# SPDX-License-Identifier: Apache-2.0
"""Copies of a file of the embedded store, made while it is used, and put back while it is not."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from percale.datastore.sqlite import checking, schema
from percale.datastore.sqlite.trouble import as_unavailable
from percale.errors import Refused, StoreUnavailable

__all__ = ["restore_file", "write_backup"]

_BESIDE = ("-wal", "-shm", "-wake")


def write_backup(connection: sqlite3.Connection, path: Path | None, target: Path) -> None:
    """Write everything of one moment, history included, into a new file; it is there whole or not at all.

    Writers go on meanwhile. Raises Refused if the target exists, StoreUnavailable if it cannot be written.
    """
    if target.exists():
        raise Refused(f"{target} exists already; choose another name for the backup")
    with _beside(target) as unfinished, as_unavailable(path):
        connection.execute("VACUUM INTO ?", (os.fspath(unfinished),))
        _move(unfinished, target)


def restore_file(backup: Path, target: Path) -> None:
    """Put a backup in the place of a store that nobody has open; raises Refused, StoreUnavailable.

    The backup, which must not be a store that this process has open, is checked before anything is touched, and takes
    its place in one step.
    """
    with _beside(target) as unfinished:
        try:
            shutil.copyfile(backup, unfinished)
        except OSError as error:
            raise StoreUnavailable(f"cannot copy {backup} to {target.parent}: {error.strerror}") from error
        _check_backup(unfinished, backup)
        if target.exists():
            _take_from_use(target)
        for suffix in _BESIDE:
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        _move(unfinished, target)


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give a private file in the folder of the target, and remove it where it did not become the target."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        yield unfinished
    except OSError as error:
        raise StoreUnavailable(f"cannot write {target}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _check_backup(copy: Path, backup: Path) -> None:
    with as_unavailable(backup), contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        if not schema.version_of(connection, backup):
            raise Refused(f"{backup} is empty, no backup of a datastore")
        wrong = next(checking.faults(connection), "")
        if wrong:
            raise Refused(f"{backup} is damaged and was not restored: {wrong}")


def _take_from_use(target: Path) -> None:
    """Empty the write-ahead log of a store; raises Refused while somebody has the store open."""
    with as_unavailable(target), contextlib.closing(schema.connect(target, "FULL", busy_timeout_s=0)) as connection:
        try:
            schema.version_of(connection, target)
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise Refused(f"{target} is in use; stop the agent and every other percale before restoring") from error


def _move(unfinished: Path, target: Path) -> None:
    descriptor = os.open(unfinished, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unfinished.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
