# SPDX-License-Identifier: Apache-2.0
"""The embedded store (P14, P15 and P20 of spec/performance.md): a table, and JSON with ``--json FILE``.

Run with ``PYTHONPATH=src:.``. Commands are timed as their user sees them, interpreter included (median of several),
with the largest resident memory of the process. The store lies in the folder of temporary files; how often its disk
can write one page for good bounds durable transactions, so that is measured beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from percale.client import connect
from percale.datastore.keys import resource_path
from percale.datastore.keyvalue import Put
from percale.datastore.sqlite import SQLiteKeyValue
from percale.datastore.values import to_value
from percale.resources import (
    NetworkSet,
    NetworkSetSpec,
    ObjectMeta,
    WorkloadEndpoint,
    WorkloadEndpointSpec,
    encode_yaml,
)

SIZES = (0, 1_000, 10_000, 100_000)
DOCUMENTS = 1_000
TRANSACTIONS = 3_000
WAKES = 300
BATCH = 1_000

WAKER = """
import sys, time
from percale.datastore.sqlite import SQLiteKeyValue
with SQLiteKeyValue(sys.argv[1]) as kv:
    for line in sys.stdin:
        kv.put("/wake", b"%d" % time.monotonic_ns())
"""


def endpoint(number: int) -> WorkloadEndpoint:
    """One of many workload endpoints, as a CNI plugin writes them."""
    node, pod = f"node-{number % 100}", f"pod-{number}"
    name = f"{node.replace('-', '--')}-k8s-{pod.replace('-', '--')}-eth0"
    return WorkloadEndpoint(
        metadata=ObjectMeta(
            name=name,
            namespace=f"ns-{number % 50}",
            uid=f"00000000-0000-4000-8000-{number:012d}",
            creation_timestamp="2026-01-01T00:00:00Z",
            labels={"app": f"app-{number % 200}", "projectcalico.org/orchestrator": "k8s"},
        ),
        spec=WorkloadEndpointSpec(
            orchestrator="k8s",
            node=node,
            pod=pod,
            endpoint="eth0",
            interface_name=f"cali{number:011x}",
            ip_networks=(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/32",),
            profiles=(f"kns.ns-{number % 50}",),
        ),
    )


def filled(path: Path, size: int) -> None:
    """Write a store with that many endpoints."""
    connect(path).close()
    with SQLiteKeyValue(path) as store:
        for start in range(0, size, BATCH):
            batch = [endpoint(number) for number in range(start, min(start + BATCH, size))]
            store.txn((), [Put(resource_path(each.key), to_value(each)) for each in batch])


def command(path: Path, *words: str, stdin: bytes = b"") -> tuple[float, float]:
    """Run the command line once; return its milliseconds and its largest resident megabytes."""
    environment = os.environ | {"PERCALE_DATASTORE": str(path)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "percale.cli", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return (time.perf_counter() - start) * 1000, usage.ru_maxrss / 1024


def medians(path: Path, rounds: int, *words: str) -> tuple[float, float]:
    """Return the median time and memory of a command."""
    ran = [command(path, *words) for _ in range(rounds)]
    return statistics.median(ms for ms, _ in ran), statistics.median(mb for _, mb in ran)


def reading(folder: Path) -> Iterator[tuple[str, float, str]]:
    """P14: the table of all endpoints, and their YAML."""
    times = {}
    for size in SIZES:
        path = folder / f"store-{size}"
        filled(path, size)
        rounds = 3 if size >= 100_000 else 7
        times[size], memory = medians(path, rounds, "get", "workloadendpoints", "-A")
        yield f"P14 get, {size} endpoints", times[size], "ms"
        yield f"P14 get, {size} endpoints, memory", memory, "MB"
    ms, memory = medians(folder / f"store-{SIZES[-1]}", 1, "get", "workloadendpoints", "-A", "-o", "yaml")
    yield f"P14 as YAML, {SIZES[-1]} endpoints", ms, "ms"
    yield f"P14 as YAML, {SIZES[-1]} endpoints, memory", memory, "MB"
    for small, large in ((1_000, 10_000), (10_000, 100_000)):
        growth = (times[large] - times[0]) / (times[small] - times[0])
        yield f"P14 growth {small} to {large} (10 is linear)", growth, "times"


def applying(folder: Path) -> Iterator[tuple[str, float, str]]:
    """P15: one file of documents, first new, then there already."""
    text = "---\n".join(
        encode_yaml(
            NetworkSet(
                metadata=ObjectMeta(name=f"set-{number}", namespace="default"),
                spec=NetworkSetSpec(nets=(f"10.{number >> 8}.{number & 255}.0/24",)),
            )
        )
        for number in range(DOCUMENTS)
    ).encode()
    path = folder / "apply"
    connect(path).close()
    for state in ("new", "existing"):
        ms, memory = command(path, "apply", "-f", "-", stdin=text)
        yield f"P15 apply of {DOCUMENTS} {state} documents", ms, "ms"
        yield f"P15 apply of {DOCUMENTS} {state} documents, memory", memory, "MB"


def writing(folder: Path) -> Iterator[tuple[str, float, str]]:
    """P20: transactions per second, and how soon another process's watcher wakes."""
    levels: tuple[Literal["FULL", "NORMAL"], ...] = ("FULL", "NORMAL")
    for level in levels:
        with SQLiteKeyValue(folder / f"write-{level}", durability=level) as store:
            start = time.perf_counter()
            for number in range(TRANSACTIONS):
                store.put(f"/key/{number % 500}", b"x" * 300)
            yield f"P20 transactions, {level}", TRANSACTIONS / (time.perf_counter() - start), "per s"
    yield "P20 bare page writes, fdatasync each", synchronizing(folder / "page"), "per s"
    yield "P20 watcher in another process woken", waking(folder / "wake"), "ms"


def synchronizing(path: Path) -> float:
    """Return how many pages per second the disk takes for good, one after the other."""
    with path.open("wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(WAKES):
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
        return WAKES / (time.perf_counter() - start)


def waking(path: Path) -> float:
    """Return the median of the milliseconds from before a write in another process to its event here."""
    with SQLiteKeyValue(path) as store, store.watch("/wake") as watch:
        writer = subprocess.Popen([sys.executable, "-c", WAKER, str(path)], stdin=subprocess.PIPE)
        assert writer.stdin is not None
        latencies = []
        for _ in range(WAKES):
            writer.stdin.write(b"\n")
            writer.stdin.flush()
            batch = watch.poll(30)
            now = time.monotonic_ns()
            assert batch is not None
            latencies.append((now - int(batch.events[0].item.value)) / 1e6)
        writer.stdin.close()
        writer.wait()
    return statistics.median(latencies)


def main() -> None:
    """Measure everything and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write the figures to this file too")
    options = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        for part in (writing, applying, reading):
            for title, value, unit in part(Path(name)):
                print(f"{title:48} {value:10.1f} {unit}", flush=True)
                figures[title] = {"value": round(value, 3), "unit": unit}
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
