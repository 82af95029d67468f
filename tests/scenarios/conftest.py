# SPDX-License-Identifier: Apache-2.0
"""Hosts with the real agent on them, and the proof that nothing of them is left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.scenarios.acceptance import populate

from percale.lab.site import Site
from percale.netlink import namespace

_MARK = "PERCALE_SCENARIO"
_END_S = 5.0


def marked_processes(mark: str) -> list[int]:
    """The processes other than this one that were started with our mark in their environment."""
    wanted, found = f"{_MARK}={mark}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue  # it ended meanwhile, or is none of ours
    return found


@contextmanager
def traceless() -> Iterator[Path]:
    """Yield a folder for all temporary files of the body; afterwards nothing may be there or run."""
    mark = uuid.uuid4().hex
    # Not pytest's own folder: the path of a Unix socket has at most 107 bytes (unix(7)).
    folder = tempfile.mkdtemp(prefix="scenario-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setenv(_MARK, mark)
        patch.setattr(tempfile, "tempdir", None)
        try:
            yield Path(folder)
            limit = time.monotonic() + _END_S
            while (left := marked_processes(mark)) and time.monotonic() < limit:
                time.sleep(0.02)
            assert left == [], "processes were left behind"
            assert os.listdir(folder) == [], "temporary files were left behind"
        finally:
            shutil.rmtree(folder)


@contextmanager
def private_site() -> Iterator[Site]:
    """A private host with an empty store, address pools and the CNI executable, but no agent."""
    with traceless(), Site() as made:
        made.add_pools()
        made.install_plugin()
        yield made


@pytest.fixture(scope="session")
def permitted() -> None:
    """Skip the test where a private host cannot be made."""
    try:
        os.close(namespace.private())
    except PermissionError:
        pytest.skip("making a network namespace is not permitted here (needs CAP_SYS_ADMIN)")


@pytest.fixture
def traces() -> Iterator[Path]:
    """The folder of all temporary files of the test, which must leave none."""
    with traceless() as folder:
        yield folder


@pytest.fixture
def site(permitted) -> Iterator[Site]:
    """A private host of the test's own, on which it starts the agent."""
    with private_site() as made:
        yield made


@pytest.fixture(scope="module")
def shop(permitted) -> Iterator[Site]:
    """The host of the acceptance scenario at work, shared by the tests of a module, which leave it as they found it."""
    with private_site() as made:
        made.start_agent()
        populate(made)
        yield made


@pytest.fixture
def shop_of_its_own(permitted) -> Iterator[Site]:
    """The host of the acceptance scenario at work, for a test that damages it."""
    with private_site() as made:
        made.start_agent()
        populate(made)
        yield made
