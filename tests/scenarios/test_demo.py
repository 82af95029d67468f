# SPDX-License-Identifier: Apache-2.0
"""``percale demo`` does what it promises, tells when it does not, and cleans up after itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("permitted")]

PROGRAM = [sys.executable, "-m", "percale.cli", "demo"]
STAGES = {"agent": "percale-demo-*/agent.sock", "plugin": "percale-demo-*/bin/percale"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_the_demo_agrees(traces):
    """Every row agrees, the changes are felt, and the exit status is 0."""
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "48 of 48 rows agree" in done.stdout
    assert done.stdout.count("packets felt it") == 2


def test_a_changed_rule_makes_the_demo_name_the_rows(traces):
    """With the port of one rule changed exactly the rows that meant it disagree, and the exit status is 1."""
    policies = traces / "changed.yaml"
    text = run("--print-policies").stdout
    assert text.count("ports: [postgres]") == 1
    policies.write_text(text.replace("ports: [postgres]", "ports: [5433]"))
    done = run("--policies", str(policies))
    policies.unlink()
    assert done.returncode == 1
    named = [line.partition(" (")[0] for line in done.stdout.splitlines() if line.startswith("disagrees")]
    assert named == [
        f"disagrees: api → db tcp 5432 v{version}: expected allow, explained deny, observed deny" for version in (4, 6)
    ]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_cleans_up_when_it_is_interrupted(traces, number, stage):
    """Interrupted at its start or in the middle it leaves no process and no file, and its exit status tells."""
    demo = subprocess.Popen(PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    limit = time.monotonic() + 20
    while not list(traces.glob(STAGES[stage])):
        assert time.monotonic() < limit
        assert demo.poll() is None
        time.sleep(0.002)
    os.kill(demo.pid, number)
    output, _ = demo.communicate(timeout=20)
    assert demo.returncode == 130
    assert b"Traceback" not in output
    # That nothing is left is what the fixture checks.
