# SPDX-License-Identifier: Apache-2.0
"""Network namespaces: enter one, make one, open something in one.

A network namespace belongs to a thread. Whatever a thread opens (sockets, /proc/sys/net, /proc/net) stays in the
namespace that the thread was in when it opened it (namespaces(7)).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["current", "entered", "in_namespace", "private", "set_namespace", "unshare"]

CLONE_NEWNET = 0x40000000

_CURRENT = "/proc/thread-self/ns/net"

Result = TypeVar("Result")


def current() -> int:
    """A file descriptor of the calling thread's network namespace; the caller closes it."""
    return os.open(_CURRENT, os.O_RDONLY | os.O_CLOEXEC)


def set_namespace(descriptor: int) -> None:
    """Move the calling thread into the network namespace behind a file descriptor; raises OSError."""
    if hasattr(os, "setns"):
        os.setns(descriptor, CLONE_NEWNET)
    else:
        _system_call("setns", descriptor, CLONE_NEWNET)


def unshare(flags: int = CLONE_NEWNET) -> None:
    """Move the calling thread into new namespaces, an empty network namespace by default (unshare(2)).

    Raises OSError: EPERM without CAP_SYS_ADMIN.
    """
    if hasattr(os, "unshare"):
        os.unshare(flags)
    else:
        _system_call("unshare", flags)


@contextmanager
def entered(descriptor: int) -> Iterator[None]:
    """Run the body in the network namespace behind a file descriptor and come back; raises OSError.

    Only the calling thread moves. A thread that could not come back must end: the error says so.
    """
    home = current()
    try:
        set_namespace(descriptor)
        try:
            yield
        finally:
            set_namespace(home)
    finally:
        os.close(home)


def in_namespace(descriptor: int, action: Callable[[], Result]) -> Result:
    """The result of ``action`` run in a namespace by a thread of its own, so that no caller's thread ever moves."""
    return _in_thread(lambda: set_namespace(descriptor), action)


def private() -> int:
    """A file descriptor of a new, empty network namespace that lives as long as something refers to it."""
    return _in_thread(unshare, current)


def _in_thread(move: Callable[[], None], action: Callable[[], Result]) -> Result:
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            move()
            results.append(action())
        except BaseException as error:  # carried over to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="percale-namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _system_call(name: str, *arguments: int) -> None:
    import ctypes  # costs milliseconds, and only Python 3.11 lacks the calls

    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
