# SPDX-License-Identifier: Apache-2.0
"""The agent's single loop: the only owner of calculation and dataplane, advanced by explicit steps.

Threads feed its inbox (one per watch, one for the kernel's notifications); tests and simulations feed it by hand.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from percale.agent.logs import Log
from percale.agent.status import StatusBoard
from percale.calc import Calculation
from percale.calc.host_state import Message
from percale.datastore.seams import InSync, Resync, Revision, SyncerEvent, SyncerUpdate

if TYPE_CHECKING:
    from percale.dataplane import Dataplane

__all__ = ["Drift", "Event", "LinkChanged", "Loop", "Stop"]


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """Interfaces came, went, or changed between up and down."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Drift:
    """Somebody else changed what is ours in the kernel."""

    what: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the loop; what is programmed stays."""


Event: TypeAlias = Sequence[SyncerEvent] | LinkChanged | Drift | Stop

_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 30.0


class Loop:
    """Takes what changed from the inbox, calculates, programs, and says how far it is.

    ``resync_s`` is how often the kernel's state is read again in full. A failed attempt changes nothing in the kernel
    and is repeated with growing, jittered pauses.
    """

    def __init__(
        self,
        calculation: Calculation,
        dataplane: Dataplane,
        board: StatusBoard,
        *,
        resync_s: float = 90.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calculation = calculation
        self._dataplane = dataplane
        self._board = board
        self._resync_s = resync_s
        self._clock = clock
        self._log = Log("agent")
        self._inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._messages: list[Message] = []
        self._links: set[str] = set()
        self._revision: Revision | None = None
        self._invalid: dict[str, str] = {}
        self._retry_at: float | None = None
        self._retry_s = _FIRST_RETRY_S
        self._resync_at = clock() + resync_s
        self._stopping = False

    def put(self, event: Event) -> None:
        """Hand an event to the loop; any thread may."""
        self._inbox.put(event)

    def run(self) -> None:
        """Step until told to stop."""
        while not self._stopping:
            self.step(self._patience())

    def step(self, timeout_s: float = 0.0) -> None:
        """Take all that is in the inbox, waiting up to ``timeout_s`` for a first event, and act on it."""
        for event in self._taken(timeout_s):
            self._note(event)
        now = self._clock()
        self._messages += self._calculation.flush()
        due = self._retry_at is not None and now >= self._retry_at
        if now >= self._resync_at:
            self._resync_at = now + self._resync_s
            self._attempt("resync", self._dataplane.resync)
        if self._links and self._retry_at is None:
            names, self._links = frozenset(self._links), set()
            self._attempt("interfaces", lambda: self._dataplane.interfaces_changed(names))
        if due or (self._retry_at is None and self._work_left()):
            self._program()

    def _taken(self, timeout_s: float) -> list[Event]:
        events: list[Event] = []
        try:
            events.append(self._inbox.get(timeout=timeout_s) if timeout_s > 0 else self._inbox.get_nowait())
            while True:
                events.append(self._inbox.get_nowait())
        except queue.Empty:
            return events

    def _note(self, event: Event) -> None:
        match event:
            case LinkChanged(names):
                self._links |= names
            case Drift(what):
                self._log.warning("drift", what=what)
                self._resync_at = self._clock()
            case Stop():
                self._stopping = True
            case _:
                for one in event:
                    self._note_change(one)

    def _note_change(self, event: SyncerEvent) -> None:
        match event:
            case SyncerUpdate(key, resource, revision, problem):
                self._note_validity(str(key), "" if problem is None else str(problem))
                self._calculation.update(key, resource)
                self._revision = revision
            case InSync(revision):
                self._calculation.in_sync()
                self._revision = revision
                self._log.info("in-sync", revision=revision)
                self._board.post(in_sync=True)
            case Resync(kinds, reason):
                self._log.warning("resync", kinds=",".join(kinds), reason=reason)

    def _note_validity(self, key: str, problem: str) -> None:
        if problem:
            self._log.error("invalid-resource", resource=key, problem=problem)
            self._invalid[key] = problem
        elif key in self._invalid:
            self._log.info("valid-again", resource=key)
            del self._invalid[key]

    def _work_left(self) -> bool:
        return bool(self._messages) or self._revision != self._board.status.programmed

    def _program(self) -> None:
        started = self._clock()
        messages, self._messages = self._messages, []
        if self._attempt("program", lambda: self._dataplane.apply(messages)):
            if messages:
                spent_ms = 1000 * (self._clock() - started)
                self._log.info("programmed", revision=self._revision, messages=len(messages), ms=spent_ms)
            self._report()

    def _attempt(self, what: str, act: Callable[[], object]) -> bool:
        """Do one thing to the kernel; a failure leaves the kernel as it was, is told, and asks for another attempt."""
        try:
            act()
        except OSError as error:
            failures = self._board.status.failures + 1
            self._retry_at = self._clock() + self._retry_s * random.uniform(0.75, 1.25)
            self._log.error("programming-failed", attempt=what, error=error, again_s=self._retry_s)
            self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)
            self._board.post(fault=f"{what}: {error}", failures=failures)
            return False
        self._retry_at, self._retry_s = None, _FIRST_RETRY_S
        return True

    def _report(self) -> None:
        counts = self._calculation.statistics()
        self._board.post(
            seen=self._revision,
            programmed=self._revision if self._board.status.in_sync else None,
            programmed_at=time.time(),
            endpoints=counts.endpoints,
            policies=counts.policies,
            profiles=counts.profiles,
            ip_sets=counts.ip_sets,
            invalid=dict(self._invalid),
            netlink_messages=self._dataplane.statistics().messages_sent,
            fault="",
        )

    def _patience(self) -> float:
        until = self._resync_at if self._retry_at is None else min(self._resync_at, self._retry_at)
        return max(0.0, until - self._clock())
