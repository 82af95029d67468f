# SPDX-License-Identifier: Apache-2.0
"""The executable that a container runtime calls: it hands the call to the agent and prints the answer.

Starting an interpreter is most of its cost, so it imports nothing but two modules of C and packs the frames of
percale.plugins.protocol by hand. `percale cni install` writes it out with the constants below filled in; its first
line then names the interpreter with ``-IS`` (one word: the kernel passes all that follows as a single argument).
"""

import posix
import sys
from _socket import AF_UNIX, SCM_RIGHTS, SO_PEERCRED, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket

SOCKET = b"/run/percale/agent.sock"
PYTHON = "/usr/bin/python3"
LIBRARY = ""
SETTINGS: "dict[bytes, bytes]" = {}

TIMEOUT_S = 90
SLACK_S = 2
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
ABOUT = (
    b"percale: Calico's CNI plugin. A container runtime calls it with CNI_COMMAND set and a configuration on stdin.\n"
)
TRY_AGAIN = 11
FIRST_FAULT = 64
"""Exit statuses from here on (sysexits.h) tell that the agent could not even begin with the request."""

FALL_BACK = "import sys; sys.path.append(sys.argv[1]); from percale.plugins.cni.direct import main; sys.exit(main())"


def read_all(descriptor: int) -> bytes:
    """Read a file to its end."""
    chunks = []
    while chunk := posix.read(descriptor, 65536):
        chunks.append(chunk)
    return b"".join(chunks)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data."""
    while data:
        data = data[posix.write(descriptor, data) :]


def quoted(text: str) -> str:
    """Return text as a JSON string, signs beyond ASCII replaced."""
    safe = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if " " <= sign < "\x7f" else "?" for sign in safe) + '"'


def version() -> bytes:
    """Return the answer to VERSION, which needs no agent."""
    supported = ",".join(map(quoted, VERSIONS))
    return f'{{"cniVersion":"{VERSIONS[-1]}","supportedVersions":[{supported}]}}\n'.encode()


def refusal(message: str, details: str) -> bytes:
    """Return the error that makes the runtime try again later."""
    parts = f'"cniVersion":"1.0.0","code":{TRY_AGAIN},"msg":{quoted(message)},"details":{quoted(details)}'
    return f"{{{parts}}}\n".encode()


def frame(environment: "dict[bytes, bytes]", configuration: bytes) -> bytes:
    """Pack the request: what the runtime put into the environment, and what it wrote to stdin."""
    wanted = [key for key in environment if key.startswith(b"CNI_") or key == b"FELIX_INTERFACEPREFIX"]
    fields = [b"plugin=" + sys.argv[0].rpartition("/")[2].encode(), b"timeout_ms=%d" % (TIMEOUT_S * 1000)]
    fields += [key + b"=" + environment[key] for key in wanted]
    body = b"cni\0" + b"".join(field + b"\0" for field in fields) + b"\0" + configuration
    return b"\1" + len(body).to_bytes(4, "big") + body


def open_namespace(environment: "dict[bytes, bytes]") -> "list[int]":
    """Open the workload's network namespace; one that is gone is the agent's to judge."""
    path = environment.get(b"CNI_NETNS")
    try:
        return [posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)] if path else []
    except OSError:
        return []


def ask(path: bytes, request: bytes, descriptors: "list[int]") -> "tuple[int, bytes]":
    """Send the request to the agent and return the exit status and the text to print; raises OSError."""
    agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    agent.settimeout(TIMEOUT_S + SLACK_S)
    agent.connect(path)
    owner = int.from_bytes(agent.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[4:8], sys.byteorder)
    if owner not in (0, posix.geteuid()):
        raise OSError(f"user {owner} listens there, not the agent")
    passed = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in descriptors)
    sent = agent.sendmsg([request], [(SOL_SOCKET, SCM_RIGHTS, passed)] if passed else [])
    if sent < len(request):  # even an empty rest would fail if the answer is here and the agent gone already
        agent.sendall(request[sent:])
    chunks = []
    while chunk := agent.recv(65536):
        chunks.append(chunk)
    return answer(b"".join(chunks))


def answer(received: bytes) -> "tuple[int, bytes]":
    """Unpack the agent's answer; raises OSError if it is none."""
    head, end, text = received[5:].partition(b"\0\0")
    kind, status, *_ = [*head.split(b"\0"), b""]
    complete = len(received) == 5 + int.from_bytes(received[1:5], "big")
    if not (complete and end and received[:1] == b"\1" and kind == b"answer" and status.startswith(b"status=")):
        raise OSError("the agent broke off")
    if int(status[7:]) >= FIRST_FAULT:
        raise OSError(text.decode(errors="replace").strip())
    return int(status[7:]), text


def work_without_agent(configuration: bytes) -> None:
    """Become the full interpreter, which does the work itself; returns only by raising OSError."""
    descriptor = posix.memfd_create("configuration")
    write_all(descriptor, configuration)
    posix.lseek(descriptor, 0, 0)
    posix.dup2(descriptor, 0)
    posix.execve(PYTHON, [PYTHON, "-I", "-c", FALL_BACK, LIBRARY], {**SETTINGS, **posix.environ})


def main() -> int:
    """Handle one call of the runtime and return the exit status."""
    environment = posix.environ
    command = environment.get(b"CNI_COMMAND")
    if command is None:
        write_all(2, ABOUT)
        return 0
    configuration = read_all(0)
    if command == b"VERSION":
        write_all(1, version())
        return 0
    path = environment.get(b"PERCALE_SOCKET", SOCKET)
    try:
        status, text = ask(path, frame(environment, configuration), open_namespace(environment))
    except OSError as error:
        if command == b"DEL":
            work_without_agent(configuration)
        status, text = (
            1,
            refusal(
                "percale's agent does not answer on this host, try again later",
                f"{path.decode(errors='replace')}: {error}",
            ),
        )
    write_all(1, text)
    return status


if __name__ == "__main__":
    posix._exit(main())
