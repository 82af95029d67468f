# SPDX-License-Identifier: Apache-2.0
"""A host with the real agent on it for each test, and the proof that the test left nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from percale.lab.site import Site

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


@pytest.fixture
def traces(monkeypatch) -> Iterator[str]:
    """Run the test with a folder of its own for temporary files; afterwards nothing may be there or run.

    The value is the mark that all processes of the test carry.
    """
    mark = uuid.uuid4().hex
    # Not pytest's own folder: the path of a Unix socket has at most 107 bytes (unix(7)).
    folder = tempfile.mkdtemp(prefix="scenario-")
    monkeypatch.setenv("TMPDIR", folder)
    monkeypatch.setenv(_MARK, mark)
    monkeypatch.setattr(tempfile, "tempdir", None)
    try:
        yield mark
        limit = time.monotonic() + _END_S
        while (left := marked_processes(mark)) and time.monotonic() < limit:
            time.sleep(0.02)
        assert left == [], "processes were left behind"
        assert os.listdir(folder) == [], "temporary files were left behind"
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def site(bare_site) -> Site:
    """A private host for the test to start the agent on; modules with a scenario of their own override it."""
    return bare_site


@pytest.fixture
def bare_site(traces) -> Iterator[Site]:
    """A private host with an empty store, address pools and the CNI executable, but no agent."""
    try:
        made = Site()
    except PermissionError:
        pytest.skip("making a network namespace is not permitted here (needs CAP_SYS_ADMIN)")
    with made:
        made.add_pools()
        made.install_plugin()
        yield made
