# SPDX-License-Identifier: Apache-2.0
"""How create, apply, replace, validate and delete tell what became of resources (spec/cli.md sections 6 and 7)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from percale.cli.targets import Target, shared_kind
from percale.errors import AlreadyExists, Conflict, NotFound, PercaleError, Problem, ValidationError

__all__ = [
    "Outcome",
    "Report",
    "deletion_report",
    "print_problems",
    "print_report",
    "problems_of",
    "replacement_report",
    "report",
]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one target: done, or the error; ``homeless`` failed already on its namespace.

    ``if_absent`` is what to do about a resource that is not there.
    """

    target: Target
    error: PercaleError | None = None
    homeless: bool = False
    if_absent: str = "use apply to create it"

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was wrong with the document or in its way, each problem with its file and line."""
        if self.error is None or self.target.document is None:
            return ()
        return problems_of(self.error, self.target, self.if_absent)


def problems_of(error: PercaleError, target: Target, if_absent: str = "use apply to create it") -> tuple[Problem, ...]:
    """Return what an error says of a target, with its file and lines, or with its name."""
    problems = error.problems if isinstance(error, ValidationError) else (_obstacle(error, if_absent),)
    return tuple(sorted(map(target.placed, problems), key=lambda problem: problem.line))


class Report(NamedTuple):
    """The two texts and the exit status."""

    stdout: str
    stderr: str
    status: int


def report(verb: str, past: str, outcomes: Sequence[Outcome]) -> Report:
    """Return what calicoctl's create, apply and validate say."""
    failed = [outcome for outcome in outcomes if outcome.error]
    kind, total, done = _kind(outcomes), len(outcomes), len(outcomes) - len(failed)
    if not failed:
        return Report(f"Successfully {past} {total}{kind} resource(s)\n", "", 0)
    errors = f"[{' '.join(outcome.error.calico_text for outcome in failed if outcome.error)}]"
    if total == 1:
        return Report("", f"failed to {verb}{kind} resource: {errors}\n", 1)
    if not done:
        return Report("", f"failed to {verb} any{kind} resources: {errors}\n", 1)
    partial = f"Partial success: {past} the first {done} out of {total}{kind} resources:\n"
    return Report(partial if done > len(failed) else "", f"hit error: {errors}\n", 1)


def replacement_report(outcomes: Sequence[Outcome]) -> Report:
    """Return what calicoctl's replace says: the last error only, and failed replacements counted as done.

    Which ones failed, the problems of the outcomes say.
    """
    failed = [outcome for outcome in outcomes if outcome.error]
    kind, total = _kind(outcomes), len(outcomes)
    if not failed:
        return Report(f"Successfully replaced {total}{kind} resource(s)\n", "", 0)
    last = failed[-1].error
    assert last is not None
    handled = total - sum(outcome.homeless for outcome in outcomes)
    if total == 1 and not handled:
        return Report("", f"failed to replace{kind} resource: {last.calico_text}\n", 1)
    if not handled:
        return Report("", f"failed to replace any{kind} resources: {last.calico_text}\n", 1)
    partial = f"Partial success: replaced the first {handled} out of {total}{kind} resources:\n"
    return Report(partial, f"hit error: {last.calico_text}\n", 1)


def deletion_report(outcomes: Sequence[Outcome]) -> Report:
    """Return what calicoctl's delete says; an empty line follows each error."""
    errors = [outcome.error for outcome in outcomes if outcome.error]
    kind, done = _kind(outcomes), len(outcomes) - len(errors)
    stdout = f"Successfully deleted {done}{kind} resource(s)\n" if done else ""
    stderr = "".join(f"Failed to delete{kind} resource: {error.calico_text}\n\n" for error in errors)
    return Report(stdout, stderr, 1 if errors else 0)


def print_report(report: Report, outcomes: Iterable[Outcome] = ()) -> int:
    """Print a report, before it what was wrong in which line, and return the exit status."""
    for outcome in outcomes:
        print_problems(outcome.problems)
    sys.stdout.write(report.stdout)
    sys.stderr.write(report.stderr)
    return report.status


def print_problems(problems: Iterable[Problem]) -> None:
    """Print problems and warnings of documents to standard error, but not those that only repeat others."""
    for problem in problems:
        if problem.shown:
            print(problem, file=sys.stderr)


def _obstacle(error: PercaleError, if_absent: str) -> Problem:
    match error:
        case AlreadyExists():
            return Problem("", "exists already", "use apply to change it, or --skip-exists to leave it as it is")
        case NotFound():
            return Problem("", "does not exist", error.cause or if_absent)
        case Conflict():
            return Problem("", "was changed since this version was read", "read it again, or leave out resourceVersion")
        case _:
            return Problem("", str(error))


def _kind(outcomes: Sequence[Outcome]) -> str:
    kind = shared_kind(outcome.target for outcome in outcomes)
    return f" '{kind}'" if kind else ""
