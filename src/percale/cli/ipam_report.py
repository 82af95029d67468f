# SPDX-License-Identifier: Apache-2.0
"""The report that ``ipam check`` writes and ``ipam release`` reads, as calicoctl has it (spec/cli.md section 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from percale.cli.command import CommandFailed
from percale.ipam import Allocation, Comparison, HandleRecord, IpamError, Release, parse_address

__all__ = ["Report", "leaked_everywhere", "leaked_handles_everywhere", "read_report", "reported", "write_report"]


class ReportedAllocation(msgspec.Struct, rename="camel", frozen=True):
    """One address of a block; ``owners`` are those who use it."""

    ip: str
    handle: str | None = None
    sequence_number: int | None = None
    pod: str | None = None
    namespace: str | None = None
    node: str | None = None
    type: str | None = None
    creation_timestamp: str | None = None
    in_use: bool = False
    borrowed: bool = False
    cooling_down: bool = False
    owners: list[str] | None = None


class ReportedHandle(msgspec.Struct, frozen=True):
    """A handle without addresses, at one revision of its record; only Kubernetes gives it an UID."""

    id: str = msgspec.field(name="ID")
    uid: str | None = msgspec.field(default=None, name="UID")
    revision: str = msgspec.field(default="", name="Revision")


class Report(msgspec.Struct, rename="camel", frozen=True):
    """What a check found, of which cluster and when."""

    version: str = ""
    cluster_guid: str = msgspec.field(default="", name="clusterGUID")
    datastore_locked: bool = False
    cluster_information_revision: str = ""
    cluster_type: str = ""
    allocations: dict[str, list[ReportedAllocation]] | None = None
    leaked_handles: list[ReportedHandle] | None = None


def reported(found: Comparison) -> tuple[dict[str, list[ReportedAllocation]], list[ReportedHandle]]:
    """Return what a report tells of addresses and of handles."""
    allocations: dict[str, list[ReportedAllocation]] = {}
    for allocation in found.allocations:
        allocations.setdefault(str(allocation.address), []).append(_allocation(allocation))
    return allocations, [ReportedHandle(record.handle, None, str(record.revision)) for record in found.empty_handles]


def _allocation(allocation: Allocation) -> ReportedAllocation:
    notes: Mapping[str, str] = allocation.notes or {}
    return ReportedAllocation(
        ip=str(allocation.address),
        handle=allocation.handle,
        sequence_number=allocation.sequence,
        pod=notes.get("pod", ""),
        namespace=notes.get("namespace", ""),
        node=notes.get("node", ""),
        type=notes.get("type", ""),
        creation_timestamp=notes.get("timestamp", ""),
        in_use=not allocation.is_leaked and not allocation.cooling,
        borrowed=allocation.borrowed,
        cooling_down=allocation.cooling,
        owners=list(allocation.owners),
    )


def write_report(path: str, report: Report) -> None:
    """Write a report into a file; raises CommandFailed."""
    try:
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    except OSError as error:
        raise CommandFailed(f"open {path}: {(error.strerror or '').lower()}") from error


def read_report(path: str) -> Report:
    """Return the report of a file; raises CommandFailed."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Report)
    except OSError as error:
        raise CommandFailed(f"open {path}: {(error.strerror or '').lower()}") from error
    except msgspec.DecodeError as error:
        raise CommandFailed(f"{path} is no report of 'ipam check': {error}") from error


def leaked_everywhere(reports: Sequence[Report]) -> list[Release]:
    """Return the addresses that no report found in use, each on condition that it is still the same allocation.

    Raises CommandFailed where a report names something that is no address.
    """
    leaks = [
        {
            (allocation.ip, allocation.handle, allocation.sequence_number)
            for found in (report.allocations or {}).values()
            for allocation in found
            if not allocation.in_use and not allocation.cooling_down
        }
        for report in reports
    ]
    try:
        releases = [
            Release(parse_address(ip), handle or None, number) for ip, handle, number in set.intersection(*leaks)
        ]
    except (ValueError, IpamError) as error:
        raise CommandFailed(f"a report names an address that is none: {error}") from error
    return sorted(releases, key=lambda release: (release.address.version, int(release.address)))


def leaked_handles_everywhere(reports: Sequence[Report]) -> list[HandleRecord]:
    """Return the records of handles which all reports found without addresses, and at the same revision."""
    leaks = [{(each.id, each.revision) for each in report.leaked_handles or ()} for report in reports]
    shared = sorted(set.intersection(*leaks))
    return [HandleRecord(handle, int(revision)) for handle, revision in shared if revision.isdecimal()]
