# SPDX-License-Identifier: Apache-2.0
"""DEL without an agent: the executable turns into this, so that a container can always be removed."""

from __future__ import annotations

import os
import sys

import msgspec

from percale.client import connect
from percale.errors import PercaleError
from percale.ipam import Ipam
from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.install import NODE_VARIABLE
from percale.plugins.cni.network import VERSIONS
from percale.plugins.cni.service import CniService
from percale.plugins.protocol import Request, Response

__all__ = ["main"]


def main() -> int:
    """Work on the call in the environment and on stdin with the datastore itself, and return the exit status."""
    response = _answer({name: value for name, value in os.environ.items() if name.startswith("CNI_")})
    sys.stdout.buffer.write(response.payload)
    sys.stdout.flush()
    return response.status


def _answer(fields: dict[str, str]) -> Response:
    try:
        with connect(writer="CNI plugin") as client:
            service = CniService(client.datastore, Ipam.of(client.datastore), node=os.environ.get(NODE_VARIABLE, ""))
            namespace = _open_namespace(fields.get("CNI_NETNS", ""))
            return service.handle(Request("cni", fields, sys.stdin.buffer.read(), namespace))
    except PercaleError as error:
        refusal = CniError(Code.TRY_AGAIN, "neither an agent nor the datastore can be reached", str(error))
        return Response(msgspec.json.encode(refusal.to_builtins(VERSIONS[-1])) + b"\n", 1)


def _open_namespace(path: str) -> tuple[int, ...]:
    try:
        return (os.open(path, os.O_RDONLY | os.O_CLOEXEC),) if path else ()
    except OSError:
        return ()
