# SPDX-License-Identifier: Apache-2.0
"""``validate``: check files, without a datastore (spec/cli.md section 6)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain

from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.formats import unknown_format
from percale.cli.outcomes import Outcome, print_problems, print_report, report
from percale.cli.targets import FILE_FLAGS, NAMESPACE, NothingGiven, Target, read_targets
from percale.cli.writing import attempted, given_targets
from percale.errors import Problem, ValidationError

__all__ = ["COMMAND", "run"]

_OUTPUT = Flag(
    "output", "o", value="FORMAT", text="text (the default), json or sarif, which go to standard output", own=True
)

COMMAND = Command(
    "Check the resources of files by every rule that needs no datastore. Whether a tier exists or pools overlap, and\n"
    "whether an endpoint has the name that its spec demands, is checked when they are written.\n\n"
    "The exit status is 0 if all may be written (warnings are allowed), 1 if anything is wrong.",
    usage="-f PATH [flags]",
    flags=(*FILE_FLAGS, NAMESPACE, _OUTPUT, CONFIG),
    example="validate -f policies/ --recursive",
)


def run(call: Call) -> int:
    """Check what the files hold; 1 if anything is wrong."""
    form = call.arguments.text(_OUTPUT.name)
    if form not in ("", "text"):
        return _for_programs(call, form)
    targets = given_targets(call.arguments)
    if targets is None:
        return 0
    outcomes = []
    for outcome, problems in _judged(targets, call.arguments):
        print_problems(problem for problem in problems if problem.warning)
        outcomes.append(outcome)
    return print_report(report("validate", "validated", outcomes), outcomes)


def _for_programs(call: Call, form: str) -> int:
    from percale.cli.findings import FORMATS

    if form not in FORMATS:
        raise unknown_format(form, ("text", *FORMATS), call.program)
    problems = [problem for problem in _found(call.arguments) if problem.shown]
    sys.stdout.write(FORMATS[form](problems))
    return 0 if all(problem.warning for problem in problems) else 1


def _found(arguments: Arguments) -> Iterable[Problem]:
    """Everything that is to be said of the documents, in the order of files and lines."""
    try:
        targets = read_targets(arguments)
    except NothingGiven:
        if not arguments.switch("skip-empty"):
            raise
        return []
    except CommandFailed as failure:
        if not failure.problems:
            raise
        return failure.problems
    read = (target.document.warnings for target in targets if target.document)
    judged = (outcome.problems or problems for outcome, problems in _judged(targets, arguments))
    return chain(chain.from_iterable(read), chain.from_iterable(judged))


def _judged(targets: list[Target], arguments: Arguments) -> Iterable[tuple[Outcome, tuple[Problem, ...]]]:
    """Each target with what became of it and all that was found, warnings included."""
    for outcome in attempted(targets, None, arguments):
        yield (outcome, ()) if outcome.error else _checked(outcome.target)


def _checked(target: Target) -> tuple[Outcome, tuple[Problem, ...]]:
    from percale.resources import check
    from percale.resources.defaults import defaulted

    problems = tuple(map(target.placed, check(defaulted(target.resource), operation="validate")))
    faults = [problem for problem in problems if not problem.warning]
    return Outcome(target, ValidationError(faults) if faults else None), problems
