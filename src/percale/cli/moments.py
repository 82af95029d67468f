# SPDX-License-Identifier: Apache-2.0
"""Moments of the past on the command line: a revision, a time, or how long ago."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from percale.cli.command import Arguments, CommandFailed, Flag
from percale.errors import Compacted, PercaleError

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["MOMENT_FLAGS", "chosen_revision", "moment_text", "reading_past", "seconds_of"]

MOMENT_FLAGS = (
    Flag("revision", value="N", text="as it was at this revision of the datastore", own=True),
    Flag("at", value="TIME", text="as it was then: 2026-11-23T10:00:00, or 45m, 2h, 3d ago", own=True),
)
_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def chosen_revision(client: Client, arguments: Arguments) -> str:
    """Return the revision that the flags choose, empty for now; raises CommandFailed, Compacted."""
    if arguments.given("revision") and arguments.given("at"):
        raise CommandFailed("choose either --revision or --at")
    if arguments.given("revision"):
        return arguments.text("revision")
    if not arguments.given("at"):
        return ""
    from percale.cli.stores import keyvalue_of

    time_s, store = seconds_of(arguments.text("at"), time.time()), keyvalue_of(client)
    if not store.keeps_times:
        raise CommandFailed("--at: this datastore does not keep the times of its revisions; use --revision")
    return str(store.revision_at(time_s))


@contextmanager
def reading_past(client: Client) -> Iterator[None]:
    """Tell a reader of history that is gone the oldest revision that is left, and where the store knows it, its time.

    Raises PercaleError for Compacted.
    """
    try:
        yield
    except Compacted as compacted:
        from percale.cli.stores import keyvalue_of

        store, oldest = keyvalue_of(client), compacted.revision
        when = f", of {moment_text(store.revision_time(oldest))}" if store.keeps_times else ""
        raise PercaleError(f"{compacted}; the oldest that can be read is revision {oldest}{when}") from compacted


def seconds_of(text: str, now_s: float) -> float:
    """Return a past time in seconds since 1970; without a zone it is the local one. Raises CommandFailed."""
    try:
        ago = _AGO.fullmatch(text)
        time_s = now_s - int(ago[1]) * _UNITS[ago[2]] if ago else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise CommandFailed(f"'{text}' is no time: write 2026-11-23T10:00:00, or 45m, 2h, 3d for so long ago") from None
    if time_s > now_s:
        raise CommandFailed(f"'{text}' is in the future; it is {moment_text(now_s)} now")
    return time_s


def moment_text(time_s: float) -> str:
    """Return a time in seconds since 1970 as people read it, in the local zone."""
    return datetime.fromtimestamp(time_s).astimezone().isoformat(" ", "seconds")
