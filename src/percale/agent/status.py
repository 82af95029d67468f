# SPDX-License-Identifier: Apache-2.0
"""What the agent says of itself: how far it is, what it holds, what it could not do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from percale.datastore.seams import Revision

__all__ = ["Status", "StatusBoard"]


@dataclass(frozen=True, slots=True)
class Status:
    """The agent at one moment.

    ``in_sync`` is whether its view of the datastore is complete: not before the first snapshot, nor while the datastore
    cannot be followed, for the reason in ``behind``. ``seen`` is how far that view goes, ``programmed`` how far the
    kernel is: what was written at or before that revision is enforced. ``invalid`` maps resources that are stored but
    unusable, and so treated as absent, to the reason. ``endpoints`` to ``elements`` count what is programmed. ``fault``
    is what the last attempt to program failed with, empty when it succeeded.
    """

    node: str
    pid: int
    started_at: float
    in_sync: bool = False
    behind: str = ""
    seen: Revision | None = None
    programmed: Revision | None = None
    endpoints: int = 0
    programs: int = 0
    rules: int = 0
    elements: int = 0
    invalid: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    failures: int = 0
    netlink_messages: int = 0
    programmed_at: float = 0.0

    def to_builtins(self) -> dict[str, Any]:
        """The status as JSON types with stable keys; revisions as text, times as seconds since the epoch."""
        return {
            "node": self.node,
            "pid": self.pid,
            "startedAt": self.started_at,
            "inSync": self.in_sync,
            "behind": self.behind,
            "seenRevision": None if self.seen is None else str(self.seen),
            "programmedRevision": None if self.programmed is None else str(self.programmed),
            "programmedAt": self.programmed_at or None,
            "endpoints": self.endpoints,
            "programs": self.programs,
            "rules": self.rules,
            "elements": self.elements,
            "invalid": self.invalid,
            "fault": self.fault,
            "failures": self.failures,
            "netlinkMessages": self.netlink_messages,
        }


class StatusBoard:
    """Holds the newest status for any thread to read or to wait for; only the loop changes it."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._changed = threading.Condition()

    @property
    def status(self) -> Status:
        """The newest status."""
        return self._status

    def post(self, **changes: Any) -> None:
        """Replace some of the status and wake who waits for it."""
        with self._changed:
            self._status = replace(self._status, **changes)
            self._changed.notify_all()

    def wait_for(self, holds: Callable[[Status], bool], deadline: float) -> bool:
        """Wait until ``holds`` is true of the status or ``time.monotonic()`` passes ``deadline``; reports which."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(self._status), max(0.0, deadline - time.monotonic()))

    def wait_programmed(self, revision: Revision, deadline: float) -> bool:
        """Wait until what was written at ``revision`` is enforced; reports whether it was in time."""
        return self.wait_for(
            lambda status: status.programmed is not None and status.programmed.is_at_or_after(revision), deadline
        )
