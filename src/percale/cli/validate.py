# SPDX-License-Identifier: Apache-2.0
"""``validate``: check files, without a datastore (spec/cli.md section 6)."""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command
from percale.cli.outcomes import Outcome, print_problems, print_report, report
from percale.cli.targets import FILE_FLAGS, NAMESPACE, Target
from percale.cli.writing import attempted, given_targets
from percale.errors import ValidationError

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Check the resources of files by every rule that needs no datastore. Whether a tier exists or pools overlap, and\n"
    "whether an endpoint has the name that its spec demands, is checked when they are written.",
    usage="-f PATH [flags]",
    flags=(*FILE_FLAGS, NAMESPACE, CONFIG),
    example="validate -f policies/ --recursive",
)


def run(call: Call) -> int:
    """Check what the files hold; 1 if anything is wrong."""
    targets = given_targets(call.arguments)
    if targets is None:
        return 0
    outcomes = [
        outcome if outcome.error else _checked(outcome.target) for outcome in attempted(targets, None, call.arguments)
    ]
    return print_report(report("validate", "validated", outcomes), outcomes)


def _checked(target: Target) -> Outcome:
    from percale.resources import check
    from percale.resources.defaults import defaulted

    problems = check(defaulted(target.resource), operation="validate")
    print_problems(target.placed(problem) for problem in problems if problem.warning)
    faults = [problem for problem in problems if not problem.warning]
    return Outcome(target, ValidationError(faults) if faults else None)
