# SPDX-License-Identifier: Apache-2.0
"""Bad surroundings: one clear sentence on standard error, an exit status, nothing half-written, no traceback."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.scenarios.acceptance import populate
from tests.scenarios.flows import observed

from percale.errors import Refused
from percale.lab.site import NODE, Site

pytestmark = pytest.mark.kernel


@pytest.fixture
def site(bare_site: Site) -> Site:
    """The host of the acceptance scenario at work."""
    bare_site.start_agent()
    populate(bare_site)
    return bare_site


PROGRAM = [sys.executable, "-m", "percale.cli"]


def run(*arguments: str, text: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a percale command with these variables."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **environment},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The single line that a failed command wrote to standard error."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_an_agent_that_may_not_program_the_kernel(tmp_path: Path):
    """Without CAP_NET_ADMIN the agent says which right it lacks."""
    if os.geteuid():
        pytest.skip("needs root to give the capability up")
    store, socket = str(tmp_path / "store.db"), str(tmp_path / "agent.sock")
    command = ["capsh", "--drop=cap_net_admin", "--", "-c", " ".join([*PROGRAM, "agent", "--node", "n1"])]
    done = subprocess.run(
        ["unshare", "--net", *command],
        env={**os.environ, "PERCALE_DATASTORE": store, "PERCALE_SOCKET": socket},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "CAP_NET_ADMIN" in one_sentence(done)
    assert not Path(socket).exists()


def test_a_second_agent_on_the_host(site: Site):
    """The second agent is refused and the first one is left alone."""
    second = site.world.host.run(
        [*PROGRAM, "agent", "--node", NODE], env=site.environment | {"PERCALE_SOCKET": str(site.folder / "second.sock")}
    )
    assert "runs on this host already" in one_sentence(second)
    assert site.status()["inSync"]


def test_the_status_of_a_running_agent_in_words(site: Site):
    """The default form of the status names the node and counts what is programmed."""
    lines = dict(line.split(":", 1) for line in site.command("status").splitlines())
    assert lines["Node"].strip().startswith(f"{NODE} (process ")
    assert (lines["In sync"].strip(), lines["Endpoints"].strip()) == ("yes", "3")


def test_asking_an_agent_that_does_not_run(tmp_path: Path):
    """Status says that no agent answers, and where it was looked for."""
    sentence = one_sentence(run("status", PERCALE_SOCKET=str(tmp_path / "agent.sock")))
    assert "agent.sock" in sentence


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path):
    """A file with a newer schema is refused and not changed."""
    store = tmp_path / "store.db"
    assert run("get", "tiers", PERCALE_DATASTORE=str(store)).returncode == 0
    with sqlite3.connect(store) as database:
        version = database.execute("pragma user_version").fetchone()[0]
        database.execute(f"pragma user_version = {version + 1000}")
    database.close()
    before = store.read_bytes()
    assert "newer" in one_sentence(run("get", "tiers", PERCALE_DATASTORE=str(store)))
    assert store.read_bytes() == before


def test_a_file_that_is_no_store(tmp_path: Path):
    """Something else at the store's place is named and left as it is."""
    store = tmp_path / "store.db"
    store.write_text("these are my notes\n" * 100)
    assert "store.db" in one_sentence(run("get", "tiers", PERCALE_DATASTORE=str(store)))
    assert store.read_text() == "these are my notes\n" * 100


def test_adding_a_workload_without_an_agent_asks_to_try_again(bare_site: Site):
    """ADD without an agent answers CNI error 11; DEL does the work itself."""
    namespace = bare_site.world.add_workload("lonely")
    with pytest.raises(Refused, match=r'"code": ?11'):
        bare_site.plugin("ADD", "lonely", namespace.path, {})
    bare_site.plugin("DEL", "lonely", namespace.path, {})
    assert bare_site.client.list("wep").items == []


def test_the_agent_may_be_away_between_add_and_del(site: Site):
    """DEL without an agent removes endpoint, interface and address; a repeated DEL succeeds."""
    site.stop_agent()
    site.plugin("DEL", "other", site.world.workloads["other"].path, {})
    site.plugin("DEL", "other", site.world.workloads["other"].path, {})
    site.plugin("DEL", "other", "", {})
    assert not [each for each in site.client.list("wep").items if "other" in each.name]
    assert "caliother" not in site.world.host.run(["ip", "link"]).stdout


def test_the_last_state_stays_when_the_store_is_lost(site: Site):
    """With the store's file gone the agent keeps what it programmed."""
    for path in site.folder.glob("store.db*"):
        path.rename(path.with_name("moved-" + path.name))
    time.sleep(0.5)
    flows = ("client -> server tcp 8080", "other -> server tcp 8080")
    assert observed(site, *flows) == {flows[0]: True, flows[1]: False}
    assert site.agent is not None
    assert site.agent.poll() is None


# The demo


def test_the_demo_agrees(tmp_path: Path):
    """Every row agrees and the exit status is 0."""
    done = run("demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "48 of 48 rows agree" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_names_the_row_that_a_changed_rule_makes_wrong(tmp_path: Path):
    """With telnet allowed by the platform's guard, the telnet rows disagree and the exit status is 1."""
    policies = tmp_path / "changed.yaml"
    text = run("demo", "--print-policies").stdout
    assert text.count("ports: [postgres]") == 1
    policies.write_text(text.replace("ports: [postgres]", "ports: [5433]"))
    done = run("demo", "--policies", str(policies))
    assert done.returncode == 1
    assert "disagrees: api → db tcp 5432 v4: expected allow, explained deny, observed deny" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_cleans_up_when_it_is_interrupted(tmp_path: Path, number: signal.Signals):
    """No folder and no agent is left after an interruption in the middle."""
    demo = subprocess.Popen(
        [*PROGRAM, "demo"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    limit = time.monotonic() + 20
    while not list(tmp_path.glob("percale-demo-*/agent.sock")) and time.monotonic() < limit:
        time.sleep(0.01)
    folder = next(tmp_path.glob("percale-demo-*"))
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=20)
    assert demo.returncode == 130
    assert b"Traceback" not in output
    assert list(tmp_path.iterdir()) == []
    running = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False).stdout
    assert running == ""
