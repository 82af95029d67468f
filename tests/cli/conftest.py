# SPDX-License-Identifier: Apache-2.0
"""A command line with a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from percale.cli.main import main


class Ran(NamedTuple):
    """What a command gave back."""

    status: int
    out: str
    err: str


@pytest.fixture
def percale(tmp_path: Path, monkeypatch, capsys) -> Callable[..., Ran]:
    """Run command lines one after the other on the same empty store, in a folder of their own."""
    for name in ("DATASTORE_TYPE", "ETCD_ENDPOINTS", "KUBECONFIG", "PERCALE_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PERCALE_DATASTORE", str(tmp_path / "store.db"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ran:
        status = main(words, program="percale")
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run
