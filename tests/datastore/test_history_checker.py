# SPDX-License-Identifier: Apache-2.0
"""Random clients and watchers in many processes, faults among them; afterwards what each saw is judged.

The store's revisions are the order that is claimed. The run is linearizable if every answer fits the state at its
revision, and revisions agree with real time: who began after another had ended has seen at least as much.
"""

from __future__ import annotations

import bisect
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
from tests.datastore.history_client import KEYS, open_store

from percale.datastore.keyvalue import EVERYTHING, Item

SECONDS = 600 if os.environ.get("PERCALE_SOAK") else 4
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


def run(place: str, folder: Path, truth: Truth) -> tuple[list[Process], dict[str, int]]:
    """Let clients and watchers work, disturb them, and return all of them with the number of each fault."""
    chance, faults, started = random.Random(11), defaultdict(int), 0
    everyone: list[Process] = []
    with open_store(place) as store, store.watch("/", EVERYTHING) as watch:
        first = store.revision + 1

        def start(kind: str) -> Process:
            nonlocal started
            started += 1
            words = ("watcher", str(first)) if kind == "watcher" else (f"c{started}",)
            everyone.append(Process(place, folder, f"{kind}{started}", *words))
            return everyone[-1]

        clients = [start("client") for _ in range(CLIENTS)]
        watchers = [start("watcher") for _ in range(WATCHERS)]
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                batch = watch.poll(0.05)
                if batch is None:
                    continue
                for event in batch.events:
                    truth.add(event.item)
                if chance.random() < 0.02:
                    disturb(chance, faults, clients, watchers, start)
                if batch.revision > first + 2 * KEPT_REVISIONS:
                    first = batch.revision - KEPT_REVISIONS
                    store.compact(first)
                    faults["compaction"] += 1
        finally:
            for process in everyone:
                process.kill()
        last = store.revision
        while (truth.events[-1].mod_revision if truth.events else 0) < last:
            batch = watch.poll(5)
            if batch is None:
                break
            for event in batch.events:
                truth.add(event.item)
    return everyone, dict(faults)


def disturb(chance, faults, clients, watchers, start) -> None:
    """Kill a process and start another, or let one stand still."""
    group = chance.choice((clients, clients, watchers))
    position = chance.randrange(len(group))
    match chance.choice(("killed", "paused", "continued", "continued")):
        case "killed":
            group[position].kill()
            group[position] = start("client" if group is clients else "watcher")
            faults["killed"] += 1
        case "paused":
            group[position].running.send_signal(signal.SIGSTOP)
            faults["paused"] += 1
        case _:
            group[position].running.send_signal(signal.SIGCONT)


def judge_clients(truth: Truth, clients: list[Process]) -> tuple[int, int]:
    """Check every answer; return how many operations were answered, and how many were cut off."""
    owner = {item.value.decode(): item for item in truth.events if item.version}
    assert len(owner) == sum(item.version > 0 for item in truth.events), "a value was written twice"
    answered, cut, spans, acknowledged = 0, 0, [], set()
    for client in clients:
        begun: dict[int, dict] = {}
        for note in client.notes():
            if "begin" in note:
                begun[note["begin"]] = note
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


@pytest.mark.parametrize("kind", ["file", "etcd"])
def test_linearizable_and_watched(kind, tmp_path, request):
    """Under killed and paused processes and compactions every answer fits one order, and watchers see all of it."""
    place = str(tmp_path / "store")
    if kind == "etcd":
        request.getfixturevalue("etcd")
        place = request.getfixturevalue("etcd_server").endpoint
    with open_store(place) as store:
        assert store.range("/", EVERYTHING).items == ()
    truth = Truth()
    everyone, faults = run(place, tmp_path, truth)
    clients = [process for process in everyone if process.name.startswith("client")]
    watchers = [process for process in everyone if process.name.startswith("watcher")]
    answered, cut = judge_clients(truth, clients)
    events = sum(judge_watcher(truth, watcher) for watcher in watchers)
    print(
        f"\n{kind}: {answered} operations answered, {cut} cut off, {len(truth.events)} events on {len(KEYS)} keys, "
        f"{events} seen by {len(watchers)} watchers; faults: {faults}"
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
