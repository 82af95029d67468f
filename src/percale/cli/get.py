# SPDX-License-Identifier: Apache-2.0
"""``get``: show resources (spec/cli.md section 9)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.moments import MOMENT_FLAGS, chosen_revision, reading_past
from percale.cli.outcomes import print_problems
from percale.cli.output import FORMATS, Result, Surroundings, printer
from percale.cli.session import Session
from percale.cli.targets import (
    ALL_NAMESPACES,
    FILE_FLAGS,
    NAMESPACE,
    NothingGiven,
    Target,
    named_targets,
    read_targets,
)
from percale.errors import PercaleError
from percale.resources import Resource

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["COMMAND", "run", "tier_order"]

COMMAND = Command(
    "Show resources by kind, by kind and name, or those that files name.",
    usage="KIND [NAME...] | -f PATH [flags]",
    flags=(
        Flag("output", "o", value="FORMAT", text=f"{', '.join(FORMATS)}"),
        *ALL_NAMESPACES,
        NAMESPACE,
        Flag("watch", "w", text="go on with every change until interrupted", own=True),
        Flag("export", text="leave out what only this cluster gave to the resource"),
        *MOMENT_FLAGS,
        *FILE_FLAGS,
        CONFIG,
    ),
    example="get workloadendpoints --all-namespaces -o wide",
)


def run(call: Call) -> int:
    """Print what was asked for, then what is missing; 1 if anything is."""
    arguments = call.arguments
    write = printer(arguments.text("output"), call.program)
    with Session(arguments, reading=not arguments.switch("watch")) as session:
        session.check_version()
        try:
            targets = _targets(arguments)
        except NothingGiven as nothing:
            if not arguments.switch("skip-empty"):
                raise CommandFailed(f"failed to get resources: {nothing.text}") from nothing
            print("No resources specified")
            return 0
        if arguments.switch("watch"):
            from percale.cli.following import follow

            return follow(session, targets, arguments)
        with reading_past(session.client):
            revision = chosen_revision(session.client, arguments)
        results, errors = _found(targets, session.client, arguments, revision)
        if results or not _is_table(arguments.text("output")):
            around = Surroundings(_shows_namespace(arguments), lambda: session.as_number)
            sys.stdout.writelines(write(results, around))
    sys.stdout.flush()
    for error in errors:
        print(error.calico_text, file=sys.stderr)
    return 1 if errors else 0


def _targets(arguments: Arguments) -> list[Target]:
    if arguments.given("filename") or not arguments.positionals:
        return read_targets(arguments)
    try:
        return named_targets(arguments.positionals)
    except CommandFailed as failure:
        raise CommandFailed(f"failed to get resources: {failure.text}", problems=failure.problems) from failure


def _found(
    targets: list[Target], client: Client, arguments: Arguments, revision: str
) -> tuple[list[Result], list[PercaleError]]:
    results: list[Result] = []
    errors: list[PercaleError] = []
    for target in targets:
        try:
            with reading_past(client):
                results.append(_one(target.at_home(arguments), client, arguments, revision))
        except PercaleError as error:
            errors.append(error)
    return results, errors


def _one(target: Target, client: Client, arguments: Arguments, revision: str) -> Result:
    if target.name:
        if target.info.namespaced and not target.namespace:
            raise PercaleError("cannot use --all-namespace flag for getting a single resource")
        found = client.get(target.info.kind, target.name, namespace=target.namespace, revision=revision)
        return _exported(found) if arguments.switch("export") else found
    listed = client.list(target.info.kind, namespace=target.namespace, revision=revision)
    print_problems(listed.problems)
    if target.info.kind == "Tier":
        from msgspec.structs import replace

        return replace(listed, items=sorted(listed.items, key=tier_order))
    return listed


def tier_order(tier: Resource) -> float:
    """Return where a tier stands; one without an order is last."""
    order = tier.spec.order
    return float("inf") if order is None else float(order)


def _exported(resource: Resource) -> Resource:
    return resource.with_metadata(
        namespace="",
        uid="",
        resource_version="",
        creation_timestamp="",
        deletion_timestamp="",
        deletion_grace_period_seconds=None,
    )


def _is_table(form: str) -> bool:
    return form in ("", "ps", "wide") or form.startswith("custom-columns")


def _shows_namespace(arguments: Arguments) -> bool:
    return bool(arguments.text(NAMESPACE.name)) or any(arguments.switch(flag.name) for flag in ALL_NAMESPACES)
