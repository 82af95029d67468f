# SPDX-License-Identifier: Apache-2.0
"""``delete``: by name, or what files name (spec/cli.md section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from percale.cli.command import CONFIG, Arguments, Call, Command, Flag
from percale.cli.outcomes import Outcome, deletion_report, print_report
from percale.cli.session import Session
from percale.cli.targets import FILE_FLAGS, NAMESPACE, Target, named_targets
from percale.cli.writing import attempted, given_targets
from percale.errors import NotFound, PercaleError

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Delete resources by kind and name, or those of files; a resourceVersion in a file deletes only that version.",
    usage="KIND NAME... | -f PATH [flags]",
    flags=(
        Flag("skip-not-exists", "s", text="a resource that is not there counts as deleted"),
        NAMESPACE,
        *FILE_FLAGS,
        CONFIG,
    ),
    example="delete workloadendpoint node1-k8s-web--1-eth0 --namespace shop",
)

_GIVE_BACK = ("Node", "IPPool")
"""The kinds whose deletion gives addresses back."""


def run(call: Call) -> int:
    """Delete what was named, going on after failures; 1 if there were any."""
    arguments = call.arguments
    with Session(arguments) as session:
        session.check_version()
        targets = _targets(arguments)
        if targets is None:
            return 0
        if any(target.info.kind in _GIVE_BACK for target in targets):
            from percale.ipam import Ipam

            session.client.addresses = Ipam.of(session.client.datastore)
        skip = arguments.switch("skip-not-exists")
        outcomes = [
            outcome if outcome.error else _deleted(session.client, outcome.target, skip_absent=skip)
            for outcome in attempted(targets, "delete", arguments)
        ]
    return print_report(deletion_report(outcomes), outcomes)


def _targets(arguments: Arguments) -> list[Target] | None:
    if arguments.given("filename") or not arguments.positionals:
        return given_targets(arguments)
    return named_targets(arguments.positionals)


def _deleted(client: Client, target: Target, *, skip_absent: bool) -> Outcome:
    if not target.name:
        return Outcome(target, NotFound(target.info.kind, "", target.namespace))
    version = target.document.resource.metadata.resource_version if target.document else ""
    try:
        client.delete(target.info.kind, target.name, target.namespace, resource_version=version)
    except NotFound as error:
        hint = "--skip-not-exists counts it as deleted"
        return Outcome(target, None if skip_absent else error, if_absent=hint)
    except PercaleError as error:
        return Outcome(target, error)
    return Outcome(target)
