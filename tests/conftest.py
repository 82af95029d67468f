# SPDX-License-Identifier: Apache-2.0
"""What tests of several packages share: a private network namespace, and settings of hypothesis."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import settings

from percale.netlink import namespace

# A test never judges wall time: on a busy machine a deadline would fail what is right.
settings.register_profile("percale", deadline=None)
settings.load_profile("percale")


class NetworkNamespace:
    """The empty network namespace that the test's own thread is in until the test ends.

    Sockets opened and programs started by the test are in it. It has no name and vanishes with its last user.
    """

    def __init__(self) -> None:
        self.descriptor = namespace.current()
        self._others: list[int] = []

    def other(self) -> int:
        """A file descriptor of one more empty namespace, closed when the test ends."""
        self._others.append(namespace.private())
        return self._others[-1]

    def run(self, *command: str, text: str | None = None) -> str:
        """What a program prints when run in this namespace; skips the test if it is not installed."""
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def run_in(self, descriptor: int, *command: str) -> str:
        """What a program prints when run in another namespace."""
        return namespace.in_namespace(descriptor, lambda: self.run(*command))

    def close(self) -> None:
        for descriptor in (self.descriptor, *self._others):
            os.close(descriptor)


@pytest.fixture
def netns() -> Iterator[NetworkNamespace]:
    """Run the test in a network namespace of its own; skip it where that is not permitted."""
    home = namespace.current()
    try:
        try:
            namespace.unshare()
        except PermissionError:
            pytest.skip("making a network namespace is not permitted here (needs CAP_SYS_ADMIN)")
        try:
            private = NetworkNamespace()
            try:
                yield private
            finally:
                private.close()
        finally:
            namespace.set_namespace(home)
    finally:
        os.close(home)
