# SPDX-License-Identifier: Apache-2.0
"""Copies of a file of the embedded store, made while it is used, and put back while it is not."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from percale.datastore.sqlite import checking, schema
from percale.datastore.sqlite.trouble import as_unavailable
from percale.errors import Refused, StoreUnavailable

__all__ = ["check_backup", "new_store", "restore_file", "write_backup"]

if TYPE_CHECKING:
    from percale.datastore.sqlite.store import SQLiteKeyValue

_BESIDE = ("-wal", "-shm", "-wake")
_OF_THE_TARGET = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN)
"""The errors of a copy that the file which is written has, not the one that is read."""
_NO_STORE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def write_backup(connection: sqlite3.Connection, path: Path | None, target: Path) -> None:
    """Write everything of one moment, history included, into a new file; it is there whole or not at all.

    Writers go on meanwhile. Raises Refused if the target or a log of it exists, StoreUnavailable if it cannot be
    written.
    """
    _refuse_existing(target)
    with _beside(target) as unfinished, as_unavailable(path):
        try:
            connection.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(unfinished),))
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _OF_THE_TARGET:
                raise
            raise StoreUnavailable(f"cannot write {target}: {error}") from error
        _move(unfinished, target)


@contextlib.contextmanager
def new_store(target: Path, *, writer: Callable[[], str] = str) -> Iterator[SQLiteKeyValue]:
    """Give a new store to be filled, which has its place when the block ends well, and is gone otherwise.

    Raises Refused if there is something at the target, or a log of it, StoreUnavailable if it cannot be written.
    """
    from percale.datastore.sqlite.store import SQLiteKeyValue

    _refuse_existing(target)
    with _beside(target) as unfinished:
        try:
            with SQLiteKeyValue(unfinished, writer=writer) as store:
                yield store
        except StoreUnavailable as error:
            # Nobody but us knows the name that the file has meanwhile.
            error.args = tuple(str(each).replace(os.fspath(unfinished), os.fspath(target)) for each in error.args)
            raise
        _refuse_existing(target)
        _move(unfinished, target)


def check_backup(backup: Path) -> None:
    """Raise Refused or StoreUnavailable for what is no backup at the first look; nothing is touched."""
    try:
        mode = backup.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "folder" if stat.S_ISDIR(mode) else "device or a pipe"
            raise Refused(f"{backup} is a {what}, and a backup is a file")
        log = backup.with_name(backup.name + "-wal")
        in_use = log.exists() and log.stat().st_size > 0
        with open(backup, "rb"):
            pass  # its error says more than SQLite's
    except OSError as error:
        raise StoreUnavailable(f"cannot read {backup}: {error.strerror}") from error
    if in_use:
        raise Refused(
            f"{backup} is a datastore in use, whose last changes are in {log.name}: "
            f"make a backup of it by 'datastore backup FILE --datastore {backup}'"
        )
    with _readable(backup), contextlib.closing(sqlite3.connect(_unchanging(backup), uri=True)) as connection:
        _check_kind(connection, backup)


def restore_file(backup: Path, target: Path) -> None:
    """Put a backup in the place of a store that nobody has open; raises Refused, StoreUnavailable.

    The backup, which must not be a store that this process has open, is checked before anything is touched, and takes
    its place in one step.
    """
    check_backup(backup)
    if target.exists() and backup.samefile(target):
        raise Refused(f"{backup} is the datastore itself, and no backup of it")
    with _beside(target) as unfinished:
        try:
            shutil.copyfile(backup, unfinished)
        except OSError as error:
            raise StoreUnavailable(f"cannot copy {backup} to {target.parent}: {error.strerror}") from error
        _check_whole(unfinished, backup)
        if target.exists():
            _take_from_use(target)
        for suffix in _BESIDE:
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        _move(unfinished, target)


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise Refused(f"{target} exists already; choose another name")
    log = target.with_name(target.name + "-wal")
    if log.exists():  # by its name SQLite takes it for that of the new file, and reads what is in it
        raise Refused(f"{log} is the log of a datastore that is not there any more; remove it or choose another name")


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give a private file in the folder of the target; it and those beside it are gone where it did not become that."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        yield unfinished
    except OSError as error:
        raise StoreUnavailable(f"cannot write {target}: {error.strerror}") from error
    finally:
        for suffix in ("", *_BESIDE):
            with contextlib.suppress(OSError):
                unfinished.with_name(unfinished.name + suffix).unlink()


def _check_whole(copy: Path, backup: Path) -> None:
    with _readable(backup), contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        _check_kind(connection, backup)
        wrong = next(checking.faults(connection), "")
        if wrong:
            raise Refused(f"{backup} is damaged and was not restored: {wrong}")


def _check_kind(connection: sqlite3.Connection, backup: Path) -> None:
    if not schema.version_of(connection, backup):
        raise Refused(f"{backup} is empty, no backup of a datastore")


@contextlib.contextmanager
def _readable(backup: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise Refused(f"{backup} is damaged, or no backup of a datastore: {error}") from error


def _unchanging(path: Path) -> str:
    """Return the file as SQLite's URI, by which reading it leaves nothing beside it."""
    return f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"


def _take_from_use(target: Path) -> None:
    """Empty the write-ahead log of a store; raises Refused while somebody has the store open, or where it is none."""
    try:
        with contextlib.closing(schema.connect(target, "FULL", busy_timeout_s=0)) as connection:
            schema.version_of(connection, target)
            connection.execute("PRAGMA journal_mode = DELETE")
    except (sqlite3.Error, StoreUnavailable) as error:
        fault = error.__cause__ if isinstance(error, StoreUnavailable) else error
        code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise Refused(f"{target} is in use; stop the agent and every other percale before restoring") from error
        if code in _NO_STORE:
            raise Refused(
                f"{target} is damaged, or no datastore ({fault}); move it away, with what lies beside it, and try again"
            ) from error
        with as_unavailable(target):
            raise


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
