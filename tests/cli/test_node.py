# SPDX-License-Identifier: Apache-2.0
"""The commands about one host and about all of them."""

import gzip
import json
import os
import tarfile

import pytest

from percale.agent import config as agent_config
from percale.cli import agent, node_run, node_status
from percale.cli.autodetection import Interface
from percale.cli.command import Arguments, CommandFailed


@pytest.fixture(autouse=True)
def host(monkeypatch, tmp_path):
    """A host with one address, whose caller is root, and where the agent only notes what it was asked."""
    from ipaddress import ip_interface

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(agent_config, "NODE_NAME_FILE", tmp_path / "var" / "nodename")
    addresses = ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64")
    monkeypatch.setattr(node_run, "interfaces_here", lambda: [Interface("eth0", addresses)])
    monkeypatch.setattr(agent, "run", lambda call: print(f"agent of {call.arguments.text('node')}") or 0)


@pytest.fixture
def node(percale):
    def get(name="n1"):
        return json.loads(percale("get", "node", name, "-o", "json").out)["spec"]

    return get


def pools(percale):
    return percale("get", "pool").out.splitlines()[1:-1]


# node run


def test_run_registers_the_node_and_runs_the_agent(percale, node, tmp_path):
    """The node gets the address that is found and a pool to give addresses from, then its agent runs."""
    assert percale("node", "run", "--name=n1") == (0, "agent of n1\n", "")
    assert node() == {"bgp": {"ipv4Address": "192.0.2.1/24"}}
    assert "192.168.0.0/16" in pools(percale)[0]
    assert (tmp_path / "var" / "nodename").read_text() == "n1"


@pytest.mark.parametrize(
    ("flags", "bgp"),
    [
        (["--ip=192.0.2.1"], {"ipv4Address": "192.0.2.1/24"}),
        (["--ip=198.51.100.7"], {"ipv4Address": "198.51.100.7"}),
        (["--ip=autodetect", "--ip6=autodetect"], {"ipv4Address": "192.0.2.1/24", "ipv6Address": "2001:db8::1/64"}),
        (["--as=65001"], {"ipv4Address": "192.0.2.1/24", "asNumber": 65001}),
        (["--as=1.10"], {"ipv4Address": "192.0.2.1/24", "asNumber": 65546}),
        (["--as=4294967295"], {"ipv4Address": "192.0.2.1/24", "asNumber": 4294967295}),
        (["--backend=none"], None),
    ],
)
def test_what_run_writes_into_the_node(percale, node, flags, bgp):
    """Addresses and AS number are written as given or found; a node without BGP has none."""
    assert percale("node", "run", "--name=n1", *flags).status == 0
    assert node().get("bgp") == bgp


def test_run_keeps_what_is_stored(percale, node, tmp_path):
    """A second run changes only what it is told to change, and makes no second pool."""
    percale("node", "run", "--name=n1", "--ip=198.51.100.7", "--as=65001")
    percale("patch", "node", "n1", "-p", '{"spec": {"ipv4VXLANTunnelAddr": "192.168.0.1"}}')
    assert percale("node", "run", "--name=n1").status == 0
    assert node() == {
        "bgp": {"ipv4Address": "198.51.100.7", "asNumber": 65001},
        "ipv4VXLANTunnelAddr": "192.168.0.1",
    }
    assert len(pools(percale)) == 1


def test_run_without_pools(percale):
    """No pool is made where none is wanted."""
    percale("node", "run", "--name=n1", "--no-default-ippools")
    assert pools(percale) == []


def test_a_dry_run_prints_commands_that_do_the_same(percale, tmp_path):
    """A dry run writes nothing; what it prints can be applied."""
    _, out, _ = percale("node", "run", "--name=n1", "--dryrun")
    assert percale("get", "node", "n1").status == 1
    (tmp_path / "plan.yaml").write_text(out.partition("<<EOF\n")[2].partition("EOF\n")[0])
    assert out.endswith("percale agent --node n1\n")
    assert percale("apply", "-f", "plan.yaml") == (0, "Successfully applied 2 resource(s)\n", "")


@pytest.mark.parametrize(
    ("flags", "out", "err"),
    [
        (["--ip=1.2.3"], "Error executing command: invalid IP address specified: 1.2.3\n", ""),
        (["--ip=192.0.2.1/24"], "Error executing command: invalid IP address specified: 192.0.2.1/24\n", ""),
        (["--ip6=192.0.2.1"], "", "error executing command: --ip6 is wrong IP version\n"),
        (["--as=4294967296"], "Error executing command: invalid AS Number specified: 4294967296\n", ""),
        (["--as=1.65536"], "Error executing command: invalid AS Number specified: 1.65536\n", ""),
        (["--as=1.2.3"], "Error executing command: invalid AS Number specified: 1.2.3\n", ""),
        (["--backend=gobgp"], "", "error executing command: unknown backend 'gobgp'\n"),
        (["--ip6-autodetection-method=x"], "", "error executing command: invalid IP autodetection method: x\n"),
    ],
)
def test_what_run_refuses(percale, flags, out, err):
    """What cannot be meant is refused before anything is written."""
    assert percale("node", "run", "--name=n1", *flags) == (1, out, err)
    assert percale("get", "node", "n1").status == 1


