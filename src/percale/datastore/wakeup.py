# SPDX-License-Identifier: Apache-2.0
"""Waking watchers when a file of the datastore changed: inotify for other processes, a condition for this one.

A writer rewrites a small side file *after* its commit. (Watching SQLite's own write-ahead log fires before the data is
visible.) A slow tick is the safety net: whoever misses an event, for whatever reason, looks again after a second.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from pathlib import Path

from percale.datastore.keyvalue import Closable

__all__ = ["Wakeup"]

_TICK_S = 1.0
_TICK_WITHOUT_INOTIFY_S = 0.02
_IN_MODIFY = 0x2  # linux/inotify.h
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC


class Wakeup(Closable):
    """A bell that every process rings after it has changed the store; waiters count the rings, so none is missed.

    One that only listens (``rings`` False) needs no right to write.
    """

    def __init__(self, path: Path | None, *, rings: bool = True) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._rings = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self._stop = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._file = -1
        if path is not None and rings:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def rings(self) -> int:
        """How often the bell was heard; take it before looking at the store, and wait for it to pass."""
        return self._rings

    def ring(self, revision: int) -> None:
        """Tell every waiter, here and in other processes, that the store has reached ``revision``."""
        if self._file >= 0:
            os.pwrite(self._file, b"%020d\n" % revision, 0)
        else:
            self.wake()

    def wake(self) -> None:
        """Let the waiters of this process look again."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    def wait(self, rings: int, timeout_s: float | None) -> bool:
        """Wait until the bell has rung more often than ``rings``; whether the store is worth a look."""
        if self._start():
            return True  # nobody listened until now
        with self._changed:
            return self._changed.wait_for(lambda: self._rings != rings or self._closed, timeout_s)

    def close(self) -> None:
        """Stop listening and let every waiter go."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        os.eventfd_write(self._stop, 1)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        os.close(self._stop)
        if self._file >= 0:
            os.close(self._file)

    def _start(self) -> bool:
        with self._changed:
            if self._thread is not None or self._closed:
                return False
            listener = _listen(self._path) if self._path is not None else -1
            self._thread = threading.Thread(target=self._run, args=(listener,), name="percale-wakeup", daemon=True)
            self._thread.start()
            return True

    def _run(self, listener: int) -> None:
        poller = select.poll()
        poller.register(self._stop, select.POLLIN)
        tick_s = _TICK_S
        if listener >= 0:
            poller.register(listener, select.POLLIN)
        elif self._path is not None:
            tick_s = _TICK_WITHOUT_INOTIFY_S
        while not self._closed:
            ready = {fd for fd, _ in poller.poll(tick_s * 1000)}
            if listener in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(listener, 65536)
            self.wake()
        if listener >= 0:
            os.close(listener)


def _listen(path: Path) -> int:
    """Return an inotify descriptor on the file, or -1 where the user's limit of inotify instances is used up."""
    import ctypes  # only for who waits

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC))
    if descriptor >= 0 and libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY) < 0:
        os.close(descriptor)
        return -1
    return descriptor
