# SPDX-License-Identifier: Apache-2.0
"""``ipam show``: how much is in use, who has an address, what is borrowed (spec/cli.md section 10)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.session import Session
from percale.cli.table import bordered
from percale.ipam import Address, Attribute, Block, BlockUsage, Ipam, IpamError, PoolUsage, parse_address

__all__ = ["COMMAND", "address_argument", "run"]

COMMAND = Command(
    "Show how many addresses of each pool are in use, who has one address, or which addresses hosts have borrowed.",
    usage="[flags]",
    flags=(
        Flag("ip", value="ADDRESS", text="who has this address"),
        Flag("show-blocks", text="the blocks of each pool too"),
        Flag("show-borrowed", text="addresses that a host has from another host's block"),
        Flag("show-configuration", text="the configuration of address management"),
        CONFIG,
    ),
    example="ipam show --show-blocks",
)

_NUMBERS = (2, 3, 4, 5)
_HEADINGS = ("GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS RESERVED", "IPS FREE")
_BORROWED_HEADINGS = ("IP", "BORROWING-NODE", "BLOCK", "BLOCK OWNER", "TYPE", "ALLOCATED-TO")


def run(call: Call) -> int:
    """Print the first of what the flags ask for."""
    arguments = call.arguments
    with Session(arguments, reading=True) as session:
        session.check_version()
        ipam = Ipam.of(session.client.datastore)
        sys.stdout.writelines(_shown(ipam, arguments))
    return 0


def address_argument(arguments: Arguments) -> Address:
    """Return the address behind ``--ip``; raises CommandFailed, told where calicoctl tells it."""
    text = arguments.text("ip")
    try:
        return parse_address(text)
    except ValueError:
        raise CommandFailed(f"Error executing command: invalid IP address specified: {text}", on_stdout=True) from None


def _shown(ipam: Ipam, arguments: Arguments) -> Iterator[str]:
    if arguments.given("ip"):
        return _owner(ipam, address_argument(arguments))
    if arguments.switch("show-blocks"):
        return _usage(ipam.utilization(), with_blocks=True)
    if arguments.switch("show-borrowed"):
        return _borrowed(ipam.blocks())
    if arguments.switch("show-configuration"):
        return _configuration(ipam)
    return _usage(ipam.utilization(), with_blocks=False)


def _usage(pools: Sequence[PoolUsage], *, with_blocks: bool) -> Iterator[str]:
    rows: list[Sequence[str]] = []
    for pool in pools:
        if pool.network is not None:
            rows.append(("IP Pool", str(pool.network), *_numbers(pool)))
        if with_blocks:
            rows += (("Block", str(block.network), *_numbers(block)) for block in pool.blocks)
    return bordered(_HEADINGS, rows, right=_NUMBERS)


def _numbers(usage: PoolUsage | BlockUsage) -> tuple[str, ...]:
    parts = (usage.in_use, usage.reserved, usage.available)
    return f"{usage.capacity:.5g}", *(f"{part:.5g} ({100 * part / usage.capacity:.0f}%)" for part in parts)


def _owner(ipam: Ipam, address: Address) -> Iterator[str]:
    try:
        attribute = ipam.attributes_of(address)
    except IpamError:
        yield f"{address} is not assigned\n"
        return
    yield f"IP {address} is in use\n"
    yield f"Handle ID: {attribute.canonical_handle or '<none>'}\n"
    if attribute.secondary:
        yield from _notes("Active", attribute.secondary)
    else:
        yield "No Active Owner attributes defined\n"
    if attribute.alternate:
        yield from _notes("Alternate", attribute.alternate)


def _notes(which: str, notes: Mapping[str, str]) -> Iterator[str]:
    yield f"{which} Owner Attributes:\n"
    for key, value in sorted(notes.items()):
        yield f"  {key}: {value}\n"


def _borrowed(blocks: Sequence[Block]) -> Iterator[str]:
    rows: list[Sequence[str]] = []
    homeless = 0
    for block in blocks:
        for ordinal, index in enumerate(block.allocations):
            attribute = None if index is None else block.attributes[index]
            if attribute is None or attribute.released_at is not None:
                continue
            node = (attribute.secondary or {}).get("node")
            if node is None:
                homeless += 1
            elif node != block.host:
                rows.append((str(block.address(ordinal)), node, block.cidr, block.host or "", *_holder(attribute)))
    yield from bordered(_BORROWED_HEADINGS, rows)
    if homeless:
        yield (
            f"\nNote: found {homeless} IP allocations without an explicit node association."
            " Unable to determine if they are borrowed.\n"
        )


def _holder(attribute: Attribute) -> tuple[str, str]:
    """What has the address, and its name."""
    notes = attribute.secondary or {}
    for kind, key in (("vmi", "vmi-name"), ("pod", "pod")):
        if key in notes:
            return kind, f"{notes.get('namespace', '')}/{notes[key]}"
    return notes.get("type", ""), ""


def _configuration(ipam: Ipam) -> Iterator[str]:
    config = ipam.config()
    rows = (
        ("StrictAffinity", str(config.strict_affinity).lower()),
        ("AutoAllocateBlocks", str(config.auto_allocate_blocks).lower()),
        ("MaxBlocksPerHost", str(config.max_blocks_per_host)),
        ("KubeVirtVMAddressPersistence", config.vm_address_persistence),
        ("IPCooldownSeconds", str(config.cooldown_s)),
    )
    return bordered(("PROPERTY", "VALUE"), rows)
