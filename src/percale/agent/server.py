# SPDX-License-Identifier: Apache-2.0
"""The agent's local socket: one thread accepts, one thread answers each request."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from percale.agent.logs import Log
from percale.agent.status import StatusBoard
from percale.plugins.protocol import Request, Response, listen, serve_connection

__all__ = ["Answer", "Server", "status_answer"]

Answer: TypeAlias = Callable[[Request], Response]
_UNKNOWN_KIND = 64  # EX_USAGE of sysexits.h
_PAUSE_S = 0.1


class Server:
    """Serves requests by their kind until closed; a context manager.

    Raises Refused if another agent answers at ``path``, or the folder is not safe.
    """

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        self._path, self._answers = path, answers
        self._listener = listen(path)
        self._log = Log("server")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="percale-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Accept nothing more and take the socket away; requests in hand are still answered."""
        self._closing.set()
        # Closing alone would leave the accepting thread asleep in the kernel.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if self._closing.is_set():
                    return
                # Too many open files, a caller that gave up: both pass, and the plugins need their agent.
                self._log.error("accept-failed", error=error, again_s=_PAUSE_S)
                time.sleep(_PAUSE_S)
                continue
            threading.Thread(target=serve_connection, args=(connection, self._answer), daemon=True).start()

    def _answer(self, request: Request) -> Response:
        answer = self._answers.get(request.kind)
        if answer is None:
            known = ", ".join(sorted(self._answers))
            return Response(f"this agent does not know {request.kind!r}, only: {known}\n".encode(), _UNKNOWN_KIND)
        return answer(request)


def status_answer(board: StatusBoard) -> Answer:
    """The answer to ``status``: the newest status as JSON."""
    return lambda request: Response(json.dumps(board.status.to_builtins()).encode())
