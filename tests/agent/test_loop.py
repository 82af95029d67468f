# SPDX-License-Identifier: Apache-2.0
"""The agent's loop, stepped by hand over the in-memory dataplane."""

from __future__ import annotations

import os

import pytest

from percale.agent.inbox import Inbox, Stop
from percale.agent.loop import Loop
from percale.agent.status import Status, StatusBoard
from percale.calc.calculation import Calculation
from percale.dataplane.dataplane import Applied
from percale.dataplane.twin import TwinDataplane
from percale.datastore.seams import InSync, Interrupted, NumberRevision, Resync, SyncerUpdate
from percale.errors import PercaleError, Problem
from percale.resources import (
    ClusterInformation,
    ClusterInformationSpec,
    Key,
    NetworkPolicy,
    NetworkPolicySpec,
    ObjectMeta,
    Tier,
    TierSpec,
    WorkloadEndpoint,
    WorkloadEndpointSpec,
)

TIER = Tier(metadata=ObjectMeta(name="default"), spec=TierSpec(order=1000000, default_action="Deny"))
ENDPOINT = WorkloadEndpoint(
    metadata=ObjectMeta(name="n1-cni-a-eth0", namespace="default", labels={"app": "a"}),
    spec=WorkloadEndpointSpec(
        orchestrator="cni",
        node="n1",
        container_id="a",
        endpoint="eth0",
        interface_name="calia",
        ip_networks=("10.0.0.1",),
    ),
)


CLUSTER = Key("ClusterInformation", "", "default")


def cluster(*, ready):
    """What a cluster says of itself."""
    return ClusterInformation(metadata=ObjectMeta(name="default"), spec=ClusterInformationSpec(datastore_ready=ready))


class Watched(TwinDataplane):
    """The twin as the loop wants it: it never has anything to report, and fails when told to."""

    descriptors = ()
    failing = False

    def attend(self, timeout_s=0.0):
        return []

    def apply(self, messages):
        applied = super().apply(messages)
        return Applied(error=PercaleError("no memory")) if self.failing else applied

    def resync(self):
        return Applied(error=PercaleError("no memory")) if self.failing else super().resync()


class Agent:
    """A loop, its inbox, its board, and a clock that moves by hand."""

    def __init__(self):
        self.now = 0.0
        self.inbox, self.dataplane = Inbox(), Watched()
        self.board = StatusBoard(Status("n1", os.getpid(), 0.0))
        self.dataplane.start()
        self.loop = Loop(self.inbox, Calculation("n1"), self.dataplane, self.board, clock=lambda: self.now)
        self.revision = 0

    def hear(self, *items):
        self.inbox.put(*items)
        self.loop.step()

    def update(self, resource, problem=None):
        self.revision += 1
        held = None if problem else resource
        return SyncerUpdate(resource.key, held, NumberRevision(self.revision), problem)

    def synced(self, *resources):
        self.hear(*map(self.update, resources), InSync(NumberRevision(self.revision)))
        return self.board.status


@pytest.fixture
def agent():
    made = Agent()
    yield made
    made.inbox.close()


@pytest.mark.parametrize("reason", ["is locked", "has no ClusterInformation"])
def test_what_is_programmed_stays_while_the_datastore_is_not_ready(agent, reason):
    """A lock, or a datastore that was emptied, changes nothing on the host; when it is ready again all is made up."""
    before = agent.synced(cluster(ready=True), TIER, ENDPOINT)
    gone = SyncerUpdate(ENDPOINT.key, None, NumberRevision(9))
    agent.hear(gone, SyncerUpdate(CLUSTER, cluster(ready=False) if "locked" in reason else None, NumberRevision(9)))
    status = agent.board.status
    assert agent.dataplane.statistics().endpoints == 1
    assert (status.in_sync, status.programmed, status.seen) == (False, before.programmed, NumberRevision(9))
    assert reason in status.behind
    agent.hear(SyncerUpdate(CLUSTER, cluster(ready=True), NumberRevision(10)))
    status = agent.board.status
    assert agent.dataplane.statistics().endpoints == 0
    assert (status.in_sync, status.programmed, status.behind) == (True, NumberRevision(10), "")


def test_an_agent_that_starts_on_a_locked_datastore_waits(agent):
    """Nothing is programmed until the lock is taken away, then all of it."""
    status = agent.synced(cluster(ready=False), TIER, ENDPOINT)
    assert (status.in_sync, status.programmed) == (False, None)
    assert agent.dataplane.statistics().applied == 0
    agent.hear(agent.update(cluster(ready=True)))
    assert (agent.board.status.in_sync, agent.board.status.endpoints) == (True, 1)


