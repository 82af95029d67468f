# SPDX-License-Identifier: Apache-2.0
"""The executable as a runtime calls it: with the agent, without it, and with one that breaks off."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.plugins.cni.host import CONF, inside, path_of

from percale.client.datastore_config import ETCD, DatastoreConfig
from percale.errors import Refused
from percale.plugins.cni import stub
from percale.plugins.cni.install import executable, install
from percale.plugins.cni.network import VERSIONS
from percale.plugins.protocol import Response

TEXT = json.dumps(CONF).encode()
ENVIRONMENT = {"CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_PATH": "/x", "CNI_ARGS": "A=ä"}


@pytest.fixture
def alone(tmp_path):
    """Run the executable on a machine without an agent and return the finished process."""
    (path, _) = install(tmp_path, socket=tmp_path / "agent.sock")

    def run(environment, text=TEXT):
        return subprocess.run([path], input=text, env=environment, capture_output=True, timeout=60, check=False)

    return run


def test_version_needs_no_agent(alone):
    """VERSION is answered at once, with empty stdin as some runtimes have it."""
    done = alone({"CNI_COMMAND": "VERSION", "CNI_IFNAME": "dummy", "CNI_PATH": "dummy"}, b"")
    assert (done.returncode, json.loads(done.stdout)["supportedVersions"]) == (0, list(VERSIONS))


def test_without_a_command_it_tells_what_it_is(alone):
    """A person who tries the executable gets a hint, and no error."""
    done = alone({})
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"CNI" in done.stderr


@pytest.mark.parametrize("command", ["ADD", "CHECK", "STATUS", "GC"])
def test_without_an_agent_the_runtime_may_try_again(alone, command):
    """Everything but DEL is refused with the code for a later try."""
    done = alone(ENVIRONMENT | {"CNI_COMMAND": command})
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, 11)


def test_the_agent_gets_what_the_runtime_said(make_host, netns):
    """Environment, stdin, the namespace as an open file and the executable's name arrive; the answer is printed."""
    host, container = make_host(), netns.other()
    seen = []

    def answer(request):
        seen.append(os.fstat(request.descriptors[0]).st_ino)
        return Response(b"answer\n", 3)

    agent = host.start_agent(answer)
    variables = ENVIRONMENT | {"CNI_COMMAND": "ADD", "CNI_NETNS": path_of(container), "SECRET": "x"}
    done = host.execute(variables, TEXT, plugin="percale-ipam")
    (request,) = agent.requests
    del variables["SECRET"]
    assert (done.returncode, done.stdout) == (3, b"answer\n")
    assert (request.kind, request.payload) == ("cni", TEXT)
    assert request.fields == variables | {"plugin": "percale-ipam"}
    assert seen == [os.fstat(container).st_ino]
    assert 80 < request.remaining_s <= 90


@pytest.mark.parametrize("status", [70, 76, 77])
def test_an_agent_that_cannot_begin_is_no_agent(make_host, status):
    """What the agent answers before it looks at the call is not passed on as the plugin's answer."""
    host = make_host()
    host.start_agent(lambda request: Response(b"a fault\n", status))
    done = host.execute(ENVIRONMENT | {"CNI_COMMAND": "ADD"}, TEXT)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["code"], "a fault" in answer["details"]) == (1, 11, True)


def test_large_configurations(make_host):
    """A configuration larger than a socket's buffer arrives whole."""
    host = make_host()
    agent = host.start_agent(lambda request: Response(request.payload))
    text = json.dumps(CONF | {"padding": "x" * 1_000_000}).encode()
    done = host.execute(ENVIRONMENT | {"CNI_COMMAND": "ADD"}, text)
    assert (done.stdout, agent.requests[0].payload) == (text, text)


@pytest.mark.kernel
def test_add_and_del_through_the_stub(host, netns):
    """A container is connected and removed by two processes that know nothing of the datastore."""
    host.start_agent()
    container = netns.other()
    variables = host.environment("ADD", netns=path_of(container))
    done = host.execute(variables, TEXT)
    assert (done.returncode, json.loads(done.stdout)["interfaces"][1]["name"]) == (0, "eth0")
    assert len(host.endpoints()) == 1
    done = host.execute(variables | {"CNI_COMMAND": "DEL"}, TEXT)
    assert (done.returncode, done.stdout, host.endpoints(), host.held()) == (0, b"", [], {})


