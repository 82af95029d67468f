# SPDX-License-Identifier: Apache-2.0
"""``version``: of this program, and of the cluster (spec/cli.md section 11)."""

from __future__ import annotations

import re
import time

from percale.cli import announced
from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.lean import import_msgspec

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Print the version of Calico that this program speaks for, and those of the cluster.",
    usage="[flags]",
    flags=(
        Flag("client", text="only what needs no datastore"),
        Flag("poll", value="DURATION", text="print again whatever has changed, every so often, until interrupted"),
        CONFIG,
    ),
    stays=True,
    example="version --client",
)

_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def run(call: Call) -> int:
    """Print the versions; 1 if the cluster does not tell its own."""
    poll = call.arguments.text("poll")
    pause_s = _duration_s(poll) if poll else 0.0
    printed: list[str] = []
    while True:
        status = _print_new(call, printed)
        if not pause_s:
            return status
        time.sleep(pause_s)


def _print_new(call: Call, printed: list[str]) -> int:
    lines = [f"Client Version:    {announced.VERSION}", f"Git commit:        {announced.COMMIT}"]
    status, complaint = 0, ""
    if not call.arguments.switch("client"):
        cluster, complaint, status = _cluster_lines(call)
        lines += cluster
    for line in lines:
        if line not in printed:
            print(line, flush=True)
    printed[:] = lines
    if complaint:
        raise CommandFailed(complaint, status=status)
    return status


def _cluster_lines(call: Call) -> tuple[list[str], str, int]:
    """The lines about the cluster, or what to complain of."""
    import_msgspec()
    from percale.cli.config import UnknownDatastore
    from percale.cli.session import Session
    from percale.errors import PercaleError

    try:
        opened = Session(call.arguments, reading=not call.arguments.given("poll"))
    except UnknownDatastore:
        return ["Unable to detect installed Calico version"], "", 0
    with opened as session:
        try:
            spec = session.cluster_information().spec
        except PercaleError as error:
            return [], f"unable to retrieve Cluster Version or Type: {error.calico_text}", 1
    version, kind = spec.calico_version or "unknown", spec.cluster_type or "unknown"
    return [f"Cluster Version:   {version}", f"Cluster Type:      {kind}"], "", 0


def _duration_s(text: str) -> float:
    """A span of time as Go writes it: ``1m30s``."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise CommandFailed(f"invalid poll duration specified: {text}")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
