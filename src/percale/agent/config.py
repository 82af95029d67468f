# SPDX-License-Identifier: Apache-2.0
"""All that an agent is told at its start; it never changes while the agent runs."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from pathlib import Path

from percale.client.datastore_config import DatastoreConfig
from percale.dataplane.config import DataplaneConfig

__all__ = ["NODE_NAME_FILE", "AgentConfig", "default_node_name"]

NODE_NAME_FILE = Path("/var/lib/calico/nodename")
"""Where Calico keeps the node's name for its plugins (spec/cni.md section 2)."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """An agent's settings.

    ``node`` is the name under which endpoints of this host are stored. ``socket`` is where plugins and commands find
    the agent. ``resync_s`` is how often the kernel's state is read again in full.
    """

    node: str
    socket: Path
    datastore: DatastoreConfig = field(default_factory=DatastoreConfig)
    dataplane: DataplaneConfig = field(default_factory=DataplaneConfig)
    resync_s: float = 90.0
    log_level: str = "info"


def default_node_name() -> str:
    """The name in Calico's nodename file, else the host's own, in lower case (spec/cni.md section 3)."""
    try:
        name = NODE_NAME_FILE.read_text(encoding="utf-8").strip()
    except OSError:
        name = ""
    return name or platform.node().strip().lower()
