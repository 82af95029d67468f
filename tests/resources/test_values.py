# SPDX-License-Identifier: Apache-2.0
"""Models as values, the registry of kinds, and the shared field types."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

import percale.resources
from percale.resources import (
    KINDS,
    EntityRule,
    Key,
    NetworkPolicy,
    ObjectMeta,
    Rule,
    WorkloadEndpoint,
    WorkloadEndpointSpec,
    kind_named,
)
from percale.resources.addresses import Address, format_address, parse_address, parse_network, why_not_address
from percale.resources.durations import duration, format_duration, moment, parse_duration
from percale.resources.fields import as_number, port
from percale.resources.scalars import resolved, text_of
from percale.resources.wire import member_name, wire_name

ENDPOINT = WorkloadEndpoint(metadata=ObjectMeta(name="a", namespace="b"), spec=WorkloadEndpointSpec(node="n"))


class TestModels:
    """Frozen values with Python's spelling."""

    def test_equal_content_is_equal(self):
        """Two resources of the same content are one value."""
        assert ENDPOINT.replace() == ENDPOINT
        assert ENDPOINT.with_metadata(name="c") != ENDPOINT

    def test_a_resource_does_not_change(self):
        """A change is a new value."""
        with pytest.raises(AttributeError):
            ENDPOINT.spec = WorkloadEndpointSpec()
        assert ENDPOINT.with_metadata(resource_version="5").metadata.name == "a"

    def test_a_key_names_kind_namespace_and_name(self):
        """The namespace of a global kind is no part of its key."""
        assert ENDPOINT.key == Key("WorkloadEndpoint", "b", "a")
        assert str(ENDPOINT.key) == "WorkloadEndpoint(b/a)"
        tier = KINDS["Tier"].type(metadata=ObjectMeta(name="a", namespace="b"))
        assert str(tier.key) == "Tier(a)"

    def test_repr_shows_what_is_there(self):
        """Empty members are left out."""
        assert repr(ENDPOINT) == (
            "WorkloadEndpoint(metadata=ObjectMeta(name='a', namespace='b'), spec=WorkloadEndpointSpec(node='n'))"
        )

    def test_construction_refuses_what_has_no_meaning(self):
        """A port that is none cannot be made."""
        with pytest.raises(ValueError, match="70000 is not a port number"):
            EntityRule(ports=(70000,))
        with pytest.raises(ValueError, match="300 is out of range"):
            Rule(action="Allow", protocol=300)

    @pytest.mark.parametrize("kind", KINDS)
    def test_members_reach_inside_every_kind(self, kind):
        """The class of a kind says what the registry says, and names no member twice."""
        cls = KINDS[kind].type
        assert (cls.kind, cls.plural, cls.namespaced) == (kind, KINDS[kind].plural, KINDS[kind].namespaced)
        names = [field.encode_name for field in inspect.type_info(type(cls().spec)).fields]
        assert len(names) == len(set(names))


class TestRegistry:
    """Kinds and their names."""

    @pytest.mark.parametrize(
        ("alias", "kind"),
        [("wep", "WorkloadEndpoint"), ("POLICIES", "NetworkPolicy"), ("no", "Node"), ("pool", "IPPool"), ("x", None)],
    )
    def test_people_have_names_for_kinds(self, alias, kind):
        """Any case of any of the command line's names; unknown ones are None."""
        info = kind_named(alias)
        assert (info.kind if info else None) == kind

    def test_no_name_means_two_kinds(self):
        """Every alias and every plural belongs to one kind."""
        aliases = [alias for info in KINDS.values() for alias in info.aliases]
        plurals = [info.plural for info in KINDS.values()]
        assert len(aliases) == len(set(aliases))
        assert len(plurals) == len(set(plurals))

    def test_everything_exported_is_there(self):
        """Each public name can be imported from the package."""
        for name in percale.resources.__all__:
            assert getattr(percale.resources, name) is not None
        with pytest.raises(AttributeError):
            _ = percale.resources.Nothing


