# SPDX-License-Identifier: Apache-2.0
"""The agent's single loop: the only owner of calculation and dataplane, advanced by explicit steps.

Threads feed its inbox, one per watch; the kernel's notifications wake it through the dataplane's descriptors. Tests and
simulations feed the inbox and call ``step`` by hand.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from select import select
from typing import Any, Protocol

from percale.agent.inbox import Inbox, Item, Stop
from percale.agent.logs import Log
from percale.agent.readiness import is_about_readiness, unreadiness
from percale.agent.status import StatusBoard
from percale.calc.bulk_load import bulk_load
from percale.calc.calculation import Calculation
from percale.dataplane.dataplane import Applied, Dataplane
from percale.datastore.seams import InSync, Interrupted, Resync, Revision, SyncerUpdate

__all__ = ["Loop", "WatchedDataplane"]

_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 30.0


class WatchedDataplane(Dataplane, Protocol):
    """A dataplane that reports by itself when links change or somebody else touches what is ours."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Readable when ``attend`` has something to do."""
        ...

    @property
    def messages_sent(self) -> int:
        """How many netlink messages were sent so far."""
        ...

    def attend(self, timeout_s: float = 0.0) -> list[Applied]:
        """Handle what was reported."""
        ...


class Loop:
    """Takes what changed from the inbox, calculates, programs, and says on the board how far it is.

    ``resync_s`` is how often the kernel's state is read again in full. A failed attempt leaves the tables as they were
    and is repeated after growing, jittered pauses. While the datastore is locked or has no ClusterInformation, what is
    programmed stays: who moves or empties a datastore must not cut off what runs (spec/resources.md).
    """

    def __init__(
        self,
        inbox: Inbox,
        calculation: Calculation,
        dataplane: WatchedDataplane,
        board: StatusBoard,
        *,
        resync_s: float = 90.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox, self._calculation, self._dataplane, self._board = inbox, calculation, dataplane, board
        self._resync_s, self._clock = resync_s, clock
        self._log = Log("agent")
        self._revision: Revision | None = None
        self._in_sync = self._stopping = False
        self._behind = self._unready = ""
        self._invalid: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._snapshot = ExitStack()
        self._loading = False
        self._pause_s = _FIRST_PAUSE_S
        self._resync_at = clock() + resync_s
        self._failing = False

    def run(self) -> None:
        """Step until told to stop."""
        while not self._stopping:
            self.step(max(0.0, self._resync_at - self._clock()))

    def step(self, timeout_s: float = 0.0) -> None:
        """Wait up to ``timeout_s`` for something to do, and do all there is."""
        select((self._inbox.fileno(), *self._dataplane.descriptors), (), (), timeout_s)
        self._settle(self._dataplane.attend(), "kernel")
        taken = self._inbox.take()
        for item in taken:
            self._note(item)
        if taken:
            self._program()
        if self._clock() >= self._resync_at:
            self._resync_at = self._clock() + self._resync_s
            self._settle([self._dataplane.resync()], "resync")

    def _note(self, item: Item) -> None:
        match item:
            case Stop():
                self._stopping = True
            case SyncerUpdate(key, resource, revision, problem):
                if not self._in_sync and not self._loading:
                    self._snapshot.enter_context(bulk_load())
                    self._loading = True
                self._note_validity(str(key), "" if problem is None else str(problem))
                if is_about_readiness(item):
                    self._note_readiness(unreadiness(item))
                self._calculation.update(key, resource)
                self._revision = revision
            case InSync(revision):
                self._snapshot.close()
                self._calculation.in_sync()
                self._revision, self._in_sync, self._behind = revision, True, ""
                self._log.info("in-sync", revision=revision)
            case Resync(kinds, reason):
                self._behind = reason
                self._log.warning("resync", kinds=",".join(kinds), reason=reason)
            case Interrupted(kinds, reason):
                self._behind = reason
                self._log.warning("datastore-lost", kinds=",".join(kinds), reason=reason)

    def _note_readiness(self, reason: str) -> None:
        before, self._unready = self._unready, reason
        if reason and not before:
            self._log.warning("datastore-not-ready", reason=reason)
        elif before and not reason:
            self._log.info("datastore-ready")

    def _note_validity(self, key: str, problem: str) -> None:
        if problem:
            self._log.error("invalid-resource", resource=key, problem=problem)
            self._invalid[key] = problem
        elif self._invalid.pop(key, None):
            self._log.info("valid-again", resource=key)

    def _note_refusals(self) -> None:
        """Tell of resources that are valid by themselves and yet cannot be calculated with (spec/calculation.md R2)."""
        refused = {str(key): str(problem) for key, problem in self._calculation.cluster.refusals.items()}
        for key in self._refused.keys() - refused.keys():
            self._note_validity(key, "")
        for key in refused.keys() - self._refused.keys():
            self._note_validity(key, refused[key])
        self._refused = refused

    def _program(self) -> None:
        if self._unready:
            self._report()
            return
        began = self._clock()
        messages = self._calculation.flush()
        self._note_refusals()
        applied = self._dataplane.apply(messages)
        if messages and applied.ok:
            spent_ms = 1000 * (self._clock() - began)
            self._log.info("programmed", revision=self._revision, messages=len(messages), ms=spent_ms)
        self._settle([applied], "program")

    def _settle(self, results: Iterable[Applied], attempt: str) -> None:
        """Draw the conclusions from what the dataplane did: when to look again, and what to tell."""
        settled = False
        for applied in results:
            settled = True
            if applied.error is not None:
                self._failed(attempt, str(applied.error))
            else:
                self._failing, self._pause_s = False, _FIRST_PAUSE_S
            for failure in applied.failures:
                self._log.warning("operation-failed", attempt=attempt, failure=failure)
            if applied.failures:
                self._look_again(self._pause())
            if applied.retry_after_s is not None:
                self._look_again(applied.retry_after_s)
        if settled:
            self._report()

    def _failed(self, attempt: str, error: str) -> None:
        pause_s = self._pause()
        self._failing = True
        self._log.error("programming-failed", attempt=attempt, error=error, again_s=pause_s)
        self._look_again(pause_s)
        self._board.post(fault=error, failures=self._board.status.failures + 1)

    def _pause(self) -> float:
        """The next pause before another attempt: longer each time, and never the same for two agents."""
        pause_s = self._pause_s * random.uniform(0.75, 1.25)
        self._pause_s = min(2 * self._pause_s, _LAST_PAUSE_S)
        return pause_s

    def _look_again(self, pause_s: float) -> None:
        self._resync_at = min(self._resync_at, self._clock() + pause_s)

    def _report(self) -> None:
        held = self._dataplane.statistics()
        # While a list is under way its revision is named before all that belongs to it has been seen; and what cannot
        # be followed may be anywhere.
        behind = self._behind or self._unready
        in_sync = self._in_sync and not behind
        news: dict[str, Any] = {"seen": self._revision, "in_sync": in_sync, "behind": behind}
        news |= {"invalid": dict(self._invalid)}
        if in_sync and not self._failing:
            news |= {"programmed": self._revision, "programmed_at": time.time(), "fault": ""}
        self._board.post(
            **news,
            endpoints=held.endpoints,
            programs=held.programs,
            rules=held.rules,
            elements=held.elements,
            netlink_messages=self._dataplane.messages_sent,
        )
