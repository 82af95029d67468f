# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plugins.agent import Agent

from percale.errors import Refused
from percale.plugins import protocol
from percale.plugins.protocol import AgentUnavailable, Peer, ProtocolError, Request, Response, call, decode, encode

SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/bin")
NAMES = st.text(st.characters(exclude_characters="\0=", exclude_categories=["Cs"]), min_size=1)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture
def serve(tmp_path):
    """Start an agent with an answer and return it; its socket is the default one."""
    agents = []

    def start(answer):
        agents.append(Agent(tmp_path / "agent.sock", answer))
        return agents[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERCALE_SOCKET", str(tmp_path / "agent.sock"))
        yield start
    for agent in agents:
        agent.close()


def raw(path, data):
    """Send bytes as they are and return all that comes back."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(10)
        caller.connect(str(path))
        caller.sendall(data)
        caller.shutdown(socket.SHUT_WR)
        chunks = []
        while chunk := caller.recv(65536):
            chunks.append(chunk)
        return b"".join(chunks)


@given(NAMES, st.dictionaries(NAMES, VALUES), st.binary())
def test_frames_say_again_what_was_put_into_them(kind, fields, payload):
    """Decoding a frame gives the kind, fields and payload that were encoded."""
    frame = encode(kind, fields, payload)
    assert struct.unpack("!BI", frame[:5]) == (1, len(frame) - 5)
    assert decode(frame[5:]) == (kind, fields, payload)


@given(st.binary())
def test_any_bytes_are_a_message_or_refused(body):
    """Decoding never fails in another way than ProtocolError."""
    try:
        kind, fields, payload = decode(body)
    except ProtocolError:
        return
    assert len(encode(kind, fields, payload)) == len(body) + 5


@pytest.mark.parametrize(
    ("kind", "fields"), [("", {}), ("a\0b", {}), ("a", {"x=": ""}), ("a", {"": ""}), ("a", {"x": "\0"})]
)
def test_ambiguous_heads_are_refused(kind, fields):
    """Kinds and fields that could not be told apart again are not encoded."""
    with pytest.raises(ValueError):
        encode(kind, fields)


def test_request_and_answer(serve):
    """The agent sees what was asked, who asks and how long it may take; the caller sees the answer."""
    agent = serve(lambda request: Response(request.payload[::-1], 3, {"x": "y"}))
    assert call("echo", {"a": "b"}, b"abc", timeout_s=7) == Response(b"cba", 3, {"x": "y"})
    (request,) = agent.requests
    assert (request.kind, request.fields, request.peer.pid) == ("echo", {"a": "b"}, os.getpid())
    assert 0 < request.deadline - time.monotonic() <= 7


def test_descriptors_travel_and_are_closed(serve, tmp_path):
    """An open file can be read by the agent while it answers, and is closed afterwards."""
    (tmp_path / "file").write_bytes(b"inside")

    def answer(request):
        return Response(os.pread(request.descriptors[0], 100, 0))

    agent = serve(answer)
    with open(tmp_path / "file", "rb") as file:
        assert call("read", descriptors=(file.fileno(),)).payload == b"inside"
    agent.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(agent.requests[0].descriptors[0])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\0\0",
        b"\2\0\0\0\1x",
        b"\1\xff\xff\xff\xff",
        b"\1\0\0\0\5ab",
        b"\1\0\0\0\2ab",
        encode("cni", {"timeout_ms": "soon"}),
    ],
    ids=["empty", "half a header", "other version", "too long", "cut off", "no head", "no number"],
)
def test_bad_frames_get_a_refusal_and_the_agent_goes_on(serve, tmp_path, data):
    """A frame that cannot be read is answered with an error, and the next request is served."""
    agent = serve(lambda request: Response(b"fine"))
    _, fields, _ = decode(raw(tmp_path / "agent.sock", data)[5:])
    assert fields["status"] == "76"
    assert agent.requests == []
    assert call("x").payload == b"fine"


def test_a_slow_sender_is_cut_off(serve, tmp_path, monkeypatch):
    """Who begins a request must finish it soon."""
    monkeypatch.setattr(protocol, "_ARRIVAL_S", 0.05)
    serve(lambda request: Response(b"fine"))
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(tmp_path / "agent.sock"))
        caller.send(b"\1")
        caller.settimeout(10)
        assert caller.recv(10) == b""


def test_a_fault_of_the_answer_is_reported(serve, caplog):
    """A bug while answering is logged, told to the caller, and does not end the agent."""

    def answer(request):
        raise RuntimeError("lost")

    serve(answer)
    response = call("x")
    assert (response.status, response.payload) == (70, b"RuntimeError: lost\n")
    assert "request failed" in caplog.text


def test_no_agent(tmp_path):
    """Without a socket, and with one that nobody listens at, the agent is unavailable."""
    with pytest.raises(AgentUnavailable):
        call("x", path=tmp_path / "none.sock")
    listener = protocol.listen(tmp_path / "dead.sock")
    listener.close()
    with pytest.raises(AgentUnavailable):
        call("x", path=tmp_path / "dead.sock")


def test_deadline_of_the_caller(serve):
    """A caller does not wait beyond its time."""
    going = threading.Event()
    serve(lambda request: Response(b"%d" % going.wait(10)))
    with pytest.raises(AgentUnavailable, match="timed out"):
        call("x", timeout_s=0.05)
    going.set()


def test_deadline_of_a_request():
    """What remains of the time shrinks to zero, never below."""
    assert Request("x", deadline=time.monotonic() - 1).remaining_s == 0
    assert 59 < Request("x", deadline=time.monotonic() + 60).remaining_s <= 60


def test_socket_is_for_its_owner_only(serve, tmp_path):
    """Nobody else can connect, and a second agent is refused."""
    serve(lambda request: Response())
    assert (tmp_path / "agent.sock").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="listens"):
        protocol.listen(tmp_path / "agent.sock")


def test_a_dead_agents_socket_is_replaced(tmp_path):
    """What a crashed agent left behind does not keep the next one from listening."""
    protocol.listen(tmp_path / "agent.sock").close()
    protocol.listen(tmp_path / "agent.sock").close()


def test_folder_open_to_everybody_is_refused(tmp_path):
    """A socket in a folder where anybody may put another in its place is not made."""
    tmp_path.chmod(0o777)
    with pytest.raises(Refused, match="others can write"):
        protocol.listen(tmp_path / "agent.sock")


@pytest.mark.parametrize(("uid", "trusted"), [(0, True), (os.geteuid(), True), (54321, False)])
def test_only_root_and_ourselves_are_trusted(uid, trusted):
    """Any other user is a stranger."""
    assert Peer(1, uid, 1).is_trusted is trusted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can pretend to be somebody else")
@pytest.mark.skipif(SYSTEM_PYTHON is None, reason="there is no Python that everybody may run")
def test_strangers_get_a_refusal():
    """A peer with another user id is refused by its credentials, even where the file's mode would let it in."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "agent.sock"
        Path(folder).chmod(0o755)
        agent = Agent(path, lambda request: Response(b"secret"))
        path.chmod(0o666)
        code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); print(s.recv(9999)[5:])"
        stranger = subprocess.run([SYSTEM_PYTHON, "-IS", "-c", code], user=54321, capture_output=True, check=False)
        agent.close()
    assert (b"status=77" in stranger.stdout, b"only root" in stranger.stdout, agent.requests) == (True, True, [])


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"PERCALE_SOCKET": "/x/y.sock", "XDG_RUNTIME_DIR": "/run/user/7"}, "/x/y.sock"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/percale/agent.sock"),
        ({}, "/tmp/percale-7/agent.sock"),
    ],
)
def test_where_a_users_agent_listens(monkeypatch, environment, path):
    """The variable wins, then the user's runtime folder, then a folder of the user's own."""
    for name in ("PERCALE_SOCKET", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    assert str(protocol.socket_path()) == path


def test_where_roots_agent_listens(monkeypatch):
    """Root's agent has its place in /run."""
    monkeypatch.delenv("PERCALE_SOCKET", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert str(protocol.socket_path()) == "/run/percale/agent.sock"
