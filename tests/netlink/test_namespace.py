# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of threads."""

from __future__ import annotations

import os
import threading

import pytest

from percale.netlink import namespace

pytestmark = pytest.mark.kernel


def inode(descriptor):
    return os.fstat(descriptor).st_ino


def here():
    descriptor = namespace.current()
    try:
        return inode(descriptor)
    finally:
        os.close(descriptor)


def test_entered_goes_there_and_comes_back(netns):
    """Inside the body the thread is in the other namespace, afterwards in its own."""
    other = netns.other()
    home = here()
    with namespace.entered(other):
        assert inode(other) == here()
    assert home == here()


def test_entered_comes_back_after_an_error(netns):
    """An exception out of the body does not leave the thread elsewhere."""
    other, home = netns.other(), here()
    with pytest.raises(ZeroDivisionError), namespace.entered(other):
        raise ZeroDivisionError
    assert home == here()


def test_only_the_calling_thread_moves(netns):
    """Another thread stays where it was."""
    other, seen = netns.other(), []
    home = here()
    arrived, looked = threading.Event(), threading.Event()

    def look():
        arrived.wait(10)
        seen.append(here())
        looked.set()

    thread = threading.Thread(target=look)
    thread.start()
    with namespace.entered(other):
        arrived.set()
        assert looked.wait(10)
    thread.join()
    assert [home] == seen


def test_in_namespace_returns_the_result(netns):
    """The action runs in the namespace, and its result comes back while the caller stays."""
    other, home = netns.other(), here()
    assert inode(other) == namespace.in_namespace(other, here)
    assert home == here()


def test_in_namespace_raises_the_action_s_error(netns):
    """What the action raises is raised here."""
    with pytest.raises(KeyError):
        namespace.in_namespace(netns.other(), lambda: {}["missing"])


def test_a_file_that_is_no_namespace_is_refused(netns):
    """Entering what is not a network namespace is an OSError and leaves the thread in place."""
    home = here()
    with open(os.devnull) as wrong, pytest.raises(OSError), namespace.entered(wrong.fileno()):
        pytest.fail("entered")
    assert home == here()


def test_private_namespaces_differ(netns):
    """Each private namespace is a new one."""
    assert len({here(), inode(netns.other()), inode(netns.other())}) == 3


def test_nothing_is_left_open(netns):
    """Entering closes what it opened."""
    other = netns.other()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with namespace.entered(other):
            pass
        namespace.in_namespace(other, here)
    assert before == len(os.listdir("/proc/self/fd"))
