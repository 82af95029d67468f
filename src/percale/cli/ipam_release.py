# SPDX-License-Identifier: Apache-2.0
"""``ipam release``: give an address back by hand (spec/cli.md section 10)."""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command, CommandFailed, Flag
from percale.cli.ipam_show import address_argument
from percale.cli.session import Session
from percale.ipam import Ipam, Release

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Give an address back that nobody uses any more. Whoever still uses it will share it with its next owner.",
    usage="--ip ADDRESS [flags]",
    flags=(Flag("ip", value="ADDRESS", text="the address"), CONFIG),
    example="ipam release --ip=192.0.2.7",
)


def run(call: Call) -> int:
    """Release the address; 1 if nobody had it."""
    if not call.arguments.given("ip"):
        return 0
    address = address_argument(call.arguments)
    with Session(call.arguments) as session:
        session.check_version()
        outcome = Ipam.of(session.client.datastore).release([Release(address)])
    if outcome.error is not None:
        raise CommandFailed(str(outcome.error))
    if outcome.unallocated:
        raise CommandFailed(f"IP address {address} is not assigned")
    print(f"Successfully released IP address {address}")
    return 0
