# SPDX-License-Identifier: Apache-2.0
"""A real etcd for tests: one process on free loopback ports, in a folder of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.errors import StoreUnavailable

EXECUTABLE = shutil.which("etcd")


class EtcdServer:
    """Started when made, stopped by ``stop``; ``endpoint`` is its URL."""

    def __init__(self, folder: Path, *options: str, scheme: str = "http") -> None:
        self.folder = folder
        self.options = options
        client, peer = _free_ports(2)
        self.endpoint = f"{scheme}://127.0.0.1:{client}"
        self._peer = f"http://127.0.0.1:{peer}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Run the server on what the folder holds."""
        assert EXECUTABLE is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    EXECUTABLE,
                    "--name=test",
                    f"--data-dir={self.folder / 'data'}",
                    f"--listen-client-urls={self.endpoint}",
                    f"--advertise-client-urls={self.endpoint}",
                    f"--listen-peer-urls={self._peer}",
                    f"--initial-advertise-peer-urls={self._peer}",
                    f"--initial-cluster=test={self._peer}",
                    "--unsafe-no-fsync",
                    *self.options,
                ],
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self, settings: EtcdSettings | None = None) -> None:
        """Return when the server answers."""
        deadline = time.monotonic() + 60
        while True:
            with EtcdKeyValue(settings or EtcdSettings((self.endpoint,))) as store:
                try:
                    _ = store.revision
                except StoreUnavailable:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
                else:
                    return

    def stop(self) -> None:
        """End the process; its data stay in the folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
