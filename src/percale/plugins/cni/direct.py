# SPDX-License-Identifier: Apache-2.0
"""DEL without an agent: the executable turns into this, so that a container can always be removed."""

from __future__ import annotations

import os
import sys

from percale.client import connect
from percale.ipam import Ipam
from percale.plugins.cni.service import CniService
from percale.plugins.protocol import Request

__all__ = ["main"]


def main() -> int:
    """Work on the call in the environment and on stdin with the datastore itself, and return the exit status."""
    fields = {name: value for name, value in os.environ.items() if name.startswith("CNI_")}
    namespace = _open_namespace(fields.get("CNI_NETNS", ""))
    with connect() as client:
        service = CniService(client.datastore, Ipam.of(client.datastore))
        response = service.handle(Request("cni", fields, sys.stdin.buffer.read(), namespace))
    sys.stdout.buffer.write(response.payload)
    sys.stdout.flush()
    return response.status


def _open_namespace(path: str) -> tuple[int, ...]:
    try:
        return (os.open(path, os.O_RDONLY | os.O_CLOEXEC),) if path else ()
    except OSError:
        return ()