def test_a_datastore_that_does_not_say_whether_it_is_ready_is_followed(agent):
    """Only a plain no is a no: what enforces policy goes on in doubt."""
    assert agent.synced(cluster(ready=None), TIER, ENDPOINT).in_sync


def test_nothing_counts_as_programmed_before_the_snapshot_is_complete(agent):
    """Until InSync the board names no programmed revision and the dataplane holds nothing."""
    agent.hear(agent.update(TIER), agent.update(ENDPOINT))
    assert (agent.board.status.programmed, agent.board.status.in_sync) == (None, False)
    assert agent.dataplane.statistics().applied == 0


def test_the_snapshot_is_programmed_as_one(agent):
    """With InSync the endpoint is held and its revision programmed."""
    status = agent.synced(TIER, ENDPOINT)
    assert (status.programmed, status.endpoints) == (NumberRevision(2), 1)


def test_nothing_more_counts_as_programmed_while_history_is_lost(agent):
    """From Resync to the next InSync a page of the new list does not stand for its whole revision."""
    agent.synced(TIER)
    agent.revision = 8
    agent.hear(Resync(("Tier", "WorkloadEndpoint"), "compacted"), agent.update(TIER))
    assert agent.board.status.programmed == NumberRevision(1)
    assert agent.synced(ENDPOINT).programmed == NumberRevision(10)


def test_a_datastore_that_cannot_be_followed_is_told_with_the_reason(agent):
    """From Interrupted to the next InSync the board says why its view is old; nothing is taken out."""
    agent.synced(TIER, ENDPOINT)
    agent.hear(Interrupted(("Tier",), "etcd does not answer"))
    status = agent.board.status
    assert (status.in_sync, status.behind, status.endpoints) == (False, "etcd does not answer", 1)
    status = agent.synced()
    assert (status.in_sync, status.behind) == (True, "")


def test_a_change_without_effect_here_still_moves_the_revision(agent):
    """A policy for nobody on this host is programmed by doing nothing."""
    agent.synced(TIER, ENDPOINT)
    policy = NetworkPolicy(
        metadata=ObjectMeta(name="p", namespace="other"), spec=NetworkPolicySpec(tier="default", selector="all()")
    )
    before = agent.dataplane.messages_sent
    agent.hear(agent.update(policy))
    assert agent.board.status.programmed == NumberRevision(3)
    assert agent.dataplane.messages_sent == before


def test_an_invalid_resource_is_told_and_counts_as_absent(agent):
    """The status names it with its problem until it is valid again."""
    problem = Problem(path="spec.node", message="is empty")
    status = agent.synced(TIER)
    agent.hear(agent.update(ENDPOINT, problem))
    assert list(agent.board.status.invalid) == [str(ENDPOINT.key)]
    assert agent.board.status.endpoints == 0
    agent.hear(agent.update(ENDPOINT))
    assert agent.board.status.invalid == {}
    assert agent.board.status.endpoints == 1
    assert status.fault == ""


def test_what_cannot_be_calculated_with_is_told_too(agent):
    """A selector that parses no more once it is wrapped in its namespace makes the policy invalid."""
    nested = "!(" * 199 + "has(a)" + ")" * 199
    policy = NetworkPolicy(
        metadata=ObjectMeta(name="deep", namespace="default"), spec=NetworkPolicySpec(tier="default", selector=nested)
    )
    agent.synced(TIER, ENDPOINT, policy)
    assert list(agent.board.status.invalid) == [str(Key("NetworkPolicy", "default", "deep"))]


def test_a_failure_is_told_and_tried_again_after_a_pause(agent):
    """The fault stands on the board, the revision waits, and the next attempt heals both."""
    agent.dataplane.failing = True
    status = agent.synced(TIER, ENDPOINT)
    assert (status.programmed, status.fault, status.failures) == (None, "no memory", 1)
    agent.loop.step()
    assert agent.board.status.failures == 1, "no attempt before the pause is over"
    agent.dataplane.failing = False
    agent.now += 1
    agent.loop.step()
    assert (agent.board.status.programmed, agent.board.status.fault) == (NumberRevision(2), "")


def test_stop_ends_the_loop(agent):
    """Running returns once it is told to stop."""
    agent.inbox.put(Stop())
    agent.loop.run()
