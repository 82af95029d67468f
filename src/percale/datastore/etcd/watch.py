# SPDX-License-Identifier: Apache-2.0
"""A watch on etcd: one stream, read by one thread into a queue, opened again where it broke off."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from percale.datastore.etcd.connection import EtcdConnection, pause
from percale.datastore.etcd.messages import message
from percale.datastore.etcd.wire import event
from percale.datastore.keyvalue import KeyEvent, Watch, WatchBatch
from percale.errors import Compacted, PercaleError, StoreUnavailable

__all__ = ["EtcdWatch"]

_BATCHES = 100
"""So many batches wait for a slow reader; then etcd has to."""
_FAILURES = 8
"""So many times in a row the stream may fail before the watch gives up."""


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
        self._create = message("WatchCreateRequest")(
            key=start,
            range_end=end,
            start_revision=start_revision,
            prev_kv=previous,
            progress_notify=True,
            fragment=True,
        )
        self._ended = ended
        self._batches: queue.Queue[WatchBatch | PercaleError | None] = queue.Queue(_BATCHES)
        self._created = threading.Event()
        self._closed = threading.Event()
        self._call: Any = None
        self._progress = 0
        self._fragments: list[KeyEvent] = []
        self._thread = threading.Thread(target=self._run, name="percale-etcd-watch", daemon=True)
        self._thread.start()

    def wait_until_created(self, timeout_s: float) -> None:
        """Wait until etcd watches, so that every later change is seen; a failure shows at the first ``poll``."""
        self._created.wait(timeout_s)

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
        self._batches.put(None)
        self._ended(self)

    def _run(self) -> None:
        failures = 0
        while not self.closed:
            try:
                failures = self._read(failures)
            except PercaleError as error:
                self._put(error)
                return
            except grpc.RpcError as error:
                if self._closed.is_set():  # a property is taken for unchanged since the loop began
                    return
                failures += 1
                if failures >= _FAILURES:
                    self._put(StoreUnavailable(f"the watch on etcd ended: {error.details()}"))
                    return
                self._connection.fail_over()
                self._closed.wait(pause(failures))
        self._created.set()

    def _read(self, failures: int) -> int:
        """Read one stream until it ends; return the failures in a row, none once it has delivered something."""
        finished = threading.Event()
        self._fragments = []
        self._call = self._connection.stream("Watch", self._requests(finished))
        try:
            for answer in self._call:
                failures = 0
                self._take(answer)
                if self.closed:
                    break
        finally:
            finished.set()
            self._call.cancel()
        return failures + 1

    def _requests(self, finished: threading.Event) -> Iterator[Any]:
        yield message("WatchRequest")(create_request=self._create)
        finished.wait()  # the stream of requests must stay open as long as that of the answers

    def _take(self, answer: Any) -> None:
        revision = answer.header.revision
        if answer.canceled:
            self._created.set()
            if answer.compact_revision:
                raise Compacted(answer.compact_revision)
            raise StoreUnavailable(f"etcd ended the watch: {answer.cancel_reason}")
        if answer.created:
            if not self._create.start_revision:
                self._create.start_revision = revision + 1
            self._created.set()
            return
        self._fragments += map(event, answer.events)
        if answer.fragment:
            return
        events, self._fragments = tuple(self._fragments), []
        if events:
            # An answer to a watch that lags behind says more than it delivers; its last event does not.
            revision = events[-1].item.mod_revision
            self._create.start_revision = revision + 1
        else:
            # Old servers may report progress a moment too early, so continue from the report before.
            self._create.start_revision = max(self._create.start_revision, self._progress + 1)
            self._progress = revision
        self._put(WatchBatch(revision, events))

    def _put(self, batch: WatchBatch | PercaleError) -> None:
        self._created.set()
        while not self.closed:
            with contextlib.suppress(queue.Full):
                self._batches.put(batch, timeout=1)
                return

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._batches.get_nowait()
