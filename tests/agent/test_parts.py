# SPDX-License-Identifier: Apache-2.0
"""The agent's small parts: log lines, the lock, the board, the inbox, the server."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from select import select

import pytest

from percale.agent import daemon, logs
from percale.agent.config import AgentConfig
from percale.agent.daemon import _stopped_by_a_dead_thread, _stopped_by_signals
from percale.agent.inbox import Inbox, Stop
from percale.agent.lock import HostLock
from percale.agent.server import Server, status_answer
from percale.agent.status import Status, StatusBoard
from percale.client import connect
from percale.datastore.seams import InSync, NumberRevision
from percale.errors import Refused, StoreUnavailable
from percale.plugins import protocol

STATUS = Status("n1", 1, 0.0)


def test_a_log_line_is_the_event_and_then_its_facts():
    """The event comes first; only values with blanks or quotes are quoted."""
    stream = io.StringIO()
    logs.start("info", stream)
    logs.Log("agent").info("programmed", revision=7, why='a "b"', ms=1.23456789)
    line = stream.getvalue()
    assert line.endswith(' info agent: programmed revision=7 why="a \\"b\\"" ms=1.23457\n')


def test_a_log_level_hides_what_is_below_it():
    """At level warning, info is not written and warning is."""
    stream = io.StringIO()
    logs.start("warning", stream)
    log = logs.Log("agent")
    log.info("hidden")
    log.warning("shown")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["shown"]


def test_a_second_agent_of_one_table_is_refused_naming_the_first():
    """One network namespace holds one agent for a table; the sentence names the process."""
    with HostLock("test-table"), pytest.raises(Refused, match=r"runs on this host already \(process \d+"):
        HostLock("test-table")


def test_every_further_agent_is_refused_without_waiting():
    """Nobody takes the callers off the holder's queue, which is full after nine; the tenth is refused all the same."""
    with HostLock("test-table"):
        for _ in range(20):
            with pytest.raises(Refused, match="runs on this host already"):
                HostLock("test-table")


def test_the_lock_is_free_again_after_the_holder_is_gone():
    """Closing gives the host back, and so does a sudden death."""
    HostLock("test-table").close()
    holder = "import os; from percale.agent.lock import HostLock; HostLock('test-table'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", holder], check=False).returncode == -9
    HostLock("test-table").close()


def test_waiting_ends_when_the_revision_is_programmed():
    """A waiter is woken by the post that reaches its revision."""
    board = StatusBoard(STATUS)
    poster = threading.Timer(0.05, lambda: board.post(programmed=NumberRevision(5)))
    poster.start()
    assert board.wait_programmed(NumberRevision(5), time.monotonic() + 10)
    poster.join()


def test_waiting_for_a_later_revision_ends_at_the_deadline():
    """Revision 4 is not enough for who waits for 5."""
    board = StatusBoard(replace(STATUS, programmed=NumberRevision(4)))
    assert not board.wait_programmed(NumberRevision(5), time.monotonic() + 0.05)


def test_the_inbox_keeps_order_and_is_empty_after_taking():
    """Items come out as they went in, once."""
    inbox = Inbox()
    first, second = Stop(), Stop()
    inbox.put(first, second)
    assert inbox.take() == [first, second]
    assert inbox.take() == []
    inbox.close()


def test_what_is_put_together_is_taken_together():
    """One transaction of the store reaches the loop whole: a reader in between never sees a part of it."""
    inbox, batch = Inbox(), [Stop()] * 50
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        writer = threading.Thread(target=lambda: [inbox.put(*batch) for _ in range(200)])
        writer.start()
        sizes = []
        while sum(sizes) < 200 * len(batch):
            sizes.append(len(inbox.take()))
        writer.join()
    finally:
        sys.setswitchinterval(interval)
    assert [size for size in sizes if size % len(batch)] == []
    inbox.close()


def test_a_busy_loop_makes_the_datastore_wait():
    """What is delivered waits while sixteen batches are there, and comes whole and in order when they are taken."""
    inbox, events = Inbox(), [InSync(NumberRevision(number)) for number in range(1, 101)]
    writer = threading.Thread(target=lambda: [inbox.deliver([event]) for event in events])
    writer.start()
    found = []
    while len(found) < len(events):
        select([inbox], [], [], 5)
        taken = inbox.take()
        assert len(taken) <= 17
        found += taken
    writer.join()
    assert found == events
    inbox.close()


