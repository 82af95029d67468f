# SPDX-License-Identifier: Apache-2.0
"""The course of the demo: build the host, ask every flow three times, change the policy live, clean up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from percale.lab.demo.flows import POLICIES, WORKLOADS, DemoFlow, all_flows, meant_to_pass
from percale.lab.demo.live import LiveChange, measure
from percale.lab.probes import Probe, arrivals
from percale.lab.site import NODE, Site, endpoint_name
from percale.policy.cluster_view import ClusterHosts
from percale.policy.explain import Explainer
from percale.policy.explanation import Finding
from percale.policy.verdict import Verdict

__all__ = ["Row", "run"]

_WORD = {True: "allow", False: "deny"}


@dataclass(frozen=True, slots=True)
class Row:
    """One flow and its verdict told three times: as meant, as explained from the store, as seen by packets."""

    flow: DemoFlow
    expected: bool
    explained: bool
    observed: bool
    decided_by: str

    @property
    def agrees(self) -> bool:
        """Whether all three say the same."""
        return self.expected == self.explained == self.observed

    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        mark = "" if self.agrees else "  <-- disagrees"
        return (
            str(self.flow),
            _WORD[self.expected],
            _WORD[self.explained],
            _WORD[self.observed],
            self.decided_by + mark,
        )


def run(out: TextIO, *, policies: Path | None = None, keep: bool = False) -> int:
    """Run the demo and print its table; returns 0 if all rows agree, 1 if one does not.

    Raises Refused, with one sentence, where this machine does not permit it or a part does not start.
    """
    began = time.monotonic()
    with _ended_by_signals(), Site() as site:
        site.add_pools()
        site.start_agent()
        site.command("apply", "-f", "-", text=(policies or POLICIES).read_text(encoding="utf-8"))
        site.install_plugin()
        with ThreadPoolExecutor(len(WORKLOADS)) as pool:
            list(pool.map(lambda workload: site.connect(workload.name, workload.labels, workload.ports), WORKLOADS))
        site.programmed()
        rows = _rows(site)
        _print_table(out, rows)
        wrong = [row for row in rows if not row.agrees]
        print(f"\n{len(rows) - len(wrong)} of {len(rows)} rows agree, after {time.monotonic() - began:.1f} s", file=out)
        for row in wrong:
            print(f"disagrees: {row.flow}: expected {_WORD[row.expected]}, explained {_WORD[row.explained]}, "
                  f"observed {_WORD[row.observed]} ({row.decided_by})", file=out)  # fmt: skip
        if not wrong:
            _print_changes(out, measure(site))
        if keep:
            _keep(out, site)
    return 1 if wrong else 0


def _rows(site: Site) -> list[Row]:
    flows = all_flows()
    expected = meant_to_pass()
    explained = _explanations(site, flows)
    probes = {flow: _probe(site, flow) for flow in flows}
    seen = arrivals(list(probes.values()))
    return [
        Row(flow, flow.without_family in expected, allowed, seen[probes[flow]], by)
        for flow, (allowed, by) in explained.items()
    ]


def _explanations(site: Site, flows: Sequence[DemoFlow]) -> Mapping[DemoFlow, tuple[bool, str]]:
    explainer = Explainer(ClusterHosts(site.cluster()))
    found = {}
    for flow in flows:
        explanation = explainer.explain(_question(site, flow))
        found[flow] = explanation.verdict is Verdict.ALLOW, _decided_by(explanation.decider)
    return found


def _decided_by(decider: Finding | None) -> str:
    """Where the verdict fell, by the workload's own name, and which rule gave it."""
    if decider is None or decider.judgement.endpoint is None or decider.judgement.direction is None:
        return "nothing judged it" if decider is None else decider.by
    name = decider.judgement.endpoint.name
    workload = next((each.name for each in WORKLOADS if endpoint_name(each.name) == name), name)
    return f"{decider.judgement.direction} of {workload}: {decider.by}"


def _question(site: Site, flow: DemoFlow) -> str:
    source, destination = (
        f"default/{endpoint_name(name)}@{site.addresses[name][flow.ip_version]}"
        for name in (flow.source, flow.destination)
    )
    protocol = ("icmp/8/0" if flow.ip_version == 4 else "icmpv6/128/0") if flow.protocol == "icmp" else flow.protocol
    return f"{protocol} {source} -> {destination}" + (f" {flow.port}" if flow.port else "")


def _probe(site: Site, flow: DemoFlow) -> Probe:
    return Probe(
        source=site.world.workloads[flow.source].place,
        destination=site.world.workloads[flow.destination].place,
        protocol=flow.protocol,
        source_address=site.addresses[flow.source][flow.ip_version],
        destination_address=site.addresses[flow.destination][flow.ip_version],
        port=flow.port,
    )


def _print_table(out: TextIO, rows: Sequence[Row]) -> None:
    table = [("FLOW", "EXPECTED", "EXPLAINED", "OBSERVED", "DECIDED BY"), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    for line in table:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[4]]), file=out)


def _print_changes(out: TextIO, changes: Sequence[LiveChange]) -> None:
    for change in changes:
        print(f"{change.what}: packets felt it {change.felt_ms:.1f} ms after the write began", file=out)


def _keep(out: TextIO, site: Site) -> None:
    """Leave the world up until interrupted, and say how to look around."""
    pid, world = os.getpid(), site.world
    enter = f"nsenter --target {pid} --user --net --preserve-credentials" if os.getuid() else f"nsenter --target {pid}"
    print(f"\nThe host stays up until Ctrl-C (process {pid}). Look around from another terminal:", file=out)
    print(f"  export PERCALE_DATASTORE={site.store} PERCALE_SOCKET={site.socket}", file=out)
    print("  percale get workloadendpoints -o wide", file=out)
    print(f"  percale explain tcp {endpoint_name('web')} to {endpoint_name('db')}:5432", file=out)
    print("  percale status", file=out)
    print(f"  {enter} --net={world.host.path} nft list ruleset", file=out)
    for name, namespace in world.workloads.items():
        print(f"  {enter} --net={namespace.path} ip address   # {name} on node {NODE}", file=out)
    out.flush()
    signal.pause()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl-C does, so that it cleans up."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    old = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
