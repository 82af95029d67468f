# SPDX-License-Identifier: Apache-2.0
"""What the plugins' executables and the command line say to the agent of this host (docs/design.md section 3).

One connection carries one request and its answer, each in a frame::

    0         1                  5
    +---------+------------------+------------------------------------------+
    | version | length of body   | kind NUL name=value NUL … NUL payload    |
    +---------+------------------+------------------------------------------+
      1 byte    4 bytes, big end    head: UTF-8, ended by an empty field

A network namespace travels as a file descriptor beside the first byte (SCM_RIGHTS): a path means nothing in another
mount namespace. Every request carries the time that it may take. The stub (percale.plugins.cni.stub) packs the same
frames without importing anything of this.
"""

from __future__ import annotations

import array
import logging
import os
import socket
import stat
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from percale.errors import PercaleError, Refused

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "PROTOCOL_VERSION",
    "AgentUnavailable",
    "Peer",
    "ProtocolError",
    "Request",
    "Response",
    "call",
    "decode",
    "encode",
    "listen",
    "serve_connection",
    "socket_path",
]

log = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
DEFAULT_TIMEOUT_S = 90.0
"""How long a request may take that does not say it."""

MAX_BODY_BYTES = 4 << 20
"""Longer frames are refused unread; a network configuration has some kilobytes."""

MAX_DESCRIPTORS = 4
_ARRIVAL_S = 5.0  # a request that has begun must be complete after this
_DRAIN_S, _DRAIN_READS = 0.2, 64
_HEADER = struct.Struct("!BI")
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


class ProtocolError(PercaleError):
    """The other side's fault: what it sent is no frame of this protocol."""


class AgentUnavailable(PercaleError):
    """The agent's fault: it does not run, does not answer in time, or broke off; try again later."""


class Peer(NamedTuple):
    """The process at the other end, as the kernel vouches for it (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int

    @property
    def is_trusted(self) -> bool:
        """Whether it is root's or runs as the same user as we do."""
        return self.uid in (0, os.geteuid())


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants of the agent: a kind (``cni``, ``status``), named values, a payload, open files.

    ``deadline`` is in the time of ``time.monotonic()``. The descriptors are closed when the request is answered.
    """

    kind: str
    fields: Mapping[str, str] = field(default_factory=lambda: _NO_FIELDS)
    payload: bytes = b""
    descriptors: tuple[int, ...] = ()
    deadline: float = float("inf")
    peer: Peer | None = None

    @property
    def remaining_s(self) -> float:
        """How many seconds are left until the deadline, at least 0."""
        return max(self.deadline - time.monotonic(), 0.0)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer: what to print, and the exit status, 0 for success."""

    payload: bytes = b""
    status: int = 0
    fields: Mapping[str, str] = field(default_factory=lambda: _NO_FIELDS)


def socket_path() -> Path:
    """Return where the agent listens: ``PERCALE_SOCKET``, else the runtime folder of root or of this user."""
    if override := os.environ.get("PERCALE_SOCKET"):
        return Path(override)
    if os.geteuid() == 0:
        return Path("/run/percale/agent.sock")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "percale" if runtime else Path(f"/tmp/percale-{os.geteuid()}")
    return folder / "agent.sock"


# Frames


def encode(kind: str, fields: Mapping[str, str], payload: bytes = b"") -> bytes:
    """Return the frame of a message; raises ValueError for names and values that cannot be told apart again."""
    head = [kind, *(f"{name}={value}" for name, value in fields.items())]
    if not kind or any("\0" in item for item in head) or any("=" in name or not name for name in fields):
        raise ValueError("kinds, names and values of a message must not contain NUL, names no '='")
    body = b"".join(item.encode() + b"\0" for item in head) + b"\0" + payload
    return _HEADER.pack(PROTOCOL_VERSION, len(body)) + body


def decode(body: bytes) -> tuple[str, dict[str, str], bytes]:
    """Return kind, fields and payload of a frame's body; raises ProtocolError."""
    head, end, payload = body.partition(b"\0\0")
    if not end or not head:
        raise ProtocolError("the message has no head")
    try:
        kind, *items = head.decode().split("\0")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"the head of the message is not UTF-8: {error}") from error
    if not all("=" in item[1:] for item in items):
        raise ProtocolError("a field of the message has no name")
    return kind, dict(item.split("=", 1) for item in items), payload


def _receive(connection: socket.socket, deadline: float) -> tuple[bytes, tuple[int, ...]]:
    """Read one frame and return its body and the descriptors that came with it; raises ProtocolError, OSError."""
    descriptors: list[int] = []
    try:
        header = _read(connection, _HEADER.size, deadline, descriptors)
        version, length = _HEADER.unpack(header)
        if version != PROTOCOL_VERSION:
            raise ProtocolError(f"protocol version {version} is not supported, this is version {PROTOCOL_VERSION}")
        if length > MAX_BODY_BYTES:
            raise ProtocolError(f"a message of {length} bytes is too long, at most {MAX_BODY_BYTES} are allowed")
        return _read(connection, length, deadline, descriptors), tuple(descriptors)
    except BaseException:
        _close(descriptors)
        raise


