# SPDX-License-Identifier: Apache-2.0
"""Commands as their user runs them, start-up included, with what they cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

__all__ = ["Cost", "cost", "environment"]


class Cost(NamedTuple):
    """What one call took: CPU time (user and system), time on the clock, and the largest resident memory."""

    cpu_ms: float
    wall_ms: float
    peak_mb: float


def environment(datastore: str = "") -> dict[str, str]:
    """Return the surroundings of a user: compiled modules are kept, and ``datastore`` is a file or an etcd's URL."""
    unlike_users = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in unlike_users}
    if "://" in datastore:
        return kept | {"DATASTORE_TYPE": "etcdv3", "ETCD_ENDPOINTS": datastore}
    return kept | ({"PERCALE_DATASTORE": datastore} if datastore else {})


def cost(*words: str, datastore: str = "", stdin: bytes = b"", rounds: int = 1) -> Cost:
    """Run a command of percale so often and return its least CPU time and the medians of the rest; it must succeed."""
    costs = [_once(words, environment(datastore), stdin) for _ in range(rounds)]
    cpu, wall, peak = zip(*costs, strict=True)
    return Cost(min(cpu), statistics.median(wall), statistics.median(peak))  # other programs only add CPU time


def _once(words: tuple[str, ...], surroundings: dict[str, str], stdin: bytes) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(
        [os.path.join(os.path.dirname(sys.executable), "percale"), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=surroundings,
    )
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"percale {' '.join(words)} ended with status {process.returncode}")
    wall = time.perf_counter() - start
    return Cost((usage.ru_utime + usage.ru_stime) * 1e3, wall * 1e3, usage.ru_maxrss / 1024)
