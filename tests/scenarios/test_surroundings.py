# SPDX-License-Identifier: Apache-2.0
"""Bad surroundings end in one clear sentence and an exit status, and nothing is half done."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import subprocess
import sys
from functools import partial

import pytest

from percale.lab.site import Site

pytestmark = pytest.mark.kernel

PROGRAM = [sys.executable, "-m", "percale.cli"]
NOTES = b"these are my notes\n" * 1000
# linux/prctl.h, linux/capability.h: CAP_NET_ADMIN; CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
_PR_CAPBSET_DROP = 24
_NETWORK, _ACCESS = (12,), (1, 2)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a percale command with these variables."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The single line that a failed command wrote to standard error; none of it may be Python's."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in lines[0]
    assert "bug" not in lines[0]
    return lines[0]


def untouched(site: Site) -> bool:
    """Whether the host holds no rule at all, and no socket was left where the agent listens."""
    return site.world.host.run(["nft", "list", "ruleset"]).stdout == "" and not site.socket.exists()


def start(site: Site, **options) -> subprocess.CompletedProcess[str]:
    """Run the agent in the foreground, where it must end by itself."""
    return site.world.host.run(site.agent_command, env=site.environment | options.pop("env", {}), **options)


def _give_up(*capabilities: int) -> None:
    """Let the program that this process becomes be without these capabilities, even root's."""
    library = ctypes.CDLL(None)
    for capability in capabilities:
        library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a capability up for good")
def test_an_agent_that_may_not_program_the_kernel(site):
    """Without CAP_NET_ADMIN the agent says which right it lacks."""
    done = start(site, preexec_fn=partial(_give_up, *_NETWORK))
    assert "CAP_NET_ADMIN" in sentence(done)
    assert untouched(site)


def test_a_second_agent_on_the_host(site):
    """The second agent is refused and names the first, which is left alone."""
    site.start_agent()
    done = start(site, env={"PERCALE_SOCKET": str(site.folder / "second.sock")})
    assert f"process {site.agent.pid}" in sentence(done)
    assert not (site.folder / "second.sock").exists()
    assert site.status()["pid"] == site.agent.pid


def test_a_table_of_our_name_that_is_somebody_elses(site):
    """A table that we did not make is neither changed nor replaced."""
    site.world.host.run(["nft", "add table inet percale; add chain inet percale theirs"])
    before = site.world.host.run(["nft", "list", "ruleset"]).stdout
    assert "not ours" in sentence(start(site))
    assert site.world.host.run(["nft", "list", "ruleset"]).stdout == before != ""


def test_asking_an_agent_that_does_not_run(traces):
    """Status says that no agent answers, where it was looked for, and how to start it."""
    told = sentence(run("status", PERCALE_SOCKET=str(traces / "agent.sock")))
    assert str(traces / "agent.sock") in told
    assert "percale agent" in told


def test_asking_an_agent_that_was_killed(site):
    """A socket that a killed agent left behind is no running agent, and no hindrance to the next one."""
    site.start_agent()
    site.stop_agent(suddenly=True)
    assert site.socket.exists()
    done = run("status", PERCALE_SOCKET=str(site.socket))
    assert done.returncode == 1
    assert "not running" in done.stderr
    site.start_agent()
    assert site.status()["inSync"] in (True, False)


@pytest.mark.parametrize("command", [["get", "nodes"], ["agent"]])
def test_a_store_of_a_newer_version_is_left_alone(site, command):
    """A file with a newer schema is refused, by commands and by the agent, and not changed."""
    site.client.close()
    with sqlite3.connect(site.store) as database:
        (version,) = database.execute("pragma user_version").fetchone()
        database.execute(f"pragma user_version = {version + 1}")
    database.close()
    before = site.store.read_bytes()
    done = start(site) if command == ["agent"] else run(*command, PERCALE_DATASTORE=str(site.store))
    assert "newer percale" in sentence(done)
    assert site.store.read_bytes() == before
    assert untouched(site)


@pytest.mark.parametrize("command", [["get", "nodes"], ["agent"]])
def test_a_file_that_is_no_store(site, command):
    """Something else at the store's place is named and left as it is."""
    notes = site.folder / "notes.txt"
    notes.write_bytes(NOTES)
    done = (
        start(site, env={"PERCALE_DATASTORE": str(notes)})
        if command == ["agent"]
        else run(*command, PERCALE_DATASTORE=str(notes))
    )
    assert str(notes) in sentence(done)
    assert notes.read_bytes() == NOTES
    assert untouched(site)


@pytest.mark.parametrize("command", [["get", "nodes"], ["agent"]])
def test_a_store_that_cannot_be_opened(site, command):
    """A folder at the store's place is named."""
    folder = site.folder / "folder"
    folder.mkdir()
    done = (
        start(site, env={"PERCALE_DATASTORE": str(folder)})
        if command == ["agent"]
        else run(*command, PERCALE_DATASTORE=str(folder))
    )
    assert str(folder) in sentence(done)
    assert list(folder.iterdir()) == []
    assert untouched(site)


@pytest.mark.parametrize("command", [["get", "nodes"], ["agent"]])
def test_a_store_without_the_right_to_read_it(site, command):
    """A file that this user may not read is named."""
    site.client.close()
    site.store.chmod(0)
    program = site.agent_command if command == ["agent"] else [*PROGRAM, *command]
    done = site.world.host.run(program, env=site.environment, preexec_fn=partial(_give_up, *_ACCESS))
    assert str(site.store) in sentence(done)
    assert untouched(site)


def test_the_status_of_a_running_agent_in_words(shop):
    """The default form of the status names the node and counts what is programmed."""
    lines = dict(line.split(":", 1) for line in shop.command("status").splitlines())
    assert f"process {shop.agent.pid}" in lines["Node"]
    assert (lines["In sync"].strip(), lines["Endpoints"].strip()) == ("yes", "3")
