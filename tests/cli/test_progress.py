# SPDX-License-Identifier: Apache-2.0
"""The bar on a terminal."""

import io
import os
import pty
import subprocess
import sys

import pytest
from tests.cli.test_processes import SOURCE

from percale.cli.progress import ProgressBar


class Terminal(io.StringIO):
    """Standard error that somebody looks at."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (0, 4, f"Copying [{' ' * 40}]   0%"),
        (1, 4, f"Copying [{'#' * 10}{' ' * 30}]  25%"),
        (4, 4, f"Copying [{'#' * 40}] 100%"),
    ],
)
def test_the_bar_grows(monkeypatch, done, total, line):
    """The bar is as full as the work is done, and it is erased at the end."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with ProgressBar("Copying") as bar:
        bar(done, total)
        bar(done, total)
        assert terminal.getvalue() == f"\r\033[K{line}"
    assert terminal.getvalue().endswith("\r\033[K")


def test_nothing_to_do_is_all_done(monkeypatch):
    """No step of none is the whole."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    ProgressBar("Copying")(0, 0)
    assert terminal.getvalue().endswith("100%")


def test_nobody_watches(capsys):
    """Where standard error is no terminal nothing is drawn, and nothing is erased."""
    with ProgressBar("Copying") as bar:
        bar(1, 2)
    assert not bar.watched
    assert capsys.readouterr().err == ""


def test_a_copy_on_a_terminal(tmp_path):
    """A copy whose standard error is a terminal shows its bar there, and its result on standard output."""
    command = [sys.executable, "-m", "percale.cli", "datastore", "copy", "--from", "a.db", "--to", "b.db"]
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PERCALE_DATASTORE": "a.db"}
    subprocess.run(
        [*command[:3], "datastore", "migrate", "unlock"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.endswith("both datastores are equal.\n")
        shown = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Copying [########" in shown
    assert "100%" in shown
