# SPDX-License-Identifier: Apache-2.0
"""The agent's end of the plugins' socket: an accept loop in a thread of the calling thread's network namespace."""

import socket
import threading

from percale.plugins import protocol


class Agent:
    """Serves each connection in a thread of its own and remembers the requests."""

    def __init__(self, path, answer):
        self.path = path
        self.requests = []
        self._answer = answer
        self._listener = protocol.listen(path)
        self._thread = threading.Thread(target=self._run)
        self._workers = []
        self._thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            worker = threading.Thread(target=protocol.serve_connection, args=(connection, self._handle))
            self._workers.append(worker)
            worker.start()

    def _handle(self, request):
        self.requests.append(request)
        return self._answer(request)

    def close(self):
        if not self._thread.is_alive():
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for worker in self._workers:
            worker.join()
