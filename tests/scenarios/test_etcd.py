# SPDX-License-Identifier: Apache-2.0
"""A host whose datastore is etcd on another machine: agent, plugin and commands share it, and survive its absence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.datastore.etcd_server import EXECUTABLE
from tests.scenarios.conftest import traceless
from tests.scenarios.language import both, passing

from percale.errors import Refused
from percale.lab.site import POOLS, Site, endpoint_name
from percale.lab.world import OUTSIDE_ADDRESSES

pytestmark = pytest.mark.kernel

_URL = f"http://{OUTSIDE_ADDRESSES[0]}:2379"
_WAIT_S = 20.0
_POOLS = "\n---\n".join(
    f"apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {{name: {name}}}\nspec: {{cidr: '{cidr}'}}"
    for name, cidr in POOLS.items()
)
_OPEN = "client → server tcp 8080"
_CLOSED = "client → server tcp 8081"


def _policy(port: int) -> str:
    return f"""
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {{name: server, namespace: default}}
spec:
  selector: role == 'server'
  ingress: [{{action: Allow, protocol: TCP, destination: {{ports: [{port}]}}}}]
"""


class EtcdSite(Site):
    """A private host whose store is an etcd in the outside world; its commands run on the host."""

    def __init__(self) -> None:
        super().__init__()
        self._etcd: subprocess.Popen[str] | None = None
        self._stack.callback(self.stop_etcd)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which percale's commands find etcd and the agent."""
        return super().environment | {"PERCALE_DATASTORE": _URL}

    def command(self, *arguments: str, text: str | None = None) -> str:
        """Run a percale command on the host and return what it printed; raises Refused if it fails."""
        words = [sys.executable, "-m", "percale.cli", *arguments]
        done = self.world.host.run(words, env=self.environment, input=text)
        if done.returncode:
            raise Refused(done.stderr or done.stdout)
        return done.stdout

    def start_etcd(self) -> None:
        """Start the server, on what it knew when it was stopped, and wait until it answers."""
        self._etcd = self.world.outside.start(
            [
                str(EXECUTABLE),
                "--unsafe-no-fsync",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={_URL}",
                f"--advertise-client-urls={_URL}",
                "--listen-peer-urls=http://127.0.0.1:2380",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await_(lambda: "NAME" in self.command("get", "ippools"))

    def stop_etcd(self) -> None:
        """End the server at once."""
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait()
            self._etcd = None

    def apply(self, text: str) -> None:
        """Apply documents and wait until the agent has programmed them."""
        self.command("apply", "-f", "-", text=text)
        stored = json.loads(self.command("get", "-f", "-", "-o", "json", text=text))
        self.programmed(int(stored["metadata"]["resourceVersion"]))


def await_(holds) -> None:
    """Wait until something holds; refusals meanwhile do not count."""
    limit = time.monotonic() + _WAIT_S
    while True:
        try:
            if holds():
                return
        except Refused:
            pass
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.05)


@pytest.fixture
def etcd_site(permitted) -> Iterator[EtcdSite]:
    """A host with an agent on etcd, two workloads, and a policy that lets one port of the server be reached."""
    if EXECUTABLE is None:
        pytest.skip("etcd is not installed")
    with traceless(), EtcdSite() as site:
        site.start_etcd()
        site.command("apply", "-f", "-", text=_POOLS)
        site.install_plugin()
        site.start_agent()
        for name in ("client", "server"):
            site.connect(name, {"role": name})
        site.apply(_policy(8080))
        yield site


def test_the_agent_enforces_what_etcd_holds(etcd_site):
    """Endpoints that the plugin wrote, and policy that a command wrote, decide about real packets."""
    assert passing(etcd_site, (_OPEN, _CLOSED)) == both(_OPEN)
    assert etcd_site.command("get", "workloadendpoints").count("demo") == 2


def test_losing_etcd_changes_nothing_and_its_return_is_noticed(etcd_site):
    """Without etcd all programmed stays in force and the status says so; what is written afterwards is enforced."""
    etcd_site.stop_etcd()
    await_(lambda: f"In sync:     no: etcd at {_URL}" in etcd_site.command("status"))
    assert passing(etcd_site, (_OPEN, _CLOSED)) == both(_OPEN)
    etcd_site.start_etcd()
    etcd_site.apply(_policy(8081))
    assert passing(etcd_site, (_OPEN, _CLOSED)) == both(_CLOSED)
    assert "Traceback" not in etcd_site.log.read_text(encoding="utf-8")


def test_an_agent_without_etcd_does_not_start_and_changes_nothing(etcd_site):
    """The refusal is one sentence that names the server."""
    etcd_site.stop_agent()
    etcd_site.stop_etcd()
    done = etcd_site.world.host.run(etcd_site.agent_command, env=etcd_site.environment)
    assert done.returncode == 1
    assert _URL in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert passing(etcd_site, (_OPEN, _CLOSED)) == both(_OPEN)


def test_a_workload_is_removed_without_an_agent(etcd_site):
    """DEL works on etcd itself, which the installation wrote into the executable."""
    etcd_site.stop_agent()
    path = etcd_site.world.workloads["server"].path
    with pytest.MonkeyPatch.context() as patch:
        # A runtime knows nothing of percale's variables.
        patch.setattr(EtcdSite, "environment", {**os.environ, "PERCALE_SOCKET": str(etcd_site.socket)})
        done = etcd_site.call_plugin("DEL", "server", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert etcd_site.command("get", "workloadendpoints", "-o", "custom-columns=NAME").split() == [
        "NAME",
        endpoint_name("client"),
    ]
