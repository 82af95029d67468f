# SPDX-License-Identifier: Apache-2.0
"""Command lines of percale, run in the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from percale.cli.main import main


class Ran(NamedTuple):
    """What a command gave back."""

    status: int
    out: str
    err: str


def command_lines(capsys: Any) -> Callable[..., Ran]:
    """Return what runs the words of a command and returns what it gave back."""

    def run(*words: str) -> Ran:
        status = main(words, program="percale")
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run
