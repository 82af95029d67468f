# SPDX-License-Identifier: Apache-2.0
"""``node checksystem``: whether this host's kernel has what the agent needs (spec/cli.md section 11)."""

from __future__ import annotations

import gzip
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from percale.cli.command import Call, Command, CommandFailed, Flag
from percale.cli.node_run import needs_root
from percale.errors import PercaleError

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Find out whether this host's kernel has what the agent needs: its version, its configuration where that can be\n"
    "read, and whether nftables answers. The exit status is 1 if anything is missing.",
    usage="[flags]",
    flags=(Flag("kernel-config", "f", value="PATH", text="the kernel's configuration (default: that of this kernel)"),),
    example="node checksystem",
)

_OLDEST = (5, 15)
_OPTIONS: Mapping[str, str] = {
    "NF_TABLES": "rules of policy",
    "NF_TABLES_INET": "one table for IPv4 and IPv6",
    "NF_TABLES_ARP": "the guard of neighbors' tables",
    "NF_CONNTRACK": "established connections",
    "NF_CT_NETLINK": "ending connections that policy forbids from now on",
    "NFT_CT": "established connections in rules",
    "NFT_LOG": "the action Log",
    "NFT_NAT": "addresses of pools that leave the cluster",
    "NFT_MASQ": "addresses of pools that leave the cluster",
    "NFT_FIB_INET": "checks of forged sources",
    "NET_NS": "containers",
    "VETH": "interfaces of containers",
}
"""What of the kernel's configuration is needed (built in or as a module), and for what."""


def run(call: Call) -> int:
    """Print one line for each thing that is needed; 1 if any is missing."""
    needs_root()
    missing = 0
    for name, fault in _checks(call.arguments.text("kernel-config")):
        print(f"{name:<40} {fault or 'OK'}")
        missing += bool(fault)
    if missing:
        raise CommandFailed(f"this host lacks {missing} of the things that percale's agent needs")
    print("This host has what percale's agent needs.")
    return 0


def _checks(config_path: str) -> Iterator[tuple[str, str]]:
    """Yield each thing that is needed, and what is wrong with it, if anything."""
    release = platform.release()
    yield f"Linux {release}", "" if _version(release) >= _OLDEST else f"too old: {_OLDEST[0]}.{_OLDEST[1]} is needed"
    yield "nftables", _nftables()
    config = _configuration(config_path, release)
    if config is None:
        yield "kernel configuration", ""
        print("  (cannot be read on this host, so what follows from it was not checked: name it with -f)")
        return
    for option, purpose in _OPTIONS.items():
        wanted = re.search(rf"^CONFIG_{option}=[ym]$", config, re.MULTILINE)
        yield f"CONFIG_{option}", "" if wanted else f"missing: needed for {purpose}"


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", release)[:2])


def _nftables() -> str:
    """Whether the kernel answers a question about its rules; what it says if it does not."""
    from percale.netlink.nftables.connection import NftSocket

    try:
        with NftSocket() as kernel:
            kernel.generation()
    except PercaleError as error:
        return f"does not answer: {error}"
    return ""


def _configuration(path: str, release: str) -> str | None:
    """The text of the named configuration, or of this kernel's where distributions put it; None if there is none."""
    usual = (f"/boot/config-{release}", f"/usr/lib/modules/{release}/config", "/proc/config.gz")
    for candidate in [path] if path else usual:
        try:
            content = Path(candidate).read_bytes()
        except OSError as error:
            if path:
                raise CommandFailed(f"open {path}: {(error.strerror or '').lower()}") from error
            continue
        return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode(errors="replace")
    return None
