# SPDX-License-Identifier: Apache-2.0
"""Datastores (P13, P14, P15 and P20 of spec/performance.md): a table, and JSON with ``--json FILE``.

The embedded store, with ``--etcd`` a real etcd that is started for it. Commands are timed as their user sees them,
interpreter included (median of several), with their least CPU time and the largest resident memory of the process. The
store lies in the folder of temporary files; how often its disk can write one page for good bounds durable transactions,
so that is measured beside them.
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from benchmarks.commands import Cost, cost

from percale.client import Client, connect, open_client
from percale.datastore.seams import Write
from percale.datastore.sqlite import SQLiteKeyValue
from percale.resources import (
    NetworkSet,
    NetworkSetSpec,
    ObjectMeta,
    WorkloadEndpoint,
    WorkloadEndpointSpec,
    encode_yaml,
)

Figure: TypeAlias = tuple[str, float, str]
"""A title, a value, its unit."""

ROUNDS = {0: 25, 1_000: 25, 10_000: 7, 100_000: 3}
"""How often each number of endpoints is read: a thousand cost little beside the start of the program."""
SIZES = tuple(ROUNDS)
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


def fill(client: Client, first: int, size: int) -> None:
    """Write the endpoints from ``first`` on until there are so many."""
    for start in range(first, size, BATCH):
        batch = [endpoint(number) for number in range(start, min(start + BATCH, size))]
        done = client.datastore.write_many([Write("create", each.key, each) for each in batch])
        assert not any(each.error for each in done)


def reading(stores: Iterable[tuple[int, str]], target: str) -> Iterator[Figure]:
    """P13, P14: the table of all endpoints, and their YAML."""
    costs = {}
    for size, where in stores:
        costs[size] = cost("get", "workloadendpoints", "-A", datastore=where, rounds=ROUNDS[size])
        yield from told(f"{target} get, {size} endpoints", costs[size])
    yield from told(
        f"{target} as YAML, {size} endpoints", cost("get", "workloadendpoints", "-A", "-o", "yaml", datastore=where)
    )
    for small, large in ((1_000, 10_000), (10_000, 100_000), (1_000, 100_000)):
        growth = (costs[large].cpu_ms - costs[0].cpu_ms) / (costs[small].cpu_ms - costs[0].cpu_ms)
        yield f"{target} growth of CPU time, {small} to {large} ({large // small} is linear)", growth, "times"


def told(title: str, cost: Cost) -> Iterator[Figure]:
    """The figures of one command."""
    yield f"{title}, CPU", cost.cpu_ms, "ms"
    yield title, cost.wall_ms, "ms"
    yield f"{title}, memory", cost.peak_mb, "MB"


def embedded(folder: Path) -> Iterator[tuple[int, str]]:
    """One file for each size."""
    for size in SIZES:
        path = folder / f"store-{size}"
        with connect(path) as client:
            fill(client, 0, size)
        yield size, str(path)


def clustered(url: str) -> Iterator[tuple[int, str]]:
    """One etcd that grows."""
    from percale.datastore.etcd import EtcdKeyValue, EtcdSettings

    with open_client(EtcdKeyValue(EtcdSettings.of(url))) as client:
        client.initialise()
        first = 0
        for size in SIZES:
            fill(client, first, size)
            first = size
            yield size, url


def applying(where: str) -> Iterator[Figure]:
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
    for state in ("new", "existing"):
        yield from told(
            f"P15 apply of {DOCUMENTS} {state} documents", cost("apply", "-f", "-", datastore=where, stdin=text)
        )


def writing(folder: Path) -> Iterator[Figure]:
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


def all_figures(folder: Path, *, etcd: bool) -> Iterator[Figure]:
    """Everything about one kind of datastore."""
    if not etcd:
        yield from writing(folder)
        connect(folder / "apply").close()
        yield from applying(str(folder / "apply"))
        yield from reading(embedded(folder), "P14")
        return
    from tests.datastore.etcd_server import EtcdServer

    server = EtcdServer(folder)
    try:
        server.wait_until_ready()
        yield from reading(clustered(server.endpoint), "P13")
        yield from applying(server.endpoint)
    finally:
        server.stop()


def main() -> None:
    """Measure everything and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--etcd", action="store_true", help="use an etcd instead of the embedded store")
    parser.add_argument("--json", help="write the figures to this file too")
    options = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        for title, value, unit in all_figures(Path(name), etcd=options.etcd):
            print(f"{title:62} {value:10.1f} {unit}", flush=True)
            figures[title] = {"value": round(value, 3), "unit": unit}
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