def _read(connection: socket.socket, length: int, deadline: float, descriptors: list[int]) -> bytes:
    chunks = bytearray()
    while len(chunks) < length:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        space = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
        chunk, ancillary, flags, _ = connection.recvmsg(length - len(chunks), space, socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                received = array.array("i")
                received.frombytes(data[: len(data) - len(data) % received.itemsize])
                descriptors += received
        if flags & socket.MSG_CTRUNC:
            raise ProtocolError(f"more than {MAX_DESCRIPTORS} descriptors came with the message")
        if not chunk:
            raise ProtocolError(f"the message ends after {len(chunks)} of {length} bytes")
        chunks += chunk
    return bytes(chunks)


def _close(descriptors: list[int] | tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _peer(connection: socket.socket) -> Peer:
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(packed))


# The agent's side


def listen(path: Path) -> socket.socket:
    """Return a socket that listens at ``path``, for root and this user only; what a dead agent left is replaced.

    Raises Refused if the folder is not ours alone, or an agent answers there already.
    """
    path.parent.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    folder = path.parent.stat()
    if folder.st_uid not in (0, os.geteuid()) or (folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX):
        raise Refused(f"others can write to {path.parent}: an agent's socket would not be safe there")
    if _answers(path):
        raise Refused(f"an agent listens at {path} already: stop it first")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # nobody can connect before listen()
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(str(path))
        except OSError:
            return False
        return True


def serve_connection(connection: socket.socket, answer: Callable[[Request], Response]) -> None:
    """Read one request, let ``answer`` work on it, send what it returns, and close the connection and descriptors.

    A peer that is neither root nor this user, and a bad frame, get a refusal. Never raises for what the peer does;
    a fault of ``answer`` itself is logged and answered with status 70 (EX_SOFTWARE).
    """
    with connection:
        try:
            peer = _peer(connection)
            if not peer.is_trusted:
                raise _Refusal(77, f"only root and the agent's own user may ask, not user {peer.uid}")
            request = _request(connection, peer)
        except ProtocolError as error:
            log.warning("request refused: error=%s", error)
            _refuse(connection, error)
            return
        except OSError as error:
            log.warning("request not received: error=%s", error)
            return
        try:
            response = _answered(request, answer)
        finally:
            _close(request.descriptors)
        _send(connection, response)


class _Refusal(ProtocolError):
    """A refusal with a status of its own (sysexits.h)."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def _refuse(connection: socket.socket, error: ProtocolError) -> None:
    status = error.status if isinstance(error, _Refusal) else 76
    _send(connection, Response(f"{error}\n".encode(), status))
    # Closing with something unread would take the answer away from the other side.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_DRAIN_S)
        for _ in range(_DRAIN_READS):
            if not connection.recv(65536):
                break


def _request(connection: socket.socket, peer: Peer) -> Request:
    arrived = time.monotonic()
    body, descriptors = _receive(connection, arrived + _ARRIVAL_S)
    try:
        kind, fields, payload = decode(body)
        timeout_s = _timeout_s(fields.pop("timeout_ms", ""))
    except BaseException:
        _close(descriptors)
        raise
    return Request(kind, fields, payload, descriptors, arrived + timeout_s, peer)


def _timeout_s(text: str) -> float:
    if not text:
        return DEFAULT_TIMEOUT_S
    if not text.isdecimal():
        raise ProtocolError(f"{text!r} is not a number of milliseconds")
    return int(text) / 1000


def _answered(request: Request, answer: Callable[[Request], Response]) -> Response:
    try:
        return answer(request)
    except Exception as error:
        log.exception("request failed: kind=%s", request.kind)
        return Response(f"{type(error).__name__}: {error}\n".encode(), 70)


def _send(connection: socket.socket, response: Response) -> None:
    frame = encode("answer", {"status": str(response.status), **response.fields}, response.payload)
    connection.settimeout(_ARRIVAL_S)
    # Who asked may have gone; what was done is done, and the orchestrator will ask again.
    with suppress(OSError):
        connection.sendall(frame)


# The other side


def call(
    kind: str,
    fields: Mapping[str, str] | None = None,
    payload: bytes = b"",
    *,
    descriptors: tuple[int, ...] = (),
    timeout_s: float = DEFAULT_TIMEOUT_S,
    path: Path | None = None,
) -> Response:
    """Ask the agent and return its answer.

    Raises AgentUnavailable if there is none, if it belongs to somebody else, or if it does not answer in time.
    """
    where = path or socket_path()
    frame = encode(kind, {**(fields or {}), "timeout_ms": str(int(timeout_s * 1000))}, payload)
    deadline = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(where))
            if not _peer(connection).is_trusted:
                raise AgentUnavailable(f"what listens at {where} is neither root's nor this user's")
            sent = socket.send_fds(connection, [frame], list(descriptors)) if descriptors else 0
            if sent < len(frame):  # even an empty rest would fail once the other side has closed
                connection.sendall(frame[sent:])
            body, received = _receive(connection, deadline)
        except (OSError, ProtocolError) as error:
            raise AgentUnavailable(f"no answer from an agent at {where}: {error}") from error
    _close(received)
    _, answer_fields, answer_payload = decode(body)
    return Response(answer_payload, int(answer_fields.pop("status", "70")), answer_fields)
