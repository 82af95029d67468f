# SPDX-License-Identifier: Apache-2.0
"""``node diags``: what helps to find a fault of this host, as one file (spec/cli.md section 11)."""

from __future__ import annotations

import platform
from pathlib import Path

from percale.cli.bundle import Bundle
from percale.cli.command import Call, Command, Flag
from percale.cli.node_run import needs_root

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Collect what helps to find a fault of this host: what the agent says of itself, what it would change now, the\n"
    "kernel's rules, interfaces, routes, neighbors and settings, and logs. The bundle is written into this folder.",
    usage="[flags]",
    flags=(Flag("log-dir", value="PATH", text="folder of log files (default: /var/log/calico)"),),
    example="node diags",
)

_LOGS = "/var/log/calico"
_OWN = {
    "percale/version.txt": ("version",),
    "percale/status.json": ("status", "-o", "json"),
    "percale/plan.txt": ("agent", "--plan"),
    "percale/endpoints.txt": ("get", "workloadendpoints", "--all-namespaces", "-o", "wide"),
    "percale/datastore.txt": ("datastore", "check"),
}
_OUTPUTS = {
    "host/kernel.txt": ("uname", "-a"),
    "host/settings.txt": ("sysctl", "net.ipv4.ip_forward", "net.ipv4.conf", "net.ipv6.conf"),
    "host/journal.txt": ("journalctl", "--no-pager", "--lines=2000", "--unit=percale-agent"),
    "network/rules.txt": ("nft", "list", "ruleset"),
    "network/links.txt": ("ip", "-details", "-statistics", "link"),
    "network/addresses.txt": ("ip", "address"),
    "network/routes.txt": ("ip", "route", "show", "table", "all"),
    "network/routes6.txt": ("ip", "-6", "route", "show", "table", "all"),
    "network/neighbors.txt": ("ip", "neighbor"),
}


def run(call: Call) -> int:
    """Write the bundle and say where it is."""
    needs_root()
    print("Collecting diagnostics of this host ...")
    bundle = Bundle(f"percale-diags-{platform.node() or 'host'}", call.arguments)
    for name, words in _OWN.items():
        bundle.add_own(name, *words)
    for name, command in _OUTPUTS.items():
        bundle.add_output(name, *command)
    bundle.add_files("logs", Path(call.arguments.text("log-dir", _LOGS)), "*.log")
    print(f"Diagnostics saved to {bundle.save(Path.cwd())}")
    return 0
