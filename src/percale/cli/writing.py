# SPDX-License-Identifier: Apache-2.0
"""What create, apply and replace have in common: read everything, write it, tell what became of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from percale.cli.command import CONFIG, Arguments, Call, Flag
from percale.cli.outcomes import Outcome, Report, print_problems, print_report
from percale.cli.readonly import Verb, check_writable
from percale.cli.session import Session
from percale.cli.targets import FILE_FLAGS, NAMESPACE, NothingGiven, Target, read_targets
from percale.errors import PercaleError

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["DRY_RUN", "WRITING_FLAGS", "attempted", "given_targets", "write_documents"]

DRY_RUN = Flag("dry-run", text="print what would change, and write nothing", own=True)
WRITING_FLAGS = (*FILE_FLAGS, NAMESPACE, DRY_RUN, CONFIG)

_Write = Literal["create", "apply", "replace"]


def write_documents(
    call: Call, verb: _Write, tell: Callable[[Sequence[Outcome]], Report], *, skip_existing: bool = False
) -> int:
    """Write the documents that the arguments name, and return the exit status.

    Warnings and what was wrong with documents come first, each with its file and line, then what calicoctl says.
    """
    arguments = call.arguments
    with Session(arguments, reading=arguments.switch(DRY_RUN.name)) as session:
        session.check_version()
        targets = given_targets(arguments)
        if targets is None:
            return 0
        if arguments.switch(DRY_RUN.name):
            return _planned(session.client, verb, attempted(targets, verb, arguments))
        session.initialise()
        outcomes = _written(session.client, verb, attempted(targets, verb, arguments), skip_existing)
    return print_report(tell(outcomes), outcomes)


def given_targets(arguments: Arguments) -> list[Target] | None:
    """Return the documents that the arguments name, their warnings printed; None if there is none and none is needed.

    Raises as `read_targets`.
    """
    try:
        targets = read_targets(arguments)
    except NothingGiven:
        if not arguments.switch("skip-empty"):
            raise
        print("No resources specified")
        return None
    for target in targets:
        if target.document is not None:
            print_problems(target.document.warnings)
    return targets


def attempted(targets: Iterable[Target], verb: Verb | None, arguments: Arguments) -> list[Outcome]:
    """Return the targets in their namespaces, or with the error that keeps them from being written."""
    return [_attempted(target, verb, arguments) for target in targets]


def _attempted(target: Target, verb: Verb | None, arguments: Arguments) -> Outcome:
    try:
        target = target.at_home(arguments)
    except PercaleError as error:
        return Outcome(target, error, homeless=True)
    try:
        if verb:
            check_writable(verb, target)
    except PercaleError as error:
        return Outcome(target, error)
    return Outcome(target)


def _written(client: Client, verb: _Write, outcomes: list[Outcome], skip_existing: bool) -> list[Outcome]:
    from percale.errors import AlreadyExists

    to_write = [index for index, outcome in enumerate(outcomes) if outcome.error is None]
    done = client.write(verb, [outcomes[index].target.resource for index in to_write])
    for index, result in zip(to_write, done, strict=True):
        error = None if skip_existing and isinstance(result.error, AlreadyExists) else result.error
        outcomes[index] = Outcome(outcomes[index].target, error)
    return outcomes


def _planned(client: Client, verb: _Write, outcomes: list[Outcome]) -> int:
    """Print what the write would do, and what would be refused."""
    possible = [outcome for outcome in outcomes if outcome.error is None]
    plan = client.plan(verb, [outcome.target.resource for outcome in possible])
    sys.stdout.write(f"{plan}\n" if plan.changes else "")
    refused = [
        Outcome(outcome.target, change.error)
        for outcome, change in zip(possible, plan.changes, strict=True)
        if change.error
    ]
    refused += [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in refused:
        print_problems(outcome.problems)
    return 1 if refused else 0
