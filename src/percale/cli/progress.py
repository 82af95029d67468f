# SPDX-License-Identifier: Apache-2.0
"""How far a long command is, as a bar on a terminal; nothing at all where nobody watches."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self

__all__ = ["ProgressBar"]

_ERASE = "\r\033[K"
_WIDEST = 40
_USUAL = 80  # columns of a terminal that does not tell


class ProgressBar:
    """A bar on standard error, which is gone again when the command goes on; call it with what is done, and of what.

    It is ``watched`` where standard error is a terminal, and draws nothing elsewhere.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = ""
        self.watched = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Draw the bar anew where it has changed."""
        if not self.watched:
            return
        share = done / total if total else 1.0
        width = max(min(_WIDEST, _columns() - len(self._what) - len(" [] 100 %")), 1)
        filled = int(share * width)
        line = f"{self._what} [{'#' * filled}{' ' * (width - filled)}] {share:4.0%}"
        if line != self._shown:
            sys.stderr.write(f"{_ERASE}{line}")
            sys.stderr.flush()
            self._shown = line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL
    except (OSError, ValueError):
        return _USUAL
