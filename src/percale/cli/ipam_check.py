# SPDX-License-Identifier: Apache-2.0
"""``ipam check``: compare the records of addresses with who uses them (spec/cli.md section 10)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from percale.cli import announced
from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.ipam_report import Report, reported, write_report
from percale.cli.ipam_uses import service_uses, tunnel_uses, workload_uses
from percale.cli.session import Session
from percale.errors import NotFound
from percale.ipam import Allocation, Comparison, Ipam, Use

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Compare the records of addresses with who uses them: tunnels of nodes, endpoints, and with a kubeconfig the load\n"
    "balancers of Kubernetes that Calico gives addresses to. Nothing is changed; 'ipam release --from-report' takes\n"
    "back what nobody used in several checks.",
    usage="[flags]",
    flags=(
        Flag("show-all-ips", text="every address that is allocated or used, and by whom"),
        Flag("show-problem-ips", text="every address with a problem"),
        Flag("output", "o", value="FILE", text="write a report for 'ipam release'"),
        Flag("kubeconfig", value="PATH", text="how to reach Kubernetes (default: what KUBECONFIG says)"),
        CONFIG,
    ),
    example="ipam check --show-problem-ips",
)


def run(call: Call) -> int:
    """Print what was found; finding problems is success."""
    arguments = call.arguments
    with Session(arguments, reading=True) as session:
        session.check_version()
        tunnels = list(tunnel_uses(session.client))
        workloads = list(workload_uses(session.client))
        services = list(service_uses(session.client, _services(arguments)))
        ipam = Ipam.of(session.client.datastore)
        found = ipam.compare([*tunnels, *workloads, *services])
        report = _report(session, found) if arguments.text("output") else None
        blocks, pools = len(ipam.blocks()), sum(pool.enabled for pool in ipam.pools())
    if report:
        write_report(arguments.text("output"), report)
    print(f"blocks: {blocks}, with {len(found.allocations)} addresses that are not free; active pools: {pools}")
    print(f"addresses used by nodes: {len(tunnels)}, by endpoints: {len(workloads)}, by services: {len(services)}")
    if arguments.switch("show-all-ips"):
        sys.stdout.writelines(f"  {line}\n" for line in _everything(found))
    show = arguments.switch("show-problem-ips") or arguments.switch("show-all-ips")
    sys.stdout.writelines(_told(found, show=show))
    print(f"Check complete; found {found.problems} problems.")
    return 0


def _services(arguments: Arguments) -> Iterable[dict[str, Any]]:
    path = arguments.text("kubeconfig") or os.environ.get("CALICO_KUBECONFIG") or os.environ.get("KUBECONFIG", "")
    if not path:
        return ()
    from percale.plugins.cni.kubernetes import api_of_kubeconfig

    if not os.path.isfile(path):
        raise CommandFailed(f"stat {path}: no such file or directory")
    return api_of_kubeconfig(path).services()


def _report(session: Session, found: Comparison) -> Report:
    allocations, handles = reported(found)
    try:
        cluster = session.cluster_information()
    except NotFound:
        return Report(announced.VERSION, allocations=allocations, leaked_handles=handles)
    return Report(
        version=announced.VERSION,
        cluster_guid=cluster.spec.cluster_guid,
        datastore_locked=cluster.spec.datastore_ready is False,
        cluster_information_revision=cluster.metadata.resource_version,
        cluster_type=cluster.spec.cluster_type,
        allocations=allocations,
        leaked_handles=handles,
    )


def _told(found: Comparison, *, show: bool) -> Iterator[str]:
    """One line of each sort of problem, on request with the cases below it."""
    sorts: tuple[tuple[str, list[str]], ...] = (
        ("allocated, and used by nobody", [_allocated(leak) for leak in found.leaks]),
        ("used, and outside of active pools", [_used(use) for use in found.outside]),
        ("used in an active pool, and not allocated", [_used(use) for use in found.unallocated]),
        ("handles without addresses", [record.handle for record in found.empty_handles]),
        ("handles of addresses that have no record (no problem)", list(found.missing_handles)),
        ("faults inside blocks", list(found.damaged)),
    )
    for title, cases in sorts:
        yield f"{title}: {len(cases)}\n"
        if show:
            yield from (f"  {case}\n" for case in cases)


def _everything(found: Comparison) -> Iterator[str]:
    for allocation in found.allocations:
        users = ", ".join(allocation.owners) or "nobody"
        yield f"{_allocated(allocation)}: {'cools down' if allocation.cooling else f'used by {users}'}"
    for use in (*found.outside, *found.unallocated):
        yield f"{use.address}: used by {use.owner}"


def _allocated(allocation: Allocation) -> str:
    notes = allocation.notes or {}
    told = [f"{name} {notes[name]}" for name in ("namespace", "pod", "type", "node", "timestamp") if notes.get(name)]
    return ", ".join([f"{allocation.address} (handle {allocation.handle or 'none'}", *told]) + ")"


def _used(use: Use) -> str:
    return f"{use.address} by {use.owner}"
