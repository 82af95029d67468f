# SPDX-License-Identifier: Apache-2.0
"""``ipam configure``: the configuration of address management (spec/cli.md section 10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag
from percale.cli.session import Session
from percale.ipam import Ipam, IpamConfig

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Change the configuration of address management, for all hosts.",
    usage="[flags]",
    flags=(
        Flag("strictaffinity", value="BOOL", text="whether hosts may use only their own blocks"),
        Flag("max-blocks-per-host", value="N", text="how many blocks a host may have, 0 for any number"),
        Flag("kubevirt-ip-persistence", value="Enabled|Disabled", text="whether virtual machines keep addresses"),
        Flag("ip-cooldown-seconds", value="N", number=True, text="how long a released address stays unused"),
        CONFIG,
    ),
    example="ipam configure --strictaffinity=true",
)

_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)


def _strict_affinity(text: str) -> bool:
    if text not in _BOOLEANS:
        raise CommandFailed("invalid value. Use true or false to set strictaffinity")
    return _BOOLEANS[text]


def _max_blocks(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise CommandFailed("invalid value for maxblockhost. Use a valid number") from None


def _persistence(text: str) -> str:
    if text not in ("Enabled", "Disabled"):
        raise CommandFailed("invalid value for --kubevirt-ip-persistence. Use Enabled or Disabled")
    return text


_OPTIONS: tuple[tuple[str, str, str, Callable[[str], Any]], ...] = (
    ("strictaffinity", "strict_affinity", "StrictAffinity", _strict_affinity),
    ("max-blocks-per-host", "max_blocks_per_host", "MaxBlocksPerHost", _max_blocks),
    ("kubevirt-ip-persistence", "vm_address_persistence", "KubeVirtVMAddressPersistence", _persistence),
    ("ip-cooldown-seconds", "cooldown_s", "IPCooldownSeconds", int),
)
"""Flags, the fields that they set, what these are called, and how their texts are read; in the order of messages."""


def run(call: Call) -> int:
    """Store the configuration and say what was set."""
    changes = _changes(call.arguments)
    with Session(call.arguments) as session:
        session.check_version()
        ipam = Ipam.of(session.client.datastore)
        config = replace(ipam.config(), **changes)
        _check(config)
        ipam.set_config(config)
    for _, field, name, _ in _OPTIONS:
        if field in changes:
            value = changes[field]
            print(f"Successfully set {name} to: {str(value).lower() if isinstance(value, bool) else value}")
    return 0


def _changes(arguments: Arguments) -> dict[str, Any]:
    changes = {field: read(arguments.text(flag)) for flag, field, _, read in _OPTIONS if arguments.given(flag)}
    if not changes:
        raise CommandFailed("at least one configuration option must be specified")
    return changes


def _check(config: IpamConfig) -> None:
    if config.max_blocks_per_host > 0 and not config.strict_affinity:
        raise CommandFailed("error: MaxBlocksPerHost requires StrictAffinity to be enabled")