def test_nobody_waits_for_a_loop_that_has_ended():
    """A thread of the datastore that waits for room ends with the agent, and one that comes later does not wait."""
    inbox = Inbox()
    writer = threading.Thread(target=lambda: [inbox.deliver([InSync(NumberRevision(1))]) for _ in range(50)])
    writer.start()
    select([inbox], [], [], 5)
    writer.join(0.05)
    assert writer.is_alive()
    inbox.hurry()
    writer.join(5)
    assert not writer.is_alive()
    assert len(inbox.take()) == 50
    inbox.close()


def test_the_server_tells_the_status(tmp_path):
    """A status request is answered with the newest status as JSON."""
    path = tmp_path / "agent.sock"
    board = StatusBoard(STATUS)
    with Server(path, {"status": status_answer(board)}):
        board.post(in_sync=True, seen=NumberRevision(3))
        answer = json.loads(protocol.call("status", path=path).payload)
    assert (answer["node"], answer["inSync"], answer["seenRevision"]) == ("n1", True, "3")
    assert not path.exists()


def test_the_server_names_what_it_knows_when_asked_for_something_else(tmp_path):
    """An unknown kind of request is refused with the known kinds."""
    path = tmp_path / "agent.sock"
    with Server(path, {"status": status_answer(StatusBoard(STATUS))}):
        answer = protocol.call("dance", path=path)
    assert (answer.status, answer.payload) == (64, b"this agent does not know 'dance', only: status\n")


def test_a_thread_that_dies_stops_the_agent():
    """A fault in any thread ends the loop, and its name is kept for the exit status."""
    inbox = Inbox()
    with _stopped_by_a_dead_thread(inbox, logs.Log("agent")) as died:
        thread = threading.Thread(target=lambda: 1 // 0, name="syncer")
        thread.start()
        thread.join()
    assert died == ["syncer"]
    assert inbox.take() == [Stop()]
    inbox.close()


def test_a_plan_of_a_store_that_stops_answering_is_refused(tmp_path, monkeypatch):
    """A plan that cannot be made ends with the store's own words instead of waiting for it."""

    @contextmanager
    def connected(config):
        with connect(tmp_path / "store") as client:
            monkeypatch.setattr(client.datastore, "scan", _failing)
            yield client

    def _failing(*_, **__):
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(daemon, "_started", lambda config: nullcontext())
    monkeypatch.setattr(daemon, "_connected", connected)
    with pytest.raises(StoreUnavailable, match="the disk is gone"):
        daemon.plan(AgentConfig("n1", tmp_path / "agent.sock"))


def test_signal_that_another_thread_gets():
    """The loop is woken by a signal whichever thread the kernel gives it to, and also just before it waits."""
    inbox, gone = Inbox(), threading.Event()
    thread = threading.Thread(target=gone.wait)
    thread.start()
    try:
        with _stopped_by_signals(inbox):
            signal.pthread_kill(thread.ident, signal.SIGTERM)
            assert select([inbox], [], [], 10)[0]
            assert [*inbox.take(), *inbox.take()] == [Stop()]
    finally:
        gone.set()
        thread.join()
        inbox.close()


def test_a_plan_on_a_locked_datastore_is_refused(tmp_path, monkeypatch):
    """An agent would wait there, so there is nothing that it would change."""

    @contextmanager
    def connected(config):
        with connect(tmp_path / "store") as client:
            cluster = client.get("ClusterInformation", "default")
            client.update(cluster.replace(spec=cluster.spec.replace(datastore_ready=False)))
            yield client

    monkeypatch.setattr(daemon, "_connected", connected)
    monkeypatch.setattr(daemon, "_started", lambda config: nullcontext())
    with pytest.raises(Refused, match="would change nothing now: the datastore is locked"):
        daemon.plan(AgentConfig(node="n1", socket=tmp_path / "agent.sock"))
