# SPDX-License-Identifier: Apache-2.0
"""A private host at work: an embedded store, the agent, the CNI executable and workloads, each for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal, TypeAlias

from percale.calc.cluster import Cluster
from percale.client import Client, connect
from percale.errors import Refused
from percale.lab.world import PrivateNamespace, World
from percale.plugins.protocol import AgentUnavailable, call
from percale.resources import IPPool, IPPoolSpec, ObjectMeta, Resource, WorkloadEndpoint, WorkloadEndpointPort

__all__ = ["NODE", "POOLS", "Port", "Site", "endpoint_name"]

NODE = "demo"
POOLS = {"demo-v4": "10.65.0.0/24", "demo-v6": "fd00:65::/120"}
Port: TypeAlias = tuple[Literal["TCP", "UDP", "SCTP"], int]
_KINDS = ("Tier", "Profile", "GlobalNetworkPolicy", "NetworkPolicy", "IPPool", "WorkloadEndpoint")
_AGENT_START_S = 10.0
_STOP_S = 5.0
_ANSWER_S = 5.0
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


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
            self.agent: subprocess.Popen[str] | None = None
            self._output = self._stack.enter_context(self.log.open("w", encoding="utf-8"))
            self.world = self._stack.enter_context(World())
            self.client: Client = self._stack.enter_context(connect(str(self.store)))
            self._stack.callback(self.stop_agent)
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

    @property
    def agent_command(self) -> list[str]:
        """The command that runs an agent for this host."""
        return [sys.executable, "-m", "percale.cli", "agent", "--node", NODE]

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
        """Create an address pool of each family, masqueraded on the way out."""
        for name, cidr in POOLS.items():
            self.client.create(IPPool(metadata=ObjectMeta(name=name), spec=IPPoolSpec(cidr=cidr, nat_outgoing=True)))

    def start_agent(self, *options: str) -> None:
        """Start the agent in the host's namespace and wait until it serves its socket; Refused if it does not."""
        self.agent = self.world.host.start(
            [*self.agent_command, *options],
            env=self.environment,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )
        limit = time.monotonic() + _AGENT_START_S
        while not self._answers():
            if self.agent.poll() is not None or time.monotonic() > limit:
                raise Refused(f"the agent did not start: {self.log.read_text(encoding='utf-8').strip()}")
            time.sleep(0.005)

    def stop_agent(self, *, suddenly: bool = False) -> None:
        """Stop the agent, with SIGKILL if ``suddenly``; what it programmed stays."""
        if self.agent is None:
            return
        agent, self.agent = self.agent, None
        agent.send_signal(signal.SIGKILL if suddenly else signal.SIGTERM)
        try:
            agent.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()

    def _answers(self) -> bool:
        try:
            self.status()
        except AgentUnavailable:
            return False
        return True

    def install_plugin(self) -> Path:
        """Install the CNI executable in the site's folder and return it."""
        self.command("cni", "install", str(self.folder / "bin"))
        return self.folder / "bin" / "percale"

    def connect(
        self, name: str, labels: Mapping[str, str], ports: Mapping[str, Port] | None = None
    ) -> PrivateNamespace:
        """Have the CNI executable connect a new workload with these labels, and name its ports."""
        namespace = self.world.workloads.get(name) or self.world.add_workload(name)
        result = json.loads(self.plugin("ADD", name, namespace.path, labels))
        addresses = [entry["address"].split("/")[0] for entry in result["ips"]]
        self.addresses[name] = {6 if ":" in address else 4: address for address in addresses}
        if ports:
            self._name_ports(name, ports)
        return namespace

    def disconnect(self, name: str) -> None:
        """Have the CNI executable remove a workload's endpoint and interface."""
        self.plugin("DEL", name, self.world.workloads[name].path, {})
        del self.addresses[name]

    def plugin(self, command: str, name: str, path: str, labels: Mapping[str, str]) -> str:
        """Run the CNI executable as a container runtime would and return what it printed; Refused if it fails."""
        done = self.call_plugin(command, name, path, labels)
        if done.returncode:
            raise Refused(f"CNI {command} of {name} failed: {(done.stdout or done.stderr).strip()}")
        return done.stdout

    def call_plugin(
        self, command: str, name: str, path: str, labels: Mapping[str, str] = _NO_LABELS, *, version: str = "1.0.0"
    ) -> subprocess.CompletedProcess[str]:
        """Run the CNI executable on this host for a workload in the namespace at ``path``, whatever comes of it."""
        executable = self.folder / "bin" / "percale"
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": name,
            "CNI_NETNS": path,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(executable.parent),
        }
        return self.world.host.run(
            [str(executable)], env=self.environment | environment, input=json.dumps(_network(labels, version))
        )

    def _name_ports(self, name: str, ports: Mapping[str, Port]) -> None:
        """Put the ports' names on the endpoint: plain CNI knows none, an operator (or Kubernetes) does."""
        endpoint = self.client.get(WorkloadEndpoint, endpoint_name(name), "default")
        named = tuple(
            WorkloadEndpointPort(name=port, protocol=protocol, port=number)
            for port, (protocol, number) in ports.items()
        )
        self.client.update(endpoint.replace(spec=endpoint.spec.replace(ports=named)))

    def programmed(self, revision: int | None = None, *, limit_s: float = 10.0) -> None:
        """Wait until the agent has programmed what was written at a revision; raises Refused if it does not.

        Without a revision it is that of the newest endpoint.
        """
        if revision is None:
            stored = self.client.list(WorkloadEndpoint).items
            revision = max((int(endpoint.metadata.resource_version) for endpoint in stored), default=0)
        limit = time.monotonic() + limit_s
        while (reached := (status := self.status())["programmedRevision"]) is None or int(reached) < revision:
            if time.monotonic() > limit:
                raise Refused(f"the agent is not at revision {revision}: {status}")
            time.sleep(0.002)

    def enforce(self, *resources: Resource) -> None:
        """Apply resources and wait until the agent has programmed them; raises PercaleError."""
        for resource in resources:
            stored = self.client.apply(resource)
        self.programmed(int(stored.metadata.resource_version))

    def withdraw(self, kind: type[Resource], name: str, namespace: str = "") -> None:
        """Delete a resource and wait until the agent enforces it no more; raises PercaleError."""
        self.client.delete(kind, name, namespace)
        self.programmed(self.revision)

    @property
    def revision(self) -> int:
        """The revision of the last write to the store."""
        return int(str(self.client.list("IPPool").revision))

    def cluster(self) -> Cluster:
        """The cluster as the store holds it now, ready to be asked for verdicts."""
        return Cluster.of(resource for kind in _KINDS for resource in self.client.list(kind).items)

    def status(self) -> dict[str, Any]:
        """What the agent says of itself; raises AgentUnavailable."""
        found: dict[str, Any] = json.loads(call("status", timeout_s=_ANSWER_S, path=self.socket).payload)
        return found


def endpoint_name(workload: str) -> str:
    """The name of a workload's endpoint."""
    return f"{NODE}-cni-{workload}-eth0"


def _network(labels: Mapping[str, str], version: str) -> dict[str, Any]:
    listed = [{"key": key, "value": value} for key, value in labels.items()]
    return {
        "cniVersion": version,
        "name": "demo",
        "type": "percale",
        "nodename": NODE,
        "nodename_file_optional": True,
        "ipam": {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"},
        "args": {"org.apache.mesos": {"network_info": {"labels": {"labels": listed}}}},
    }
