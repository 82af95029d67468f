# SPDX-License-Identifier: Apache-2.0
"""One agent per host: a name in the host's network namespace that only one process can hold."""

from __future__ import annotations

import errno
import socket
import struct
from types import TracebackType

from percale.errors import Refused

__all__ = ["HostLock"]

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


class HostLock:
    """Holds the host's network namespace for one agent and one table until closed.

    The name is an abstract Unix address: those belong to a network namespace, as the table does, and the kernel gives
    them back when the holder dies, however it dies (unix(7)). Raises Refused, naming the holder, if it is taken.
    """

    def __init__(self, table: str) -> None:
        self._address = f"\0percale/agent/{table}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(self._address)
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise Refused(
                f"an agent runs on this host already (process {_holder(self._address)}, table {table!r}): "
                "stop it first, two would fight over the same rules"
            ) from error
        self._socket.listen(8)

    def __enter__(self) -> HostLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the host go."""
        self._socket.close()


def _holder(address: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        # Nobody accepts: once the queue of callers is full, connecting would wait for ever.
        caller.setblocking(False)
        try:
            caller.connect(address)
            pid, _, _ = _CREDENTIALS.unpack(caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        except OSError:
            return "unknown"
        return str(pid)
