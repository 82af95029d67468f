# SPDX-License-Identifier: Apache-2.0
import pytest

from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.invocation import Invocation


def environment(**changes):
    names = {"command": "CNI_COMMAND", "container": "CNI_CONTAINERID", "interface": "CNI_IFNAME"}
    names |= {"netns": "CNI_NETNS", "path": "CNI_PATH", "args": "CNI_ARGS"}
    given = {"command": "ADD", "container": "c1", "interface": "eth0", "netns": "/n", "path": "/a:/b"} | changes
    return {names[name]: value for name, value in given.items() if value is not None}


def refusal(**changes):
    with pytest.raises(CniError) as caught:
        Invocation.of(environment(**changes))
    assert caught.value.code == Code.ENVIRONMENT
    return str(caught.value)


def test_what_the_runtime_says():
    """All variables become values; arguments become pairs."""
    call = Invocation.of(environment(args="IgnoreUnknown=1;IP=192.0.2.1"), 7)
    assert (call.command, call.container_id, call.interface, call.netns) == ("ADD", "c1", "eth0", "/n")
    assert (call.path, call.arguments, call.namespace) == (("/a", "/b"), {"IgnoreUnknown": "1", "IP": "192.0.2.1"}, 7)


def test_missing_variables_are_named_together():
    """One error tells of all variables that are missing."""
    assert "CNI_CONTAINERID, CNI_NETNS, CNI_PATH" in refusal(container=None, netns="", path=None)


def test_del_needs_no_namespace():
    """A container whose namespace is gone can be removed."""
    assert Invocation.of(environment(command="DEL", netns=None)).netns == ""


@pytest.mark.parametrize("command", ["", "add", "FROB", None])
def test_unknown_commands(command):
    """Commands are written in capitals, as the specification does."""
    assert "unknown CNI_COMMAND" in refusal(command=command)


@pytest.mark.parametrize("name", ["a" * 15, "eth0.1", "...", "é"])
def test_interface_names_that_are_accepted(name):
    """Fifteen characters, none of them special, are a name."""
    assert Invocation.of(environment(interface=name)).interface == name


@pytest.mark.parametrize("name", ["a" * 16, ".", "..", "a/b", "a:b", "a b"])
def test_interface_names_that_are_refused(name):
    """Sixteen characters, dots alone, slashes, colons and blanks are no name."""
    assert "interface name" in refusal(interface=name)


@pytest.mark.parametrize("container", ["-a", "a/b", "a b", "ä"])
def test_container_ids_that_are_refused(container):
    """A container id begins with a letter or digit and has no special sign."""
    assert "containerID" in refusal(container=container)


@pytest.mark.parametrize("args", ["K8S_POD_NAME=p", "K8S_POD_NAMESPACE=n", ""])
def test_a_pod_needs_both_names(args):
    """Without name and namespace it is a plain container."""
    call = Invocation.of(environment(args=args))
    assert (call.pod, call.pod_namespace) == ("", "")


def test_a_pod():
    """With both names it is a pod."""
    call = Invocation.of(environment(args="K8S_POD_NAME=p;K8S_POD_NAMESPACE=n"))
    assert (call.pod, call.pod_namespace) == ("p", "n")


def test_arguments_that_are_no_pairs():
    """An argument without a value is refused."""
    assert "NAME=VALUE" in refusal(args="IP")
