# SPDX-License-Identifier: Apache-2.0
"""``cni fallback``: do a CNI command in this process, as the plugin does for DEL when no agent runs."""

from __future__ import annotations

from percale.cli.command import Call, Command

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Do the CNI command that the environment (CNI_COMMAND and so on) and standard input describe, without an agent.",
    most=0,
    example="cni fallback < /etc/cni/net.d/10-percale.conf",
)


def run(call: Call) -> int:
    """Do the command and return the plugin's exit status."""
    from percale.plugins.cni.direct import main

    return main()
