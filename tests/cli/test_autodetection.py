# SPDX-License-Identifier: Apache-2.0
"""How a node's address is found when nobody names it."""

from ipaddress import ip_interface

import pytest

from percale.cli.autodetection import Interface, interfaces_here, read_method
from percale.cli.command import CommandFailed

HOST = [
    Interface("lo", (ip_interface("127.0.0.1/8"), ip_interface("192.0.2.99/32"))),
    Interface("docker0", (ip_interface("198.51.100.1/24"),)),
    Interface("eth0", (ip_interface("169.254.3.4/16"), ip_interface("fe80::1/64"))),
    Interface("eth1", (ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64"))),
    Interface("bond0", (ip_interface("203.0.113.1/24"),)),
]


@pytest.mark.parametrize(
    ("text", "version", "address"),
    [
        ("first-found", 4, "192.0.2.1/24"),
        ("first-found", 6, "2001:db8::1/64"),
        ("interface=bond.*", 4, "203.0.113.1/24"),
        ("interface=eth0,bond0 , eth1", 4, "203.0.113.1/24"),
        ("interface=docker.*", 4, "198.51.100.1/24"),
        ("interface=wlan.*", 4, ""),
        ("interface=bond0", 6, ""),
        ("skip-interface=lo,docker.*,eth.*", 4, "203.0.113.1/24"),
        ("skip-interface=.*", 4, ""),
    ],
)
def test_methods(text, version, address):
    """A method chooses the first usable address of the interfaces that it speaks of, in their or its own order."""
    assert read_method(text, version)(HOST) == address


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("magic", "invalid IP autodetection method: magic"),
        ("interface", "invalid IP autodetection method: interface"),
        ("first-found=x", "invalid IP autodetection method: first-found=x"),
        ("interface=eth0,(", "invalid interface regex specified for IP autodetection: ("),
        ("can-reach=nobody.invalid", "cannot resolve address specified for IP autodetection: nobody.invalid"),
    ],
)
def test_what_is_no_method(text, complaint):
    """A method that cannot be read is refused with what is wrong in it."""
    with pytest.raises(CommandFailed) as failure:
        read_method(text, 4)
    assert failure.value.text == f"error executing command: {complaint}"


def test_the_address_towards_a_target(netns):
    """The address that packets to the target would come from is found, with the prefix length of its interface."""
    netns.run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
    netns.run("ip", "link", "set", "two", "up")
    netns.run("ip", "address", "add", "192.0.2.7/24", "dev", "one")
    netns.run("ip", "link", "set", "one", "up")
    assert read_method("can-reach=192.0.2.200", 4)(interfaces_here()) == "192.0.2.7/24"
    assert read_method("can-reach=198.51.100.1", 4)(interfaces_here()) == ""


def test_interfaces_that_are_down_do_not_count(netns):
    """Only interfaces that are up are looked at."""
    netns.run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
    netns.run("ip", "link", "set", "two", "up")
    netns.run("ip", "address", "add", "192.0.2.7/24", "dev", "one")
    assert "one" not in [each.name for each in interfaces_here()]
    netns.run("ip", "link", "set", "one", "up")
    assert "192.0.2.7/24" in [each.address(4) for each in interfaces_here()]
