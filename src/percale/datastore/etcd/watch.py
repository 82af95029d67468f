# SPDX-License-Identifier: Apache-2.0
"""A watch on etcd: one stream, read by one thread into a queue, opened again where it broke off.

etcd 3.4, and 3.5 for long, may swallow what was deleted in the very revision that history was compacted to, without a
word (etcd issues 18089 and 19179); only a watch that begins *before* that revision is told. So each stream begins one
revision earlier than wanted, and what is not wanted is dropped: all that the fault can swallow lies in that revision.
The danger returns when etcd has stopped to follow for a stream that is behind and later reads history for it again, so
a stream that may have fallen behind is given up for a new one.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from percale.datastore.etcd.connection import EtcdConnection
from percale.datastore.etcd.messages import message
from percale.datastore.etcd.waiting import Waiting
from percale.datastore.etcd.wire import event, range_request
from percale.datastore.keyvalue import KeyEvent, Watch, WatchBatch
from percale.datastore.pauses import pause
from percale.errors import Compacted, PercaleError, Restored, StoreUnavailable, Unauthorized

__all__ = ["EtcdWatch"]

_BATCHES = 100
"""So many batches wait for a slow reader; then etcd has to."""
_BYTES = 8 << 20
"""Batches of so many bytes are enough, too: of history one batch may hold a thousand revisions."""
_FAILURES = 8
"""After so many failures in a row the reader is told, and again after so many more."""
_SILENT = 2
"""So many silent endpoints are enough to tell the reader, however many there are."""
_SETTLED_S = 5.0
"""A stream that brought something for so long was no failure."""
_PROBE_S = 5.0
"""A stream that was silent for so long is asked for a sign of life, and given up after as long again (gRPC's own probes
come once a minute on a quiet stream)."""
_ANY_WATCH = -1
"""The number of the watch in an answer to that; what it says of progress is wrong in old servers, so it is not used."""
_REVISIONS_AT_ONCE = 1000
"""etcd reads so many revisions of history for one answer (its watchBatchMaxRevs) and the rest of it some time later."""
_ANSWERS_IN_TOUCH = 64
"""Half of the answers that etcd lets wait for a stream (its chanBufLen) before it stops to follow for it.

