# SPDX-License-Identifier: Apache-2.0
"""``diff``: files against the datastore, or two revisions of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.difference import difference
from percale.cli.moments import reading_past
from percale.cli.outcomes import print_problems
from percale.cli.session import Session
from percale.cli.stores import keyvalue_of
from percale.cli.targets import FILE_FLAGS, NAMESPACE
from percale.cli.writing import attempted, given_targets
from percale.errors import PercaleError

if TYPE_CHECKING:
    from percale.cli.command import Arguments
    from percale.datastore.keyvalue import KeyValue

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Show what applying files would change, or what changed between two revisions; 0 nothing, 1 something, 2 trouble.",
    usage="-f PATH | --from N --to N [flags]",
    flags=(
        *FILE_FLAGS,
        NAMESPACE,
        Flag("from", value="N", number=True, text="the older revision"),
        Flag("to", value="N", number=True, text="the newer revision (default: the newest)"),
        CONFIG,
    ),
    example="diff -f policy.yaml",
)

_EQUAL, _DIFFERENT, _TROUBLE = 0, 1, 2


def run(call: Call) -> int:
    """Print the differences and return what diff(1) returns."""
    arguments = call.arguments
    try:
        _check(arguments)
        with Session(arguments, reading=True) as session:
            session.check_version()
            if arguments.given("filename"):
                return _compare_files(session, arguments)
            with reading_past(session.client):
                return _compare_revisions(keyvalue_of(session.client), arguments)
    except PercaleError as error:
        raise CommandFailed(str(error), status=_TROUBLE) from error
    except CommandFailed as failure:
        raise CommandFailed(failure.text, status=_TROUBLE, problems=failure.problems) from failure


def _check(arguments: Arguments) -> None:
    """Raise CommandFailed where the arguments say no comparison, or two."""
    if arguments.positionals:
        raise CommandFailed(f"diff takes no names, and {arguments.positionals[0]!r} is one: name files behind -f")
    files, revisions = arguments.given("filename"), [name for name in ("from", "to") if arguments.given(name)]
    if files == bool(revisions) or revisions == ["to"]:
        raise CommandFailed("compare either files (-f) or revisions (--from, --to)")
    for name in revisions:
        if arguments.number(name) < 1:
            raise CommandFailed(f"--{name}: there is no revision {arguments.text(name)}; the first one is 1")


def _compare_files(session: Session, arguments: Arguments) -> int:
    targets = given_targets(arguments)
    outcomes = attempted(targets or [], "apply", arguments)
    possible = [outcome for outcome in outcomes if outcome.error is None]
    plan = session.client.plan("apply", [outcome.target.resource for outcome in possible])
    for change in plan.changes:
        if change.action in ("create", "change"):
            print(*change.diff(), sep="\n")
    errors = [outcome.error for outcome in outcomes if outcome.error]
    errors += [change.error for change in plan.changes if change.error]
    if errors:
        for outcome in outcomes:
            print_problems(outcome.problems)
        raise CommandFailed("\n".join(map(str, errors)))
    return _DIFFERENT if any(change.action != "keep" for change in plan.changes) else _EQUAL


def _compare_revisions(store: KeyValue, arguments: Arguments) -> int:
    different = False
    for line in _changes(store, arguments.number("from"), arguments.number("to") or store.revision):
        different = True
        print(line)
    return _DIFFERENT if different else _EQUAL


def _changes(store: KeyValue, older: int, newer: int) -> Iterator[str]:
    from percale.datastore.keys import RESOURCES, parse_resource
    from percale.datastore.keyvalue import prefix_end

    end = prefix_end(RESOURCES)
    before = {item.key: item for item in store.range(RESOURCES, end, revision=older).items}
    after = {item.key: item for item in store.range(RESOURCES, end, revision=newer).items}
    for path in sorted(before.keys() | after.keys()):
        key = parse_resource(path)
        if key is not None and before.get(path) != after.get(path):
            names = f"{key} (revision {older})", f"{key} (revision {newer})"
            yield from difference(key, before.get(path), after.get(path), names)