class TestWire:
    """Python's spelling and Calico's."""

    @pytest.mark.parametrize(
        ("python", "wire", "member"),
        [
            ("container_id", "containerID", "ContainerID"),
            ("ip_networks", "ipNetworks", "IPNetworks"),
            ("ip_nats", "ipNATs", "IPNATs"),
            ("pre_dnat", "preDNAT", "PreDNAT"),
            ("not_icmp", "notICMP", "NotICMP"),
            ("ipv4_gateway", "ipv4Gateway", "IPv4Gateway"),
            ("nat_outgoing_address", "natOutgoingAddress", "NATOutgoingAddress"),
            ("device_route_source_address_ipv6", "deviceRouteSourceAddressIPv6", "DeviceRouteSourceAddressIPv6"),
            ("mac", "mac", "MAC"),
            ("aws_src_dst_check", "awsSrcDstCheck", "AWSSrcDstCheck"),
        ],
    )
    def test_names(self, python, wire, member):
        """One function for JSON, one for the names in Calico's errors."""
        assert (wire_name(python), member_name(python)) == (wire, member)

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_member_is_camel_case(self, kind):
        """No underscore reaches the wire, except where Calico has one."""
        for field in inspect.type_info(type(KINDS[kind].type().spec)).fields:
            assert re.fullmatch("[a-z][a-zA-Z0-9]*", field.encode_name)


class TestFieldTypes:
    """Ports, numbers, times."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("80", 80),
            ("080", 80),
            ("0", 0),
            ("65535", 65535),
            ("1:2", "1:2"),
            ("01:2", "1:2"),
            ("5:5", 5),
            ("http", "http"),
        ],
    )
    def test_ports(self, text, value):
        """A port, a range or a name."""
        assert port(text) == value

    @pytest.mark.parametrize(
        ("form", "text"),
        [(port, "9" * 5000), (port, "1:" + "9" * 5000), (as_number, "9" * 5000), (duration, "9" * 5000 + "s")],
        ids=["port", "range", "AS number", "duration"],
    )
    def test_a_number_of_thousands_of_digits_is_refused_in_our_words(self, form, text):
        """Python's own limit is none of the reader's business."""
        with pytest.raises(ValueError, match="is not a"):
            form(text)

    @pytest.mark.parametrize("text", ["", "65536", "2:1", "1:65536", "80 ", "a b", "é", "x" * 129])
    def test_what_is_no_port(self, text):
        """Calico cannot decode it."""
        with pytest.raises(ValueError, match="port"):
            port(text)

    @pytest.mark.parametrize(("text", "value"), [("64512", 64512), ("1.10", 65546), ("65535.65535", 4294967295)])
    def test_as_numbers(self, text, value):
        """A number or two halves."""
        assert as_number(text) == value

    @pytest.mark.parametrize("text", ["4294967296", "1.65536", "1.2.3", "a", "-1", ""])
    def test_what_is_no_as_number(self, text):
        """Too great or no number."""
        with pytest.raises(ValueError, match="AS number"):
            as_number(text)

    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("90s", "1m30s"),
            ("15m", "15m0s"),
            ("1.5h", "1h30m0s"),
            ("100ms", "100ms"),
            ("1500ms", "1.5s"),
            ("1us", "1µs"),
            ("1ns", "1ns"),
            ("0", "0s"),
            ("-1m", "-1m0s"),
            (".5s", "500ms"),
            ("1h2m3.5s", "1h2m3.5s"),
        ],
    )
    def test_durations(self, text, canonical):
        """Go's canonical text."""
        assert duration(text) == canonical

    @pytest.mark.parametrize("text", ["", "5", "s", ".s", "1d", "1s ", "1h-1m", "9223372037s"])
    def test_what_is_no_duration(self, text):
        """No unit, an unknown one, or too long."""
        with pytest.raises(ValueError, match="span of time"):
            duration(text)

    @given(st.integers(-(2**63) + 1, 2**63 - 1))
    def test_durations_keep_every_nanosecond(self, nanoseconds):
        """Printing and reading is exact."""
        assert parse_duration(format_duration(nanoseconds)) == nanoseconds

    @pytest.mark.parametrize("text", ["2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05", "yesterday"])
    def test_what_is_no_time(self, text):
        """RFC 3339 with an offset."""
        with pytest.raises(ValueError, match="time"):
            moment(text)