def test_flags_of_the_container_warn(percale):
    """Flags about Calico's container are accepted, and a warning says that they do nothing."""
    status, _, err = percale("node", "run", "--name=n1", "--dryrun", "--node-image=x", "--init-system")
    assert status == 0
    assert err.splitlines() == [
        "warning: --node-image is of Calico's container; percale's agent is this program",
        "warning: --init-system is of Calico's container; use a unit of systemd, as the manual shows",
    ]


def test_no_address_is_found(percale, monkeypatch):
    """A host without an address becomes no node; a plan is printed all the same, after a warning."""
    monkeypatch.setattr(node_run, "interfaces_here", list)
    text = "no IPv4 address was found for this node: name one (--ip), or another way to find it\n"
    assert percale("node", "run", "--name=n1") == (1, "", text)
    assert percale("get", "node", "n1").status == 1
    status, out, err = percale("node", "run", "--name=n1", "--dryrun")
    assert (status, err) == (0, f"warning: {text}")
    assert "ipv4Address" not in out


def test_a_plan_for_a_node_that_is_there(percale):
    """What only the datastore gives to a node is not in a plan, so that it can be applied later."""
    percale("node", "run", "--name=n1")
    out = percale("node", "run", "--name=n1", "--dryrun").out
    assert "  name: n1\n" in out
    assert not any(word in out for word in ("uid", "resourceVersion", "creationTimestamp"))


def test_a_plan_names_the_datastore(percale):
    """The commands of a dry run work on the datastore that it was about."""
    out = percale("node", "run", "--name=n1", "--dryrun", "--datastore", "my store.db").out
    assert "percale apply '--datastore=my store.db' -f - <<EOF\n" in out
    assert out.endswith("percale agent '--datastore=my store.db' --node n1\n")


@pytest.mark.parametrize("words", [["run"], ["status"], ["checksystem"], ["diags"]])
def test_root_is_needed(percale, monkeypatch, words):
    """What needs root says so, where and as calicoctl does."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert percale("node", *words) == (1, "Need super user privileges: Operation not permitted\n", "")


# node status


def test_status_without_an_agent(percale, monkeypatch, tmp_path):
    """Without an agent calicoctl's sentence is printed."""
    monkeypatch.setattr("percale.plugins.protocol.socket_path", lambda: tmp_path / "nobody.sock")
    assert percale("node", "status") == (1, "", "Calico process is not running.\n")


def test_status_of_an_agent(percale, monkeypatch):
    """With an agent its node and process are named."""
    monkeypatch.setattr(node_status, "asked", lambda _: {"node": "n1", "pid": 7})
    status, out, err = percale("node", "status")
    assert (status, err) == (0, "")
    assert out.startswith("Calico process is running.\n")
    assert "node n1 runs as process 7" in out


# node checksystem


@pytest.fixture
def kernel(monkeypatch):
    from percale.cli import node_checksystem

    monkeypatch.setattr(node_checksystem, "_nftables", lambda: "")
    monkeypatch.setattr("platform.release", lambda: "5.15.0-1-amd64")
    return "".join(f"CONFIG_{option}=m\n" for option in node_checksystem._OPTIONS)


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_kernel_that_has_everything(percale, kernel, tmp_path, packed):
    """A kernel of the oldest good version, with every option in a plain or a packed configuration, passes."""
    (tmp_path / "config").write_bytes(packed(kernel.encode()))
    status, out, err = percale("node", "checksystem", "-f", "config")
    assert (status, err) == (0, "")
    assert out.endswith("This host has what percale's agent needs.\n")


@pytest.mark.parametrize(
    ("release", "without", "line"),
    [
        ("5.14.21", "", "too old: 5.15 is needed"),
        ("6.1.0", "CONFIG_VETH=m", "missing: needed for interfaces of containers"),
    ],
)
def test_a_kernel_that_lacks_something(percale, kernel, tmp_path, monkeypatch, release, without, line):
    """What is missing is told with its purpose, and the exit status is 1."""
    monkeypatch.setattr("platform.release", lambda: release)
    (tmp_path / "config").write_text(kernel.replace(without, f"# {without} is not set") if without else kernel)
    status, out, err = percale("node", "checksystem", "-f", "config")
    assert status == 1
    assert line in out
    assert err == "this host lacks 1 of the things that percale's agent needs\n"


