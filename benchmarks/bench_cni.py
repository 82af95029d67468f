# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin through its executable (P12 of spec/performance.md): a table, and JSON with ``--json FILE``.

The plugin's service runs in a process of its own over the embedded store, with ``--etcd`` over a real etcd that is
started for it (``PYTHONPATH=src:.``). Everything happens in a private network namespace; needs root. The service does
not wait for an agent to program policy. Times are wall time in milliseconds, seen by who starts the executable.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from percale.client import open_client
from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.keyvalue import KeyValue
from percale.datastore.sqlite import SQLiteKeyValue
from percale.ipam import Ipam
from percale.netlink import namespace
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import set_link
from percale.plugins.cni.install import install
from percale.plugins.cni.service import CniService
from percale.plugins.protocol import listen, serve_connection
from percale.resources import IPPool, IPPoolSpec, Node, ObjectMeta

CONF = json.dumps({"cniVersion": "1.0.0", "name": "net1", "type": "percale", "ipam": {"type": "percale-ipam"}}).encode()
ROUNDS, AT_ONCE = 50, 30


def open_store(folder: Path, etcd: str) -> KeyValue:
    """The store under test."""
    return EtcdKeyValue(EtcdSettings((etcd,))) if etcd else SQLiteKeyValue(folder / "percale.db")


def serve(folder: Path, etcd: str) -> None:
    """Be the agent: answer requests until killed."""
    listener = listen(folder / "agent.sock")
    with open_store(folder, etcd) as store:
        client = open_client(store)
        client.initialise()
        client.create(Node(metadata=ObjectMeta(name="node-a")))
        client.create(IPPool(metadata=ObjectMeta(name="pool"), spec=IPPoolSpec(cidr="10.50.0.0/16")))
        service = CniService(client.datastore, Ipam.of(client.datastore), node="node-a")
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_connection, args=(connection, service.handle), daemon=True).start()


class Runtime:
    """What starts the executable, as a container runtime does."""

    def __init__(self, folder: Path) -> None:
        self._plugins = folder / "plugins"
        install(self._plugins, socket=folder / "agent.sock")

    def start(self, command: str, container: str, descriptor: int) -> subprocess.Popen[bytes]:
        """Begin a call."""
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": "eth0",
            "CNI_NETNS": f"/proc/{os.getpid()}/fd/{descriptor}",
            "CNI_PATH": str(self._plugins),
        }
        process = subprocess.Popen(
            [self._plugins / "percale"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert process.stdin is not None
        process.stdin.write(CONF)
        process.stdin.close()
        return process

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for its answer."""
        assert process.stdout is not None
        answer = process.stdout.read()
        if process.wait():
            raise SystemExit(answer.decode())

    def timed(self, command: str, container: str, descriptor: int) -> float:
        """Milliseconds of one call."""
        start = time.perf_counter()
        self.finish(self.start(command, container, descriptor))
        return (time.perf_counter() - start) * 1e3


def measure(folder: Path) -> dict[str, float]:
    """Run the calls and return the figures."""
    runtime = Runtime(folder)
    containers = {f"{number:011}": namespace.private() for number in range(ROUNDS)}
    adds = [runtime.timed("ADD", name, descriptor) for name, descriptor in containers.items()]
    deletes = [runtime.timed("DEL", name, descriptor) for name, descriptor in containers.items()]
    some = list(containers.items())[:AT_ONCE]
    start = time.perf_counter()
    for process in [runtime.start("ADD", name, descriptor) for name, descriptor in some]:
        runtime.finish(process)
    together = (time.perf_counter() - start) * 1e3
    return {
        "ADD median": statistics.median(adds),
        "ADD max": max(adds),
        "DEL median": statistics.median(deletes),
        "DEL max": max(deletes),
        f"{AT_ONCE} ADDs at once": together,
    }


@contextmanager
def started_etcd(folder: Path, *, wanted: bool) -> Iterator[str]:
    """The URL of an etcd in this network namespace while the body runs, or nothing."""
    if not wanted:
        yield ""
        return
    from tests.datastore.etcd_server import EtcdServer

    with RouteSocket() as routes:
        routes.perform(set_link(1, up=True))
    server = EtcdServer(folder)
    try:
        server.wait_until_ready()
        yield server.endpoint
    finally:
        server.stop()


def main() -> None:
    """Start the service, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--etcd", action="store_true", help="use an etcd instead of the embedded store")
    parser.add_argument("--json", help="write the figures to this file too")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(Path(options.serve[0]), options.serve[1])
    namespace.unshare()
    with tempfile.TemporaryDirectory() as name, started_etcd(Path(name), wanted=options.etcd) as endpoint:
        command = [sys.executable, __file__, "--serve", name, endpoint]
        agent = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert agent.stdout is not None
            agent.stdout.readline()
            figures = measure(Path(name))
        finally:
            agent.kill()
            agent.wait()
    print(*(f"{key:20} {value:8.1f} ms" for key, value in figures.items()), sep="\n")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
