# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes API that knows a few objects by their path."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import set_link


class FakeApi(ThreadingHTTPServer):
    """Serves on the loopback of the calling thread's network namespace; ``context`` makes it speak TLS."""

    def __init__(self, objects, context=None):
        with RouteSocket() as routes:
            routes.perform(set_link(1, up=True))
        super().__init__(("127.0.0.1", 0), _Request)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.objects = objects
        self.tokens = []
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def handle_error(self, *_):
        """Say nothing: some tests make clients break off."""

    def close(self):
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.tokens.append(self.headers.get("Authorization"))
        found = self.server.objects.get(self.path)
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write(found if isinstance(found, bytes) else json.dumps(found or {"kind": "Status"}).encode())

    def log_message(self, *_):
        pass
