# SPDX-License-Identifier: Apache-2.0
"""A command line with a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.command_line import Ran, command_lines


@pytest.fixture
def percale(tmp_path: Path, monkeypatch, capsys) -> Callable[..., Ran]:
    """Run command lines one after the other on the same empty store, in a folder of their own."""
    for name in ("DATASTORE_TYPE", "ETCD_ENDPOINTS", "KUBECONFIG", "PERCALE_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "store.db"))
    monkeypatch.chdir(tmp_path)

    return command_lines(capsys)
