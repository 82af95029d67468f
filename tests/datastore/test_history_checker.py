# SPDX-License-Identifier: Apache-2.0
"""Random clients and watchers in many processes, faults among them; afterwards what each saw is judged.

The store's revisions are the order that is claimed. The run is linearizable if every answer fits the state at its
revision, and revisions agree with real time: who began after another had ended has seen at least as much.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from tests.datastore.etcd_server import EtcdCluster
from tests.datastore.history_client import KEYS, open_store

from percale.datastore.keyvalue import EVERYTHING, Item, KeyValue, Watch
from percale.errors import Compacted, StoreUnavailable

SECONDS = float(os.environ.get("PERCALE_SOAK_SECONDS", "600")) if os.environ.get("PERCALE_SOAK") else 4
CLIENTS, WATCHERS = 3, 2
KEPT_REVISIONS = 300


class Process:
    """A client or watcher, its notes going into a file."""

    def __init__(self, place: str, folder: Path, name: str, *words: str) -> None:
        self.name, self.log = name, folder / name.replace("/", "-")
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "tests.datastore.history_client", place, *words],
                stdout=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )

    def kill(self) -> None:
        self.running.send_signal(signal.SIGCONT)
        self.running.kill()
        self.running.wait()

    @property
    def has_seen(self) -> bool:
        """Whether it noted an event."""
        return b'"event"' in self.log.read_bytes()

    def notes(self) -> list[dict]:
        # The last line may have been cut off.
        return [json.loads(line) for line in self.log.read_bytes().splitlines() if line.endswith(b"}")]


class Truth:
    """Every event of the run in order, as one undisturbed watch saw it."""

    def __init__(self) -> None:
        self.events: list[Item] = []
        self._by_key: dict[str, list[Item]] = defaultdict(list)

    def add(self, item: Item) -> None:
        self.events.append(item)
        self._by_key[item.key].append(item)

    def at(self, key: str, revision: int) -> Item | None:
        """The state of a key at a revision."""
        past = self._by_key[key]
        position = bisect.bisect_right(past, revision, key=lambda item: item.mod_revision)
        item = past[position - 1] if position else None
        return item if item is not None and item.version else None

    def state(self, revision: int) -> dict[str, str]:
        """All keys and values at a revision."""
        items = ((key, self.at(key, revision)) for key in KEYS)
        return {key: item.value.decode() for key, item in items if item is not None}


class Run:
    """Clients and watchers at work, disturbed by chance; its truth is complete when it has ended."""

    def __init__(self, place: str, folder: Path, cluster: EtcdCluster | None) -> None:
        self.truth = Truth()
        self.faults: dict[str, int] = defaultdict(int)
        self.clients: list[Process] = []
        self.watchers: list[Process] = []
        self._everyone: dict[str, list[Process]] = {"client": self.clients, "watcher": self.watchers}
        self._at_work: list[Process] = []
        self._place, self._folder, self._cluster = place, folder, cluster
        self._chance = random.Random(11)
        self._first = 0
        self._led = False

    def __call__(self) -> Run:
        with open_store(self._place) as store, store.watch("/", EVERYTHING) as watch:
            self._first = store.revision + 1
            self._at_work = [self._start(kind) for kind in ["client"] * CLIENTS + ["watcher"] * WATCHERS]
            try:
                self._disturb_until(time.monotonic() + SECONDS, store, watch)
            finally:
                for process in self.clients + self.watchers:
                    process.kill()
                if self._cluster is not None:
                    self._cluster.heal()
            listed = store.range("/", EVERYTHING)
            while (self.truth.events[-1].mod_revision if self.truth.events else 0) < listed.revision:
                self._learn(watch, 30)
        assert {item.key: item.value.decode() for item in listed.items} == self.truth.state(listed.revision)
        return self

    def _start(self, kind: str) -> Process:
        group = self._everyone[kind]
        words = ("watcher", str(self._first)) if kind == "watcher" else (f"c{len(group)}",)
        group.append(Process(self._place, self._folder, f"{kind}{len(group)}", *words))
        return group[-1]

    def _learn(self, watch: Watch, timeout_s: float) -> int:
        """Take one batch of what happened; return how far it goes, 0 if nothing did."""
        try:
            batch = watch.poll(timeout_s)
        except StoreUnavailable:
            return 0
        for event in batch.events if batch else ():
            self.truth.add(event.item)
        return batch.revision if batch else 0

    def _disturb_until(self, end: float, store: KeyValue, watch: Watch) -> None:
        """Disturb until time is over, and on a busy machine until something was seen."""
        next_member_fault = time.monotonic() + 1
        while time.monotonic() < end or not any(process.has_seen for process in self.watchers):
            revision = self._learn(watch, 0.05)
            # Also while nothing happens: a client that stands still may hold the lock of a file.
            if self._chance.random() < 0.02:
                self._disturb_process()
            if self._cluster is not None and time.monotonic() > next_member_fault:
                self._disturb_member(self._cluster)
                next_member_fault = time.monotonic() + self._chance.uniform(0.3, 2)
            if revision > self._first + 2 * KEPT_REVISIONS:
                self._first = revision - KEPT_REVISIONS
                with contextlib.suppress(StoreUnavailable, Compacted):  # done, although its answer was lost
                    store.compact(self._first)
                    self.faults["compaction"] += 1

    def _disturb_process(self) -> None:
        """Kill a process and start another, or let one stand still."""
        position = self._chance.randrange(len(self._at_work))
        process = self._at_work[position]
        match self._chance.choice(("killed", "paused", "continued", "continued")):
            case "killed":
                process.kill()
                self._at_work[position] = self._start("client" if process in self.clients else "watcher")
                self.faults["killed"] += 1
            case "paused":
                process.running.send_signal(signal.SIGSTOP)
                self.faults["paused"] += 1
            case _:
                process.running.send_signal(signal.SIGCONT)

    def _disturb_member(self, cluster: EtcdCluster) -> None:
        """Kill or pause the member that leads or, later, any; heal the cluster mostly before the next one."""
        fit = [member for member in cluster.members if member.running and not member.paused]
        if len(fit) < len(cluster.members) and (len(fit) == 1 or self._chance.random() < 0.8):
            cluster.heal()
            return
        leads = len(fit) == len(cluster.members) and (not self._led or self._chance.random() < 0.5)
        member = cluster.leader() if leads else self._chance.choice(fit)
        kind = self._chance.choice(("killed", "paused"))
        member.stop() if kind == "killed" else member.pause()
        self._led |= leads
        self.faults[f"{'leader' if leads else 'member'} {kind}"] += 1


def judge_clients(truth: Truth, clients: list[Process]) -> tuple[int, int]:
    """Check every answer; return how many operations were answered, and of how many the outcome is not known."""
    owner = {item.value.decode(): item for item in truth.events if item.version}
    assert len(owner) == sum(item.version > 0 for item in truth.events), "a value was written twice"
    answered, cut, spans, acknowledged = 0, 0, [], set()
    for client in clients:
        begun: dict[int, dict] = {}
        for note in client.notes():
            if "begin" in note:
                begun[note["begin"]] = note
                continue
            if "unknown" in note:
                continue
            asked = begun.pop(note["end"])
            judge_answer(truth, asked, note)
            answered += 1
            spans.append((asked["at"], note["at"], note["revision"]))
            if asked["kind"] in ("put", "swap") and note["done"]:
                acknowledged.add(asked["value"])
                assert owner[asked["value"]].mod_revision == note["revision"], "an acknowledged write is lost"
        cut += len(begun)
        acknowledged |= {asked["value"] for asked in begun.values()}
    assert set(owner) <= acknowledged, "a write was done that nobody asked for, or that was refused"
    judge_time(spans)
    return answered, cut


def judge_answer(truth: Truth, asked: dict, answer: dict) -> None:
    state = truth.at(asked["key"], answer["revision"])
    seen = (answer["found"], answer["mod"])
    assert seen == ((state.value.decode(), state.mod_revision) if state else ("", 0)), (asked, answer, state)
    if asked["kind"] == "swap":
        before = truth.at(asked["key"], answer["revision"] - answer["done"])
        held = (before.mod_revision if before else 0) == asked["expected"]
        assert held == answer["done"], (asked, answer, before)


def judge_time(spans: list[tuple[int, int, int]]) -> None:
    """Who began after another had ended has a revision that is not older."""
    ends = sorted((end, revision) for _, end, revision in spans)
    newest, position = 0, 0
    for begin, _, revision in sorted(spans):
        while position < len(ends) and ends[position][0] < begin:
            newest = max(newest, ends[position][1])
            position += 1
        assert revision >= newest, "an answer is older than one that had been given before it was asked for"


def judge_watcher(truth: Truth, watcher: Process) -> int:
    """Check that a watcher saw each event after its start once, in order, up to where it was told to be complete."""
    seen: list[tuple[str, int, str, int]] = []
    count, since, complete = 0, 0, 0

    def compare() -> None:
        expected = [
            (item.key, item.mod_revision, item.value.decode(), item.version)
            for item in truth.events
            if since <= item.mod_revision <= complete
        ]
        assert [event for event in seen if event[1] <= complete] == expected
        assert [event[1] for event in seen] == sorted(event[1] for event in seen)

    for note in watcher.notes():
        if "since" in note:
            compare()
            seen, since, complete = [], note["since"], note["since"] - 1
        elif "event" in note:
            seen.append((note["event"], note["revision"], note["value"], note["version"]))
            count += 1
        elif "listed" in note:
            assert note["listed"] == truth.state(note["revision"])
        else:
            complete = note["complete"]
    compare()
    return count


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.parametrize("kind", ["file", "etcd", "cluster"])
def test_linearizable_and_watched(kind, tmp_path, request):
    """Under killed and paused processes and compactions every answer fits one order, and watchers see all of it.

    On the cluster members are killed and paused too.
    """
    place, cluster = str(tmp_path / "store"), None
    if kind == "etcd":
        request.getfixturevalue("etcd")
        place = request.getfixturevalue("etcd_server").endpoint
    if kind == "cluster":
        cluster = request.getfixturevalue("etcd_cluster")
        place = cluster.place
    with open_store(place) as store:
        assert store.range("/", EVERYTHING).items == ()
    run = Run(place, tmp_path, cluster)()
    answered, unknown = judge_clients(run.truth, run.clients)
    events = sum(judge_watcher(run.truth, watcher) for watcher in run.watchers)
    print(
        f"\n{kind}: {answered} operations answered, {unknown} of unknown outcome, {len(run.truth.events)} events on "
        f"{len(KEYS)} keys, {events} seen by {len(run.watchers)} watchers; faults: {dict(run.faults)}"
    )
    assert answered
    assert events


def test_checker_finds_a_lost_write():
    """The judge itself can fail: an answer that does not fit the order is found."""
    truth = Truth()
    truth.add(Item("/a", b"c1-1", 2, 2, 1))
    asked = {"kind": "swap", "key": "/a", "expected": 0, "value": "c2-1"}
    with pytest.raises(AssertionError):
        judge_answer(truth, asked, {"done": True, "revision": 3, "found": "c2-1", "mod": 3})
    with pytest.raises(AssertionError, match="older"):
        judge_time([(0, 1, 5), (2, 3, 4)])
