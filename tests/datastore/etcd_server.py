# SPDX-License-Identifier: Apache-2.0
"""A real etcd for tests, alone or as a cluster of three over TLS: processes on free loopback ports, in own folders."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from msgspec.structs import replace

from percale.datastore.etcd import EtcdKeyValue, EtcdSettings
from percale.datastore.etcd.connection import EtcdConnection
from percale.datastore.etcd.messages import message
from percale.errors import StoreUnavailable

EXECUTABLE = shutil.which("etcd")
_FAST = ("--heartbeat-interval=50", "--election-timeout=500")


class EtcdServer:
    """Started when made, unless it is a member of a cluster; stopped by ``stop``; ``endpoint`` is its URL."""

    def __init__(
        self, folder: Path, *options: str, scheme: str = "http", name: str = "test", member: bool = False
    ) -> None:
        self.folder = folder
        self.options = options
        self.name = name
        client, peer = free_ports(2)
        self.endpoint = f"{scheme}://127.0.0.1:{client}"
        self.peer = f"{scheme if member else 'http'}://127.0.0.1:{peer}"
        self.paused = False
        self._process: subprocess.Popen[bytes] | None = None
        if not member:
            self.start()

    @classmethod
    @contextmanager
    def serving(cls, folder: Path, *options: str) -> Iterator[Self]:
        """Give a server that answers, until the block ends; skips the test where etcd is not installed."""
        if EXECUTABLE is None:
            pytest.skip("etcd is not installed")
        server = cls(folder, *options)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.stop()

    @property
    def running(self) -> bool:
        """Whether there is a process, be it paused."""
        return self._process is not None

    def start(self, members: str = "") -> None:
        """Run the server on what the folder holds, alone or with the members of a cluster."""
        assert EXECUTABLE is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    EXECUTABLE,
                    f"--name={self.name}",
                    f"--data-dir={self.folder / 'data'}",
                    f"--listen-client-urls={self.endpoint}",
                    f"--advertise-client-urls={self.endpoint}",
                    f"--listen-peer-urls={self.peer}",
                    f"--initial-advertise-peer-urls={self.peer}",
                    f"--initial-cluster={members or f'{self.name}={self.peer}'}",
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

    def pause(self) -> None:
        """Let the process stand still."""
        assert self._process is not None
        self.paused = True
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a paused process run again; it does no harm to a running one."""
        self.paused = False
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill the process; its data stay in the folder."""
        self.paused = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class EtcdCluster:
    """Three members that trust only certificates of their own authority, from clients and from each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_certificates(folder)
        self.members: list[EtcdServer] = []
        for name in ("one", "two", "three"):
            (folder / name).mkdir()
            options = (f"{self._files('server')} {self._files('server', 'peer-')}").split()
            member = EtcdServer(folder / name, *options, *_FAST, scheme="https", name=name, member=True)
            self.members.append(member)
        self.heal()

    @property
    def settings(self) -> EtcdSettings:
        """How a client reaches the cluster."""
        return settings_of(self.place)

    @property
    def place(self) -> str:
        """The cluster in one word for another process: its endpoints and the folder of its certificates."""
        return f"{','.join(member.endpoint for member in self.members)}#{self.folder}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a command to the cluster."""
        return {
            "DATASTORE_TYPE": "etcdv3",
            "ETCD_ENDPOINTS": ",".join(member.endpoint for member in self.members),
            "ETCD_KEY_FILE": str(self.folder / "client.key"),
            "ETCD_CERT_FILE": str(self.folder / "client.pem"),
            "ETCD_CA_CERT_FILE": str(self.folder / "ca.pem"),
        }

    def start(self, member: EtcdServer) -> None:
        """Run a member that was stopped."""
        member.start(",".join(f"{each.name}={each.peer}" for each in self.members))

    def heal(self) -> None:
        """Run all members and return when each of them serves."""
        if all(member.running and not member.paused for member in self.members):
            return
        for member in self.members:
            member.go_on()
            if not member.running:
                self.start(member)
        for member in self.members:
            self.wait_for(member)

    def wait_for(self, member: EtcdServer) -> None:
        """Return when a member serves, which it does when it has a leader; raises TimeoutError."""
        trust = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        trust.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{member.endpoint}/health", timeout=5, context=trust) as answer:
                    if b'"true"' in answer.read():
                        return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError(f"member {member.name} does not serve: {member.folder / 'log'}")

    def leader(self) -> EtcdServer:
        """Return the member that leads, when all that run agree on it; raises TimeoutError if they do not for long."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            able = [member for member in self.members if member.running and not member.paused]
            told = [self._status(member) for member in able]
            leaders = {status.leader if status else 0 for status in told}
            for member, status in zip(able, told, strict=True):
                if status and leaders == {status.header.member_id}:
                    return member
            time.sleep(0.05)
        raise TimeoutError("the cluster has no leader")

    def followers(self) -> list[EtcdServer]:
        """Return the members that do not lead."""
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    def stop(self) -> None:
        """Kill all members."""
        for member in self.members:
            member.stop()

    def _status(self, member: EtcdServer) -> Any:
        connection = EtcdConnection(replace(self.settings, endpoints=(member.endpoint,), timeout_s=1.0))
        try:
            return connection.call("Status", message("StatusRequest")())
        except StoreUnavailable:
            return None
        finally:
            connection.close()

    def _files(self, name: str, kind: str = "") -> str:
        pair = f"--{kind}cert-file={self.folder}/{name}.pem --{kind}key-file={self.folder}/{name}.key"
        return f"{pair} --{kind}client-cert-auth --{kind}trusted-ca-file={self.folder}/ca.pem"


def settings_of(place: str) -> EtcdSettings:
    """Return the settings that a word stands for: endpoints, after # the folder of the certificates."""
    endpoints, _, folder = place.partition("#")
    if not folder:
        return EtcdSettings.of(endpoints)
    return EtcdSettings.of(
        endpoints,
        key_file=f"{folder}/client.key",
        certificate_file=f"{folder}/client.pem",
        ca_certificate_file=f"{folder}/ca.pem",
    )


def make_certificates(folder: Path) -> None:
    """Make an authority ``ca``, a ``server`` for 127.0.0.1 and a ``client``: each a .pem and a .key file."""
    new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -x509 -days 2"
    _openssl(folder, f"{new} -keyout ca.key -out ca.pem -subj /CN=authority")
    for name, alternative in (("server", "IP:127.0.0.1"), ("client", "DNS:client")):
        signed = "-CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE"
        _openssl(folder, f"{new} -keyout {name}.key -out {name}.pem -subj /CN={name} {signed}"
                 f" -addext subjectAltName={alternative}")  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True, cwd=folder)
