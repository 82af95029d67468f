# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.network import Network


def decode(command="ADD", **members):
    return Network.decode(json.dumps({"cniVersion": "1.0.0", "name": "net1", "type": "percale"} | members), command)


def code(command="ADD", **members):
    with pytest.raises(CniError) as caught:
        decode(command, **members)
    return caught.value.code


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'"net1"', b'{"name": 1}'])
def test_no_configuration(text):
    """What is no JSON object, or has a member of another type, cannot be decoded."""
    with pytest.raises(CniError) as caught:
        Network.decode(text, "ADD")
    assert caught.value.code == Code.DECODING


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b"])
def test_bad_names(name):
    """A network needs a name of plain characters."""
    assert code(name=name) == Code.INVALID_CONFIGURATION


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_versions_that_are_spoken(version):
    """The answer has the version of the configuration."""
    assert decode(cniVersion=version).version == version


@pytest.mark.parametrize("version", ["0.0.1", "1.2.0", "1", "nonsense"])
def test_versions_that_are_not(version):
    """A version that is not known is refused as such."""
    assert code(cniVersion=version) == Code.INCOMPATIBLE_VERSION


def test_no_version():
    """Without a version the answer has the one that Calico gives."""
    assert decode(cniVersion="").version == "0.2.0"


@pytest.mark.parametrize(
    ("command", "last_refused", "first_accepted"),
    [("CHECK", "0.3.1", "0.4.0"), ("GC", "1.0.0", "1.1.0"), ("STATUS", "1.0.0", "1.1.0")],
)
def test_commands_have_a_first_version(command, last_refused, first_accepted):
    """A command is refused below the version that introduced it."""
    assert code(command, cniVersion=last_refused) == Code.INCOMPATIBLE_VERSION
    assert decode(command, cniVersion=first_accepted)


@pytest.mark.parametrize(
    ("ipam", "families"),
    [
        ({}, (True, False)),
        ({"assign_ipv4": "false"}, (False, False)),
        ({"assign_ipv4": "False"}, (True, False)),
        ({"assign_ipv6": "true"}, (True, True)),
        ({"assign_ipv6": "True"}, (True, False)),
    ],
)
def test_families(ipam, families):
    """Only the exact texts switch a family off or on."""
    settings = decode(ipam=ipam).ipam
    assert (settings.wants_ipv4, settings.wants_ipv6) == families


@pytest.mark.parametrize(
    ("members", "needed"),
    [
        ({"type": "percale"}, False),
        ({"type": "calico"}, True),
        ({"type": "calico", "nodename_file_optional": True}, False),
        ({"type": "percale", "nodename_file_optional": False}, True),
    ],
)
def test_when_the_nodename_file_must_exist(members, needed):
    """A configuration written for Calico's plugin keeps its meaning; ours needs no file."""
    assert decode(**members).needs_nodename_file is needed


def test_nulls_and_unknown_members_are_absent():
    """What Go would read as absent is absent."""
    network = decode(ipam=None, policy={"type": None}, capabilities={"x": True}, mtu=None)
    assert (network.ipam.type, network.policy.type, network.mtu) == ("", "", 0)