class TestAddresses:
    """Addresses and networks as Calico reads them."""

    @given(st.integers(0, 2**128 - 1))
    def test_ipv6_is_printed_as_the_standard_library_prints_it(self, number):
        """RFC 5952: the witness is ipaddress."""
        witness = str(ipaddress.IPv6Address(number))
        assert format_address(Address(6, number)) == witness

    @given(
        st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).filter(lambda one: not getattr(one, "ipv4_mapped", None))
    )
    def test_printed_addresses_are_read_again(self, address):
        """What the standard library prints is understood."""
        assert parse_address(str(address)) == Address(address.version, int(address))
        assert parse_address(address.exploded) == Address(address.version, int(address))

    @given(st.from_regex(r"[0-9a-f:.]{1,20}(/[0-9]{1,3})?", fullmatch=True))
    def test_nothing_more_is_read_than_the_standard_library_reads(self, text):
        """Except prefix lengths with zeros in front, and IPv4-mapped addresses, which are IPv4 here."""
        if (found := parse_network(text, bare=True)) is not None:
            head, slash, tail = text.partition("/")
            witness = ipaddress.ip_interface(head + slash + (str(int(tail)) if slash else ""))
            assert witness.ip.version == found.version or witness.ip.ipv4_mapped

    def test_mapped_addresses_are_ipv4(self):
        """For every family test."""
        assert parse_address("::ffff:192.0.2.1") == parse_address("192.0.2.1")
        assert str(parse_network("::ffff:10.0.0.0/104")) == "10.0.0.0/8"

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("192.0.2.256", "an octet is at most 255"),
            ("192.0.02.1", "an octet has no leading zeros"),
            ("192.0.2", "an IPv4 address has four octets"),
            ("fe80::1%eth0", "leave the scope after '%' out"),
            ("1::2::3", "an IPv6 address has eight groups of up to four hexadecimal digits, or '::' once"),
            (" 192.0.2.1", "remove the blanks around it"),
            ("192.0.2.0/33", "a prefix length is at most 32"),
            ("192.0.2.0/255.255.255.0", "write the prefix length as a number, not as a netmask"),
            ("192.0.2.0/", "a prefix length follows the '/'"),
            ("web", "write it like 192.0.2.1 or 2001:db8::1"),
            ("192.0.2.\u00b9", "write it like 192.0.2.1 or 2001:db8::1"),
            pytest.param("9" * 5000, "an octet is at most 255", id="5000 digits"),
            pytest.param("192.0.2.0/" + "9" * 5000, "a prefix length is at most 32", id="length of 5000 digits"),
        ],
    )
    def test_the_reason_of_a_refusal_is_told(self, text, why):
        """In words, with the limit."""
        assert parse_network(text, bare=True) is None
        assert why_not_address(text) == why


class TestScalars:
    """Plain YAML scalars by Go's rules."""

    @pytest.mark.parametrize(
        ("text", "value", "written"),
        [
            ("yes", True, "true"),
            ("N", False, "false"),
            ("~", None, ""),
            ("010", 8, "8"),
            ("08", 8.0, "8"),
            ("0o17", 15, "15"),
            ("-0x10", -16, "-16"),
            ("0b11", 3, "3"),
            ("1_000", 1000, "1000"),
            ("1.10", 1.1, "1.1"),
            ("12e03", 12000.0, "12000"),
            ("1e6", 1e6, "1e+06"),
            ("123456.5", 123456.5, "123456.5"),
            ("16777217.0", 16777217.0, "1.6777216e+07"),
            ("0.00001", 1e-05, "1e-05"),
            ("-0", 0, "0"),
            ("1e400", "1e400", "1e400"),
            ("18446744073709551615", 2**64 - 1, "18446744073709551615"),
            ("18446744073709551616", float(2**64), "1.8446744e+19"),
            ("1e39", 1e39, "+Inf"),
            ("2001-01-01", "2001-01-01", "2001-01-01"),
            ("12:30:45", "12:30:45", "12:30:45"),
            ("0x", "0x", "0x"),
            ("+", "+", "+"),
            (".", ".", "."),
            ("٣", "٣", "٣"),
        ],
    )
    def test_values_and_their_texts(self, text, value, written):
        """What it means, and what it becomes where a text is wanted."""
        assert (resolved(text), type(resolved(text))) == (value, type(value))
        assert text_of(resolved(text)) == written

    @given(st.floats(width=32, allow_nan=False, allow_infinity=False))
    def test_the_text_of_a_32_bit_float_is_exact(self, value):
        """The shortest digits that give the same float back."""
        import struct

        assert struct.pack("<f", float(text_of(value))) == struct.pack("<f", value)


def test_policies_need_no_namespace_to_be_made():
    """Construction fills nothing in; checks are made when asked for."""
    assert NetworkPolicy().key == Key("NetworkPolicy", "", "")
