# SPDX-License-Identifier: Apache-2.0
"""The agent as a process: opens everything in order, runs the loop, closes everything in reverse order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from percale.agent import logs
from percale.agent.config import AgentConfig
from percale.agent.inbox import Inbox, Stop
from percale.agent.lock import HostLock
from percale.agent.loop import Loop
from percale.agent.readiness import is_about_readiness, unreadiness
from percale.agent.server import Server, status_answer
from percale.agent.status import Status, StatusBoard
from percale.calc.calculation import Calculation
from percale.client.client import Client
from percale.client.connecting import OPENERS
from percale.dataplane.kernel import KernelDataplane
from percale.dataplane.plan import Plan
from percale.datastore.seams import Interrupted, SyncerUpdate
from percale.datastore.syncer import DatastoreSyncer
from percale.errors import AlreadyExists, Refused, StoreUnavailable
from percale.ipam import Ipam
from percale.plugins.cni.service import CniService
from percale.resources import Node, ObjectMeta

__all__ = ["KINDS", "plan", "run"]

KINDS = (
    "ClusterInformation",  # first, because it says whether the rest is to be followed
    "Tier",
    "Profile",
    "GlobalNetworkPolicy",
    "NetworkPolicy",
    "StagedGlobalNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "StagedNetworkPolicy",
    "GlobalNetworkSet",
    "NetworkSet",
    "IPPool",
    "HostEndpoint",
    "WorkloadEndpoint",
)
"""The kinds that an agent follows."""


def run(config: AgentConfig) -> int:
    """Enforce policy on this host until SIGTERM or SIGINT; what is programmed stays. Returns the exit status.

    Raises Refused if an agent runs here already or this process may not program the kernel, StoreUnavailable.
    """
    logs.start(config.log_level)
    log = logs.Log("agent")
    inbox = Inbox()
    board = StatusBoard(Status(config.node, os.getpid(), time.time()))
    with ExitStack() as stack:
        stack.callback(inbox.close)
        stack.enter_context(HostLock(config.dataplane.table))
        dataplane = stack.enter_context(_started(config))
        client = stack.enter_context(_connected(config))
        loop = Loop(inbox, Calculation(config.node), dataplane, board, resync_s=config.resync_s)
        addresses = Ipam.of(client.datastore)
        cni = CniService(client.datastore, addresses, node=config.node, wait_programmed=board.wait_programmed)
        answers = {"status": status_answer(board), "cni": cni.handle}
        stack.enter_context(Server(config.socket, answers))
        syncer = stack.enter_context(closing(DatastoreSyncer(client.datastore, KINDS)))
        stack.enter_context(_stopped_by_signals(inbox))
        died = stack.enter_context(_stopped_by_a_dead_thread(inbox, log))
        stack.callback(inbox.hurry)
        syncer.start(inbox.deliver)
        log.info("started", node=config.node, socket=config.socket, table=config.dataplane.table)
        loop.run()
    log.info("stopped")
    return 1 if died else 0


def plan(config: AgentConfig) -> Plan:
    """What an agent started now would change in the kernel, without changing anything; raises as `run` does."""
    with _started(config) as dataplane, _connected(config) as client:
        calculation = Calculation(config.node)
        with closing(DatastoreSyncer(client.datastore, KINDS)) as syncer:
            while syncer.revision is None:
                for event in syncer.step():
                    if isinstance(event, SyncerUpdate):
                        if is_about_readiness(event) and (reason := unreadiness(event)):
                            raise Refused(f"an agent would change nothing now: {reason}")
                        calculation.update(event.key, event.resource)
                    elif isinstance(event, Interrupted):
                        raise StoreUnavailable(event.reason)
        calculation.in_sync()
        return dataplane.plan(calculation.flush())


@contextmanager
def _started(config: AgentConfig) -> Iterator[KernelDataplane]:
    try:
        dataplane = KernelDataplane(config.dataplane)
        with closing(dataplane):
            dataplane.start()
            yield dataplane
    except PermissionError as error:
        raise Refused(
            "this process may not program the kernel: the agent needs CAP_NET_ADMIN (run it as root)"
        ) from error


@contextmanager
def _connected(config: AgentConfig) -> Iterator[Client]:
    """The datastore, made ready, with the Node that this host's endpoints and addresses belong to."""
    with closing(OPENERS[config.datastore.type](config.datastore)) as client:
        client.initialise()
        try:
            client.nodes.create(Node(metadata=ObjectMeta(name=config.node)))
        except AlreadyExists:
            logs.Log("agent").debug("node-exists", node=config.node)
        yield client


@contextmanager
def _stopped_by_a_dead_thread(inbox: Inbox, log: logs.Log) -> Iterator[list[str]]:
    """End the loop when a thread dies of a fault of ours: deaf to its store, an agent must not pretend to follow it.

    Yields the names of such threads. What is programmed stays, and whoever supervises the agent starts it again.
    """
    died: list[str] = []

    def note(fault: threading.ExceptHookArgs) -> None:
        name = fault.thread.name if fault.thread else "unknown"
        died.append(name)
        log.error("thread-died", thread=name, error=f"{fault.exc_type.__name__}: {fault.exc_value}")
        inbox.put(Stop())

    old, threading.excepthook = threading.excepthook, note
    try:
        yield died
    finally:
        threading.excepthook = old


@contextmanager
def _stopped_by_signals(inbox: Inbox) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the loop in its own time.

    A handler runs when the main thread goes on. So the signal itself has to wake it where it waits: the kernel may give
    the signal to another thread, or just before the wait.
    """
    bell = signal.set_wakeup_fd(inbox.bell, warn_on_full_buffer=False)
    old = {number: signal.signal(number, lambda *_: inbox.put(Stop())) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        signal.set_wakeup_fd(bell)
        for number, handler in old.items():
            signal.signal(number, handler)
