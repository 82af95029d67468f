# SPDX-License-Identifier: Apache-2.0
"""Log lines a machine can read: the event first, then ``key=value``; one line per event.

Levels mean: *error* needs a person, *warning* repairs itself, *info* is a change of state, *debug* everything else.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TextIO

__all__ = ["LEVELS", "Log", "start"]

LEVELS = ("debug", "info", "warning", "error")


class Log:
    """Writes events of one part of the agent; values are quoted only where they hold blanks or quotes."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"percale.{part}")

    def debug(self, event: str, **facts: object) -> None:
        """Write an event of interest only while somebody looks for a fault."""
        self._write(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Write a change of state."""
        self._write(logging.INFO, event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Write a fault that repairs itself."""
        self._write(logging.WARNING, event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Write a fault that needs a person."""
        self._write(logging.ERROR, event, facts)

    def _write(self, level: int, event: str, facts: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", " ".join([event, *(f"{key}={_quoted(facts[key])}" for key in facts)]))


def _quoted(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if text and not any(sign in text for sign in " \"'=\n\t\\"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


class _Line(logging.Formatter):
    """``2026-01-02T03:04:05.678Z info event key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        part = record.name.removeprefix("percale.")
        return f"{moment}.{int(record.msecs):03}Z {record.levelname.lower()} {part}: {record.getMessage()}"


def start(level: str = "info", stream: TextIO | None = None) -> None:
    """Send percale's log lines of this level and above to ``stream`` (standard error if None)."""
    output = logging.StreamHandler(stream or sys.stderr)
    output.setFormatter(_Line())
    logger = logging.getLogger("percale")
    logger.handlers[:] = [output]
    logger.setLevel(level.upper())
    logger.propagate = False
