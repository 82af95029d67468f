# SPDX-License-Identifier: Apache-2.0
"""``datastore migrate lock`` and ``unlock``: stop changes of addresses, and let them go on (spec/cli.md section 11)."""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command, CommandFailed
from percale.cli.session import Session
from percale.errors import PercaleError

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Lock the datastore: no address is assigned or released, and no endpoint made, until it is unlocked.",
    usage="[flags]",
    flags=(CONFIG,),
    example="datastore migrate lock",
)


def run(call: Call) -> int:
    """Lock the datastore, made ready before."""
    with Session(call.arguments) as session:
        session.check_version()
        session.initialise()
        set_ready(session, ready=False)
    print("Datastore locked.")
    return 0


def set_ready(session: Session, *, ready: bool) -> None:
    """Write whether the datastore is unlocked; raises CommandFailed."""
    word = "unlocking" if ready else "locking"
    try:
        cluster = session.cluster_information()
    except PercaleError as error:
        raise CommandFailed(f"error retrieving ClusterInformation for {word}: {error.calico_text}") from error
    session.client.update(cluster.replace(spec=cluster.spec.replace(datastore_ready=ready)))