@pytest.mark.kernel
def test_del_without_an_agent(host, netns):
    """A container can always be removed: the executable becomes the full interpreter and does the work itself."""
    container = netns.other()
    host.call("ADD", container_ns=container)
    datastore = DatastoreConfig(path=str(host.folder / "percale.db"))
    install(host.plugins, socket=host.folder / "agent.sock", node="node-a", datastore=datastore)
    done = host.execute(host.environment("DEL", netns=path_of(container)), TEXT)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    assert (host.endpoints(), host.held()) == ([], {})
    assert "eth0" not in inside(container, lambda: netns.run("ip", "-br", "link"))


def test_del_without_agent_and_datastore(tmp_path):
    """Where nothing can be reached the runtime hears so in the form that it understands."""
    (tmp_path / "file").write_text("")
    (path, _) = install(
        tmp_path, socket=tmp_path / "agent.sock", datastore=DatastoreConfig(path=str(tmp_path / "file" / "percale.db"))
    )
    done = subprocess.run(
        [path], input=TEXT, env=ENVIRONMENT | {"CNI_COMMAND": "DEL"}, capture_output=True, check=False
    )
    assert (done.returncode, json.loads(done.stdout)["code"], done.stderr) == (1, 11, b"")


def test_nothing_but_two_modules_is_imported(tmp_path):
    """Starting it costs no more than an interpreter: no package, no pure Python module beyond the encodings."""
    code = (
        "import sys; before = set(sys.modules); sys.argv = ['percale']; import runpy_free as stub"
        "; print(*sorted(set(sys.modules) - before))"
    )
    (tmp_path / "runpy_free.py").write_bytes(executable())
    command = [
        os.path.realpath(sys.executable),
        "-IS",
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["_socket", "runpy_free"]


def test_installation(tmp_path):
    """The executables name the real interpreter without ``site``, and a second installation replaces the first."""
    paths = install(tmp_path / "bin", ("calico", "calico-ipam"), socket=Path("/run/x.sock"))
    first, text = paths[0].read_text().split("\n", 1)
    assert [path.name for path in paths] == ["calico", "calico-ipam"]
    assert first == f"#!{os.path.realpath(sys.executable)} -IS"
    assert "\nSOCKET = b'/run/x.sock'\n" in text
    assert f"\nPYTHON = {sys.executable!r}\n" in text
    assert paths[0].stat().st_mode & 0o777 == 0o755
    assert install(tmp_path / "bin", ("calico", "calico-ipam")) == paths
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["calico", "calico-ipam"]


def test_password_is_never_readable(tmp_path):
    """An executable with a password is its owner's alone, and who holds open what was left behind reads nothing."""
    left = tmp_path / ".calico.new"
    left.write_text("")
    datastore = DatastoreConfig(type=ETCD, settings={"etcdEndpoints": "http://x:1", "etcdPassword": "secret"})
    with left.open("rb") as reader:
        (path,) = install(tmp_path, ("calico",), datastore=datastore)
        assert b"secret" not in reader.read()
    assert b"secret" in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("length", "fits"), [(249, True), (250, False)])
def test_the_first_line_has_a_limit(length, fits):
    """The kernel reads 255 characters of the first line."""
    python = "/" + "p" * (length - 1)
    if fits:
        assert len(executable(python=python).split(b"\n")[0]) == 255
    else:
        with pytest.raises(Refused):
            executable(python=python)


def test_a_folder_that_cannot_be_written(tmp_path):
    """A folder that is none is refused with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="file"):
        install(tmp_path / "file")


@pytest.mark.parametrize("text", ["plain", 'a "quoted" \\ one', "line\nbreak\ttab\0", "ä€😀"])
def test_errors_are_json(text):
    """Whatever is in a message, the refusal can be decoded."""
    answer = json.loads(stub.refusal(text, text))
    assert answer["code"] == 11
    assert len(answer["msg"]) == len(text)


@pytest.mark.parametrize(
    "received",
    [
        b"",
        b"\1",
        b"\1\0\0\0\5ab",
        b"\2\0\0\0\x12answer\0status=0\0\0",
        b"\1\0\0\0\x09other\0x\0\0",
        b"\1\0\0\0\x08answer\0\0",
    ],
)
def test_what_is_no_answer(received):
    """An answer that is cut off, of another version or of another kind is none."""
    with pytest.raises(OSError, match="broke off"):
        stub.answer(received)


def test_versions_agree():
    """The stub, which imports nothing, speaks of the same versions as the plugin."""
    assert stub.VERSIONS == VERSIONS