def test_a_kernel_configuration_that_is_not_there(percale, kernel):
    """A configuration that was named must be there."""
    assert percale("node", "checksystem", "-f", "none")[::2] == (1, "open none: no such file or directory\n")


# Bundles


def test_logs_of_a_bundle(tmp_path, monkeypatch):
    """Logs keep the folder in which they are, and a large one loses its beginning."""
    from percale.cli import bundle

    monkeypatch.setattr(bundle, "_LARGEST_FILE", 4)
    for name, text in {"x.log": "one", "cni/x.log": "four", "bird/x.log": "12345", "cni/x.conf": "none"}.items():
        (tmp_path / "logs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "logs" / name).write_text(text)
    collected = bundle.Bundle("x", Arguments())
    collected.add_files("logs", tmp_path / "logs", "*.log")
    collected.save(tmp_path)
    found = members(tmp_path, "x-*.tar.gz")
    assert found == {"logs/x.log": "one", "logs/cni/x.log": "four", "logs/bird/x.log": "2345"}


def test_diagnostics_look_into_the_datastore_that_was_named(percale, tmp_path, monkeypatch):
    """What percale itself says in a bundle is about the datastore behind --datastore."""
    from percale.cli import node_diags

    monkeypatch.setattr(node_diags, "_OUTPUTS", {})
    monkeypatch.setattr(node_diags, "_OWN", {"percale/datastore.txt": ("datastore", "check")})
    assert percale("--datastore=other.db", "datastore", "migrate", "unlock").status == 0
    assert percale("node", "diags", "--datastore=other.db").status == 0
    assert "other.db is whole" in members(tmp_path, "percale-diags-*.tar.gz")["percale/datastore.txt"]


def members(tmp_path, pattern):
    (path,) = tmp_path.glob(pattern)
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        return {each.name.partition("/")[2]: archive.extractfile(each).read().decode() for each in archive}


def test_diagnostics_of_a_host(percale, tmp_path, monkeypatch):
    """The bundle of a host holds what the kernel and the agent say, and logs; what is missing is named."""
    from percale.cli import node_diags

    monkeypatch.setattr(
        node_diags, "_OUTPUTS", {"host/kernel.txt": ("uname", "-s"), "host/no.txt": ("no-such-program",)}
    )
    monkeypatch.setattr(node_diags, "_OWN", {"percale/version.txt": ("version", "--client")})
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "felix.log").write_text("started\n")
    status, _, err = percale("node", "diags", "--log-dir=logs")
    assert (status, err) == (0, "")
    found = members(tmp_path, "percale-diags-*.tar.gz")
    assert found["host/kernel.txt"] == "$ uname -s\nLinux\n"
    assert "not available" in found["host/no.txt"]
    assert "Client Version:" in found["percale/version.txt"]
    assert found["logs/felix.log"] == "started\n"


KUBECTL = """\
#!/bin/sh
case "$*" in
*"get pods"*calico-node*) echo "calico-system a n1"; echo "calico-system b n2"; echo "calico-system c n3";;
*"get pods"*) ;;
*) echo "kubectl $*";;
esac
"""


def test_diagnostics_of_a_cluster(percale, tmp_path, monkeypatch):
    """The bundle of a cluster holds every resource, and from Kubernetes logs of the nodes that were asked for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text(KUBECTL)
    (tmp_path / "bin" / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert percale("datastore", "migrate", "unlock").status == 0
    status, _, err = percale("cluster", "diags", "--since=5m", "--max-logs=2", "--focus-nodes=n3,n2")
    assert (status, err) == (0, "")
    found = members(tmp_path, "percale-cluster-diags-*.tar.gz")
    assert "kind: TierList" in found["resources/tiers.yaml"]
    assert "Check complete" in found["ipam-check.txt"]
    logs = sorted(name for name in found if name.endswith(".log"))
    assert logs == ["kubernetes/calico-system/b.log", "kubernetes/calico-system/c.log"]
    assert "logs --all-containers --since=5m --namespace=calico-system b" in found[logs[0]]


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--since=2w", "invalid duration for since flag (try 10s, 5m, or 1h): 2w"),
        ("--max-logs=0", "invalid value for max-logs flag (must be greater than 0): 0"),
    ],
)
def test_what_cluster_diags_refuses(percale, flag, reason):
    """Values that cannot be meant are refused where calicoctl does."""
    assert percale("cluster", "diags", flag) == (1, f"Error executing command: {reason}\n", "")


def test_a_bundle_that_cannot_be_written(tmp_path):
    """A folder that does not exist is told with the path."""
    from percale.cli.bundle import Bundle

    with pytest.raises(CommandFailed, match="cannot be written to"):
        Bundle("x", Arguments()).save(tmp_path / "nowhere")
