# SPDX-License-Identifier: Apache-2.0
"""Addresses of links."""

from __future__ import annotations

import json

import pytest

from percale.netlink.rtnetlink.addresses import Address, add_address, delete_address, packed_prefix, replace_address
from percale.netlink.socket import NetlinkError

ADDRESSES = [
    Address(100, "192.0.2.1/32"),
    Address(100, "192.0.2.1/24", no_prefix_route=True),
    Address(100, "192.0.2.1/32", scope=253),
    Address(100, "2001:db8::1/128", no_dad=True),
    Address(100, "2001:db8::1/64", no_prefix_route=True, no_dad=True),
    Address(100, "fe80::1/64", scope=253, no_dad=True),
]


@pytest.mark.kernel
@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: address.address)
def test_an_address_reads_back_as_sent(wire, address):
    """Both families, scopes and flags; a second time it exists, renewing it does not mind, deleted it is gone."""
    wire.socket.perform(add_address(address))
    assert address in wire.socket.addresses(100)
    with pytest.raises(NetlinkError) as caught:
        wire.socket.perform(add_address(address))
    assert caught.value.already_exists
    wire.socket.perform(replace_address(address))
    wire.socket.perform(delete_address(address))
    assert address not in wire.socket.addresses()
    with pytest.raises(NetlinkError) as caught:
        wire.socket.perform(delete_address(address))
    assert caught.value.is_not_found


@pytest.mark.kernel
def test_addresses_of_one_link_only(wire):
    """The kernel chooses by link if one is given."""
    assert {address.interface for address in wire.socket.addresses(1)} == {1}
    assert {address.interface for address in wire.socket.addresses()} == {1, 100}


@pytest.mark.kernel
def test_ip_shows_the_same(netns, wire):
    """``ip`` agrees about addresses and prefix lengths."""
    wire.socket.perform(add_address(ADDRESSES[0]))
    (link,) = json.loads(netns.run("ip", "-j", "address", "show", "dev", "cali1"))
    shown = {f"{info['local']}/{info['prefixlen']}" for info in link["addr_info"]}
    assert shown == {address.address for address in wire.socket.addresses(100)}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("192.0.2.1/32", True),
        ("192.0.2.1/33", False),
        ("192.0.2.1/", False),
        ("192.0.2.1", False),
        ("192.0.2.1/-1", False),
        ("2001:db8::/128", True),
        ("2001:db8::/129", False),
        ("192.0.2.256/32", False),
        ("::/0", True),
    ],
)
def test_prefixes_are_checked(text, fits):
    """What is not an address with a prefix length is a ValueError."""
    if fits:
        family, packed, length = packed_prefix(text)
        assert family in (2, 10)
        assert length <= len(packed) * 8
    else:
        with pytest.raises(ValueError):
            packed_prefix(text)
