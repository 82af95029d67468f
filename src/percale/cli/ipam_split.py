# SPDX-License-Identifier: Apache-2.0
"""``ipam split``: cut a pool into smaller ones (spec/cli.md section 10)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.session import Session
from percale.ipam.pools import Pool
from percale.resources import IPPool, ObjectMeta

if TYPE_CHECKING:
    from percale.client import Client

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Cut a pool into smaller ones, which keep its blocks and addresses. The datastore must be locked meanwhile, so\n"
    "that nobody assigns addresses ('datastore migrate lock').",
    usage="NUMBER --name POOL | --cidr CIDR [flags]",
    flags=(
        Flag("name", value="POOL", text="the pool by its name"),
        Flag("cidr", value="CIDR", text="the pool by its network"),
        CONFIG,
    ),
    least=1,
    most=1,
    example="ipam split 4 --name=pool-1",
)


def run(call: Call) -> int:
    """Split the pool and say what it became."""
    number = _number(call.arguments.positionals[0])
    with Session(call.arguments) as session:
        session.check_version()
        if session.cluster_information().spec.datastore_ready is not False:
            raise CommandFailed("the datastore is not locked: run 'datastore migrate lock' first")
        pool = _pool(session.client, call.arguments)
        parts = _parts(pool, number)
        _replace(session.client, pool, parts)
    # calicoctl ends the first line too early and the last one not at all.
    sys.stdout.write(f"IP Pool {pool.name} was successfully split into {number} smaller pools.")
    sys.stdout.writelines(f"Created {part.name} with CIDR {part.spec.cidr}.\n" for part in parts)
    sys.stdout.write("Please refer to the documentation for final steps.")
    return 0


def _number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise CommandFailed(
            f"error reading number to split IP pools into. {text} is not a valid number:"
            f' strconv.Atoi: parsing "{text}": invalid syntax'
        ) from None
    if number < 2 or number & (number - 1):
        raise CommandFailed(f"a pool can be split into 2, 4, 8 and so on, not into {number}")
    return number


def _pool(client: Client, arguments: Arguments) -> IPPool:
    name, cidr = arguments.text("name"), arguments.text("cidr")
    for pool in client.list(IPPool).items:
        if isinstance(pool, IPPool) and (pool.name == name if name else pool.spec.cidr == cidr):
            return pool
    raise CommandFailed(f"unable to find IP pool {name} covering the specified CIDR {cidr}")


def _parts(pool: IPPool, number: int) -> list[IPPool]:
    facts = Pool.of(pool)
    network, length = facts.network, facts.network.prefixlen + number.bit_length() - 1
    if length > facts.block_size:
        raise CommandFailed(
            f"pool {pool.name} ({network}) cannot be split into {number}: its blocks are /{facts.block_size}"
        )
    return [
        pool.replace(
            metadata=ObjectMeta(name=f"split-{pool.name}-{index}", labels=pool.labels),
            spec=pool.spec.replace(cidr=str(part)),
        )
        for index, part in enumerate(network.subnets(new_prefix=length))
    ]


def _replace(client: Client, pool: IPPool, parts: list[IPPool]) -> None:
    """Disable the pool, create its parts, which overlap it, and delete it; its blocks stay as they are."""
    disabled = client.datastore.update(pool.replace(spec=pool.spec.replace(disabled=True)))
    for part in parts:
        client.datastore.create(part)
    client.datastore.delete(disabled.key)
