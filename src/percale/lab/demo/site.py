# SPDX-License-Identifier: Apache-2.0
"""The demo's host at work: an embedded store, the agent, the CNI executable and three workloads, each for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from percale.calc.cluster import Cluster
from percale.client import Client, connect
from percale.errors import Refused
from percale.lab.demo.flows import WORKLOADS, DemoWorkload
from percale.lab.world import World
from percale.resources import IPPool, IPPoolSpec, Key, ObjectMeta, WorkloadEndpoint, WorkloadEndpointPort

__all__ = ["NODE", "Site"]

NODE = "demo"
_POOLS = {"demo-v4": "10.65.0.0/24", "demo-v6": "fd00:65::/120"}
_KINDS = ("Tier", "Profile", "GlobalNetworkPolicy", "NetworkPolicy", "IPPool", "WorkloadEndpoint")
_AGENT_START_S = 10.0
_STOP_S = 5.0


class Site:
    """One private host with percale on it; a context manager that stops and removes all of it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.addresses: dict[str, dict[int, str]] = {}
        try:
            self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="percale-demo-")))
            self.store = self.folder / "store.db"
            self.socket = self.folder / "agent.sock"
            self.log = self.folder / "agent.log"
            self.world = self._stack.enter_context(World())
            self.client: Client = self._stack.enter_context(connect(str(self.store)))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the agent and let everything go."""
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which percale's commands find this host's store and agent."""
        return {**os.environ, "PERCALE_DATASTORE": str(self.store), "PERCALE_SOCKET": str(self.socket)}

    def command(self, *arguments: str, text: str | None = None) -> str:
        """Run a percale command against this host and return what it printed; raises Refused if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "percale.cli", *arguments],
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise Refused(f"percale {' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def add_pools(self) -> None:
        """Create the address pools of the demo, masqueraded on the way out."""
        for name, cidr in _POOLS.items():
            self.client.create(IPPool(metadata=ObjectMeta(name=name), spec=IPPoolSpec(cidr=cidr, nat_outgoing=True)))

    def start_agent(self) -> None:
        """Start the agent in the host's namespace and wait until it serves its socket; Refused if it does not."""
        output = self._stack.enter_context(self.log.open("w", encoding="utf-8"))
        agent = self.world.host.start(
            [sys.executable, "-m", "percale.cli", "agent", "--node", NODE],
            env=self.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self._stack.callback(_stop, agent)
        limit = time.monotonic() + _AGENT_START_S
        while not self.socket.exists():
            if agent.poll() is not None or time.monotonic() > limit:
                raise Refused(f"the agent did not start: {self.log.read_text(encoding='utf-8').strip()}")
            time.sleep(0.005)

    def connect_workloads(self) -> None:
        """Have the CNI executable connect every workload, all at once, and name their ports."""
        folder = self.folder / "bin"
        self.command("cni", "install", str(folder))
        with ThreadPoolExecutor(len(WORKLOADS)) as pool:
            for _ in pool.map(lambda workload: self._connect(folder, workload), WORKLOADS):
                pass

    def _connect(self, folder: Path, workload: DemoWorkload) -> None:
        namespace = self.world.add_workload(workload.name)
        done = subprocess.run(
            [str(folder / "percale")],
            env=self.environment | _cni_environment(workload, namespace.path, folder),
            input=json.dumps(_network(workload)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise Refused(f"CNI ADD of {workload.name} failed: {(done.stdout or done.stderr).strip()}")
        addresses = [entry["address"].split("/")[0] for entry in json.loads(done.stdout)["ips"]]
        self.addresses[workload.name] = {6 if ":" in address else 4: address for address in addresses}
        self._name_ports(workload)

    def _name_ports(self, workload: DemoWorkload) -> None:
        """Put the ports' names on the endpoint: plain CNI knows none, an operator (or Kubernetes) does."""
        endpoint = self.client.get(WorkloadEndpoint, endpoint_name(workload.name), "default")
        ports = tuple(
            WorkloadEndpointPort(name=name, protocol=protocol, port=number)
            for name, (protocol, number) in workload.ports.items()
        )
        self.client.update(endpoint.replace(spec=endpoint.spec.replace(ports=ports)))

    def programmed(self, *, limit_s: float = 10.0) -> None:
        """Wait until the agent has programmed every endpoint as it is stored now; raises Refused if it does not."""
        stored = self.client.list(WorkloadEndpoint).items
        revision = max(int(endpoint.metadata.resource_version) for endpoint in stored)
        limit = time.monotonic() + limit_s
        while (status := self.status())["programmedRevision"] is None or int(status["programmedRevision"]) < int(
            revision
        ):
            if time.monotonic() > limit:
                raise Refused(f"the agent is not at revision {revision}: {status}")
            time.sleep(0.005)

    def cluster(self) -> Cluster:
        """The cluster as the store holds it now, ready to be asked for verdicts."""
        return Cluster.of(resource for kind in _KINDS for resource in self.client.list(kind).items)

    def status(self) -> dict[str, Any]:
        """What the agent says of itself."""
        found: dict[str, Any] = json.loads(self.command("status", "-o", "json"))
        return found


def endpoint_name(workload: str) -> str:
    """The name of a demo workload's endpoint."""
    return f"{NODE}-cni-{workload}-eth0"


def endpoint_key(workload: str) -> Key:
    """The key of a demo workload's endpoint."""
    return Key("WorkloadEndpoint", "default", endpoint_name(workload))


def _cni_environment(workload: DemoWorkload, path: str, folder: Path) -> dict[str, str]:
    return {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": workload.name,
        "CNI_NETNS": path,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(folder),
    }


def _network(workload: DemoWorkload) -> dict[str, Any]:
    labels = [{"key": key, "value": value} for key, value in workload.labels.items()]
    return {
        "cniVersion": "1.0.0",
        "name": "demo",
        "type": "percale",
        "nodename": NODE,
        "nodename_file_optional": True,
        "ipam": {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"},
        "args": {"org.apache.mesos": {"network_info": {"labels": {"labels": labels}}}},
    }


def _stop(agent: subprocess.Popen[str]) -> None:
    agent.terminate()
    try:
        agent.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()