Asked after each so many answers, a stream that is less than so many revisions behind has never been left.
"""


class EtcdWatch(Watch):
    """Batches never split a revision: etcd does not, and the fragments of one answer are put together here."""

    def __init__(
        self,
        connection: EtcdConnection,
        start: bytes,
        end: bytes,
        *,
        start_revision: int,
        previous: bool,
        ended: Callable[[EtcdWatch], None],
    ) -> None:
        self._connection = connection
        self._range = {"key": start, "range_end": end, "prev_kv": previous}
        self._start = start.decode()
        self._next = start_revision
        self._ended = ended
        self._batches = Waiting(_BATCHES, _BYTES)
        self._last: PercaleError | None = None
        self._closed = threading.Event()
        self._call: Any = None
        self._progress = 0
        self._reached = 0
        self._fragments: list[KeyEvent] = []
        self._answers = 0
        self._failures = 0
        self._heard = False
        self._heard_at = 0.0
        self._silent = False
        self._refused = False
        self._thread = threading.Thread(target=self._run, name="percale-etcd-watch", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._closed.is_set()

    def poll(self, timeout_s: float | None = None) -> WatchBatch | None:
        """Return the next batch."""
        if self.closed:
            return None
        try:
            batch = self._batches.get(timeout=timeout_s) if timeout_s != 0 else self._batches.get_nowait()
        except queue.Empty:
            return None
        if batch is self._last:
            with contextlib.suppress(queue.Full):  # what ends the watch stays in the queue, for every poll to come
                self._batches.put_nowait(batch)
        if isinstance(batch, PercaleError):
            raise batch
        return batch

    def close(self) -> None:
        """End the watch; a ``poll`` that waits in another thread returns None."""
        if self.closed:
            return
        self._closed.set()
        if self._call is not None:
            self._call.cancel()
        self._drain()
        with contextlib.suppress(queue.Full):
            self._batches.put_nowait(None)
        self._ended(self)

    def _run(self) -> None:
        while not self.closed:
            endpoint, opened = self._connection.current, time.monotonic()
            try:
                self._read()
            except PercaleError as error:
                self._last = error
                self._put(error)
                return
            except (grpc.RpcError, ValueError) as error:
                if self._closed.is_set():  # a property is taken for unchanged since the loop began
                    return
                if isinstance(error, ValueError):  # so says a channel that was closed while the watch was opened
                    self._last = StoreUnavailable(f"the watch has ended: {error}")
                    self._put(self._last)
                    return
                before = 0 if self._heard_at - opened >= _SETTLED_S else self._failures
                # Silence has cost long enough: the reader hears of it when a second endpoint has kept it too.
                silent = self._silent or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                weight = -(-_FAILURES // min(self._connection.endpoints, _SILENT)) if silent else 1
                self._failures = before + weight
                if self._failures // _FAILURES > before // _FAILURES:
                    reason = "it is silent" if silent else error.details() or ""
                    self._put(self._connection.unavailable(reason, "the watch goes on when it does"))
                self._connection.count_retry()
                self._connection.fail_over(endpoint)
                self._closed.wait(pause(self._failures))

    def _read(self) -> None:
        """Read one stream until another one is needed; raises grpc.RpcError if it fails."""
        finished = threading.Event()
        self._fragments, self._answers, self._silent = [], 0, False
        self._connection.check()
        self._call = self._connection.stream("Watch", self._requests(finished))
        try:
            for answer in self._call:
                self._heard, self._heard_at = True, time.monotonic()
                if self.closed or not self._take(answer):
                    return
        finally:
            finished.set()
            self._call.cancel()
        raise _StreamEnded("the server ended the stream")

    def _requests(self, finished: threading.Event) -> Iterator[Any]:
        create = message("WatchCreateRequest")(
            **self._range, start_revision=max(self._next - 1, 1), progress_notify=True, fragment=True
        )
        yield message("WatchRequest")(create_request=create)
        asked = False
        while not finished.wait(_PROBE_S):  # the stream of requests must stay open as long as that of the answers
            silent = not self._heard and not self._batches.full()
            self._heard = False
            if silent and asked:
                self._silent = True
                self._call.cancel()
                return
            if silent:
                yield message("WatchRequest")(progress_request=message("WatchProgressRequest")())
            asked = silent

    def _take(self, answer: Any) -> bool:
        """Deliver an answer; whether the stream can be read on."""
        if answer.canceled:
            self._give_up(answer)
            return False
        if answer.created:
            self._check_restored(answer.header.revision)
        if answer.created or answer.watch_id == _ANY_WATCH:
            return True
        self._fragments += map(event, answer.events)
        if answer.fragment:
            return True
        events, self._fragments = self._fragments, []
        wanted = tuple(event for event in events if event.item.mod_revision >= self._next)
        revision = answer.header.revision
        self._reached = max(self._reached, revision)
        if wanted:
            # An answer to a watch that lags behind says more than it delivers; its last event does not.
            revision = wanted[-1].item.mod_revision
            self._next = revision + 1
        elif not events:
            # Old servers may report progress a moment too early, so continue from the report before.
            self._next = max(self._next, self._progress + 1)
            self._progress = revision
        self._failures, self._refused = 0, False
        if wanted or (not events and revision >= self._next):
            self._put(WatchBatch(revision, wanted))
        return self._is_followed(events)

    def _check_restored(self, revision: int) -> None:
        """Raise Restored where etcd was at a later revision before; a member may be behind, all together never are."""
        if revision < self._reached:
            try:
                newest = self._newest()
            except StoreUnavailable as error:
                raise _StreamEnded(str(error)) from error
            if newest < self._reached:
                raise Restored(newest, self._reached)
        self._reached = max(self._reached, revision)

    def _give_up(self, answer: Any) -> None:
        if answer.compact_revision:
            raise Compacted(answer.compact_revision)
        if "permission denied" in answer.cancel_reason or "auth" in answer.cancel_reason:
            # So says etcd 3.4 of a token that has expired, too.
            if self._refused or not self._connection.authenticates:
                raise Unauthorized(answer.cancel_reason)
            self._refused = True
            self._connection.forget_token()
            return
        raise _StreamEnded(answer.cancel_reason)

    def _is_followed(self, events: list[KeyEvent]) -> bool:
        """Whether etcd surely follows for this stream, and has done so all the time."""
        if len(events) >= _REVISIONS_AT_ONCE and len({event.item.mod_revision for event in events}) >= (
            _REVISIONS_AT_ONCE
        ):
            return False
        self._answers += 1
        if self._answers % _ANSWERS_IN_TOUCH or not events:
            return True
        try:
            return self._newest() - events[-1].item.mod_revision < _ANSWERS_IN_TOUCH
        except StoreUnavailable:
            return False

    def _newest(self) -> int:
        # By a key of its own, because a user's permissions may end there.
        request = range_request(self._start, "", limit=1, keys_only=True)
        return int(self._connection.call("Range", request).header.revision)

    def _put(self, batch: WatchBatch | PercaleError) -> None:
        while not self.closed:
            with contextlib.suppress(queue.Full):
                self._batches.put(batch, timeout=1)
                return

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._batches.get_nowait()


class _StreamEnded(grpc.RpcError):  # type: ignore[misc]  # grpc has no types
    """A stream that ended without an error of gRPC."""

    def code(self) -> grpc.StatusCode | None:
        return None

    def details(self) -> str:
        return str(self)
