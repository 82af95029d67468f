# SPDX-License-Identifier: Apache-2.0
"""``datastore compact``: forget history, now or by a policy from now on."""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.config import datastore_config
from percale.cli.stores import check_there, embedded_path, open_keyvalue

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Forget old history: what the policy does not keep, or all before a revision. Watchers that lag behind list again.",
    usage="[flags]",
    flags=(
        Flag("revision", value="N", number=True, text="forget everything before this revision"),
        Flag("keep-days", value="N", number=True, text="from now on keep history of N days (30; 0 is for ever)"),
        Flag("keep-revisions", value="N", number=True, text="and in any case the newest N revisions (10000)"),
        CONFIG,
    ),
    most=0,
    example="datastore compact --keep-days 7",
)


def run(call: Call) -> int:
    """Change the policy where asked for, then forget."""
    from percale.datastore.sqlite import Retention, SQLiteKeyValue

    arguments = call.arguments
    config = datastore_config(arguments)
    check_there(config)
    policy = arguments.given("keep-days") or arguments.given("keep-revisions")
    if arguments.given("revision"):
        border = arguments.number("revision")
        if policy:
            raise CommandFailed("choose either --revision, or what is kept (--keep-days, --keep-revisions)")
        if border < 1:
            raise CommandFailed(f"--revision: there is no revision {border}; the first one is 1")
        with open_keyvalue(config) as store:
            store.compact(border)
        print(f"History before revision {border} is forgotten.")
        return 0
    with SQLiteKeyValue(embedded_path(arguments)) as embedded:
        old = embedded.retention
        if policy:
            try:
                kept = Retention(
                    arguments.number("keep-days", old.days), arguments.number("keep-revisions", old.revisions)
                )
            except ValueError as error:
                raise CommandFailed(str(error)) from error
            embedded.set_retention(kept)
        border, kept = embedded.compact_by_policy(), embedded.retention
    days = f"{kept.days} days" if kept.days else "all days"
    print(f"History of {days} is kept, and of the newest {kept.revisions} revisions in any case.")
    print(f"History before revision {border} is forgotten." if border else "Nothing is forgotten.")
    return 0
