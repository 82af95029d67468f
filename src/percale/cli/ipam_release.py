# SPDX-License-Identifier: Apache-2.0
"""``ipam release``: give addresses back by hand, one or those that checks found unused (spec/cli.md section 10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from percale.cli import announced
from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.ipam_show import address_argument
from percale.cli.session import Session
from percale.errors import PercaleError
from percale.ipam import Ipam, Release

if TYPE_CHECKING:
    from percale.cli.ipam_report import Report

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Give an address back that nobody uses any more, or all that 'ipam check' found so. Whoever still uses one will\n"
    "share it with its next owner. Of several reports, only what none of them found in use is given back: make them\n"
    "some time apart, the last one after locking the datastore ('datastore migrate lock').",
    usage="--ip ADDRESS | --from-report FILE... [flags]",
    flags=(
        Flag("ip", value="ADDRESS", text="the address"),
        Flag("from-report", value="FILE", text="a report that 'ipam check -o FILE' wrote", repeated=True),
        Flag("force", text="whatever the reports' version, and without a lock"),
        CONFIG,
    ),
    example="ipam release --ip=192.0.2.7",
)


def run(call: Call) -> int:
    """Release the addresses; 1 if nobody had the one that was named, or a release was refused."""
    arguments = call.arguments
    if not arguments.given("ip") and not arguments.given("from-report"):
        return 0
    if arguments.given("ip"):
        address = address_argument(arguments)
    with Session(arguments) as session:
        session.check_version()
        if arguments.given("from-report"):
            return _release_leaks(session, arguments.texts("from-report"), force=arguments.switch("force"))
        outcome = Ipam.of(session.client.datastore).release([Release(address)])
    if outcome.error is not None:
        raise CommandFailed(str(outcome.error))
    if outcome.unallocated:
        raise CommandFailed(f"IP address {address} is not assigned")
    print(f"Successfully released IP address {address}")
    return 0


def _release_leaks(session: Session, paths: Sequence[str], *, force: bool) -> int:
    """Release what all reports found unused; what has changed since is left alone."""
    from percale.cli.ipam_report import leaked_everywhere, leaked_handles_everywhere, read_report

    reports = {path: read_report(path) for path in paths}
    _check_reports(session, reports, force=force)
    ipam = Ipam.of(session.client.datastore)
    # One at a time: in a block, one that has changed would keep all others from being released.
    outcomes = [ipam.release([release]) for release in leaked_everywhere(list(reports.values()))]
    released = sum(len(outcome.released) for outcome in outcomes)
    refusals = [outcome.error for outcome in outcomes if outcome.error is not None]
    forgotten = [ipam.forget_handle(record) for record in leaked_handles_everywhere(list(reports.values()))]
    print(f"Released {released} of {len(outcomes)} addresses that all reports found unused")
    print(f"Deleted {sum(forgotten)} of {len(forgotten)} handles that all reports found without addresses")
    print("You may now unlock the data store.")
    if refusals:
        raise CommandFailed("\n".join(map(str, refusals)))
    return 0


def _check_reports(session: Session, reports: dict[str, Report], *, force: bool) -> None:
    """Raise CommandFailed unless the reports are of this cluster as it is, made by this version, and it is locked."""
    try:
        cluster = session.cluster_information()
    except PercaleError as error:
        raise CommandFailed(f"error retrieving ClusterInformation: {error.calico_text}") from error
    for path, report in reports.items():
        if report.cluster_guid != cluster.spec.cluster_guid:
            raise CommandFailed(
                f"cluster does not match the provided report ({path}): mismatched cluster GUID. Refusing to release"
            )
        if report.version != announced.VERSION and not force:
            raise CommandFailed(
                f"the report ({path}) was made by version {report.version}, and this is {announced.VERSION}:"
                " make it again, or release with --force"
            )
    revision = cluster.metadata.resource_version
    if all(report.cluster_information_revision != revision for report in reports.values()):
        raise CommandFailed(
            "none of the reports was made since the datastore was locked or unlocked: lock it, and make another one"
        )
    if cluster.spec.datastore_ready is not False and not force:
        raise CommandFailed(
            "the datastore is not locked: lock it ('datastore migrate lock') and make a report, or release with --force"
        )
