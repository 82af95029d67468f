# SPDX-License-Identifier: Apache-2.0
"""Data types: values to bytes and to text."""

from __future__ import annotations

import struct

import pytest

from percale.netlink.nftables.datatypes import (
    ARP_OP,
    CT_STATE,
    ETHER_ADDR,
    IFNAME,
    INET_PROTO,
    INET_SERVICE,
    IPV4_ADDR,
    IPV6_ADDR,
    MARK,
    VERDICT,
    concatenated_length,
    concatenated_number,
    types_of_number,
)


@pytest.mark.parametrize(
    ("kind", "value", "raw", "text"),
    [
        (IPV4_ADDR, "192.0.2.1", b"\xc0\0\2\1", "192.0.2.1"),
        (IPV6_ADDR, "2001:db8::1", b"\x20\1\x0d\xb8" + bytes(11) + b"\1", "2001:db8::1"),
        (INET_PROTO, "tcp", b"\6", "tcp"),
        (INET_PROTO, 99, b"\x63", "99"),
        (INET_SERVICE, 80, b"\0\x50", "80"),
        (INET_SERVICE, "443", b"\1\xbb", "443"),
        (CT_STATE, "established", struct.pack("=I", 2), "established"),
        (MARK, 0x10000, struct.pack("=I", 0x10000), "65536"),
        (IFNAME, "eth0", b"eth0" + bytes(12), '"eth0"'),
        (IFNAME, "calicalicali123", b"calicalicali123\0", '"calicalicali123"'),
        (ETHER_ADDR, "ee:ee:ee:ee:ee:ee", b"\xee" * 6, "ee:ee:ee:ee:ee:ee"),
        (ARP_OP, "reply", b"\0\2", "reply"),
    ],
)
def test_values_have_a_byte_form_and_a_text_form(kind, value, raw, text):
    """Each type turns a value into its bytes and bytes into nft's text; bytes of the right length pass."""
    assert raw == kind.encode(value) == kind.encode(raw)
    assert text == kind.format(raw)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IPV4_ADDR, "192.0.2.256"),
        (IPV4_ADDR, b"\1\2\3"),
        (IPV6_ADDR, "192.0.2.1"),
        (INET_SERVICE, 65536),
        (INET_SERVICE, -1),
        (INET_PROTO, "no such protocol"),
        (IFNAME, ""),
        (IFNAME, "calicalicali1234"),
        (ETHER_ADDR, "ee:ee"),
        (VERDICT, "accept"),
    ],
)
def test_what_does_not_fit_is_refused(kind, value):
    """A value outside the type is a ValueError."""
    with pytest.raises(ValueError):
        kind.encode(value)


def test_a_prefix_of_an_interface_name_prints_as_a_wildcard():
    """Comparing fewer bytes than a name has is how a wildcard is written."""
    assert IFNAME.format(b"cali") == '"cali*"'


def test_concatenated_types_have_a_number_and_a_length():
    """Six bits per component, each padded to 4 bytes; both ways."""
    components = (IFNAME, CT_STATE)
    assert concatenated_number(components) == 41 << 6 | 26
    assert concatenated_length(components) == 20
    assert components == types_of_number(41 << 6 | 26, 20)
