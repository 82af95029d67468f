# SPDX-License-Identifier: Apache-2.0
"""``cni install``: put the CNI plugin's executables into a folder."""

from __future__ import annotations

from percale.cli.command import CONFIG, Call, Command, Flag

__all__ = ["COMMAND", "run"]

COMMAND = Command(
    "Write the CNI plugin's executables into the folder where a container runtime looks for plugins.",
    usage="FOLDER [flags]",
    flags=(
        Flag("socket", value="PATH", text="where the agent listens, if not at the usual place"),
        Flag("node", value="NAME", text="name of this host's node, if not that of the usual place"),
        CONFIG,
    ),
    least=1,
    most=1,
    example="cni install /opt/cni/bin",
)


def run(call: Call) -> int:
    """Write the executables and print their paths."""
    from pathlib import Path

    from percale.cli.config import datastore_config
    from percale.plugins.cni.install import install

    arguments = call.arguments
    socket = arguments.text("socket")
    for path in install(
        Path(arguments.positionals[0]),
        socket=Path(socket) if socket else None,
        node=arguments.text("node"),
        datastore=datastore_config(arguments),
    ):
        print(path)
    return 0
