# SPDX-License-Identifier: Apache-2.0
"""``agent``: enforce policy on this host until stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from percale.cli.command import CONFIG, Arguments, Call, Command, CommandFailed, Flag

if TYPE_CHECKING:
    from percale.agent.config import AgentConfig

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Keep this host's nftables, routes and interfaces as the datastore says, and serve the CNI plugin, until stopped.",
    usage="[flags]",
    flags=(
        Flag(
            "node", value="NAME", text="name of this host's node (default: Calico's nodename file, or the host's name)"
        ),
        Flag("runtime-dir", value="PATH", text="folder of the agent's socket and lock (default: /run/percale)"),
        Flag("plan", text="print what would be changed in the kernel, change nothing, and stop"),
        Flag(
            "endpoint-to-host-action",
            value="ACTION",
            text="what becomes of a workload's traffic to its host: Drop (default), Accept or Return",
        ),
        Flag("interface-prefix", value="PREFIX", text="how workloads' interfaces begin (default: cali)", repeated=True),
        Flag("no-ipv6", text="program IPv4 only"),
        Flag("resync-seconds", value="N", number=True, text="how often the kernel is read again in full (default: 90)"),
        CONFIG,
    ),
    most=0,
    stays=True,
    example="agent --log-level info",
)

_LEVELS = {"panic": "error", "fatal": "error", "warn": "warning", "trace": "debug"}
_ACTIONS = ("Drop", "Accept", "Return")


def run(call: Call) -> int:
    """Run the agent until it is stopped, or print its plan."""
    from percale.agent import daemon

    config = _config(call.arguments)
    if call.arguments.switch("plan"):
        print(daemon.plan(config) or "nothing to change")
        return 0
    return daemon.run(config)


def _config(arguments: Arguments) -> AgentConfig:
    from pathlib import Path

    from percale.agent.config import AgentConfig, default_node_name
    from percale.cli.config import datastore_config
    from percale.dataplane.config import DataplaneConfig, HostAction
    from percale.plugins.protocol import socket_path

    action = arguments.text("endpoint-to-host-action", "Drop")
    if action not in _ACTIONS:
        raise CommandFailed(f"--endpoint-to-host-action: {action!r} is not one of {', '.join(_ACTIONS)}")
    prefixes = tuple(arguments.texts("interface-prefix")) or ("cali",)
    if not all(prefixes):
        raise CommandFailed("--interface-prefix: an empty prefix would take every interface for a workload's")
    resync_s = arguments.number("resync-seconds", 90)
    if resync_s < 1:
        raise CommandFailed(f"--resync-seconds: {resync_s} is less than 1")
    folder, level = arguments.text("runtime-dir"), arguments.text("log-level", "info").lower()
    return AgentConfig(
        node=arguments.text("node") or default_node_name(),
        socket=Path(folder) / "agent.sock" if folder else socket_path(),
        datastore=datastore_config(arguments),
        dataplane=DataplaneConfig(
            interface_prefixes=prefixes,
            endpoint_to_host_action=HostAction(action),
            ipv6=not arguments.switch("no-ipv6"),
        ),
        resync_s=float(resync_s),
        log_level=_LEVELS.get(level, level),
    )
