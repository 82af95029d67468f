# SPDX-License-Identifier: Apache-2.0
"""Members of one IP set against a plain count of contributions."""

from collections import Counter
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from percale.calc.members import Members
from percale.calc.nested_networks import NestedNetworks
from percale.calc.networks import Network, after, canonical_cidr, is_host, network, supernet, without_zero_length

_BITS = {4: 32, 6: 128}


@st.composite
def _networks(draw):
    """Networks near each other, so that they nest often."""
    version = draw(st.sampled_from([4, 4, 6]))
    length = draw(st.integers(_BITS[version] - 6, _BITS[version]))
    base = int(ip_address("10.0.0.0" if version == 4 else "fd00::"))
    return supernet(Network(version, base + draw(st.integers(0, 63)), _BITS[version]), length)


NETWORKS = _networks()
CIDRS = NETWORKS.map(str)
CONTRIBUTIONS = st.lists(CIDRS, max_size=4)


def _uncovered(cidrs):
    nets = {ip_network(cidr) for cidr in cidrs}
    inside = {a for a in nets for b in nets if a != b and a.version == b.version and a.subnet_of(b)}
    return {str(net) for net in nets - inside}


def _filled(contributions):
    return Members(contributions, with_networks=not all(map(is_host, contributions)))


@given(
    first=st.lists(CIDRS, max_size=8),
    changes=st.lists(st.tuples(st.booleans(), CONTRIBUTIONS, st.booleans()), max_size=12),
)
def test_members_are_those_contributed_at_least_once(first, changes):
    """Whatever is added and taken back, the rest is visible unless covered, and deltas tell exactly the difference."""
    members, counts = _filled(first), Counter(first)
    told = members.visible()
    for is_added, contributions, is_told in changes:
        if is_added:
            members.add(contributions)
            counts.update(contributions)
        else:
            contributions = list((Counter(contributions) & counts).elements())
            members.remove(contributions)
            counts -= Counter(contributions)
        assert members.visible() == _uncovered(counts)
        assert (told - members.removed) | members.added == members.visible()
        assert members.removed <= told
        assert not members.added & told
        if is_told:
            told = members.visible()
            members.settle()


def test_the_third_contributor_keeps_a_member():
    """A member goes with its last contributor, not with the second last."""
    members = Members(["10.0.0.1/32"])
    members.add(["10.0.0.1/32"])
    members.add(["10.0.0.1/32"])
    members.remove(["10.0.0.1/32"])
    members.remove(["10.0.0.1/32"])
    assert members.visible() == {"10.0.0.1/32"}
    members.remove(["10.0.0.1/32"])
    assert not members.visible()


def test_ports_are_never_merged():
    """Members with a port are texts to be compared, not networks."""
    members = Members(["10.0.0.1,tcp:80"])
    members.add(["10.0.0.1,tcp:81", "fd00::1,udp:53"])
    assert members.visible() == {"10.0.0.1,tcp:80", "10.0.0.1,tcp:81", "fd00::1,udp:53"}


def test_a_message_keeps_its_members():
    """What was told in a message does not change when the set does."""
    members = Members(["10.0.0.1/32"])
    told = members.visible()
    members.add(["10.0.0.2/32"])
    assert told == {"10.0.0.1/32"}


def test_a_broad_network_hides_what_it_covers_and_uncovers_only_its_children():
    """Taking away the broadest of three nested networks brings back the middle one alone."""
    nested = NestedNetworks(map(network, ["10.0.0.0/24", "10.0.0.0/28", "10.0.0.1/32"]))
    assert list(map(str, nested)) == ["10.0.0.0/24"]
    turn = nested.remove(network("10.0.0.0/24"))
    assert (list(map(str, turn.shown)), list(map(str, turn.hidden))) == (["10.0.0.0/28"], ["10.0.0.0/24"])


@given(inner=NETWORKS, outer=NETWORKS)
def test_networks_sort_before_what_is_inside(inner, outer):
    """The slice from a network to the one after it is exactly what it contains."""
    contains = inner.version == outer.version and ip_network(str(inner)).subnet_of(ip_network(str(outer)))
    assert (outer <= inner < after(outer)) is contains


def test_host_bits_are_masked_and_ipv6_is_short():
    """Members have one spelling."""
    assert canonical_cidr("10.1.2.3/8") == "10.0.0.0/8"
    assert canonical_cidr("10.0.0.1") == "10.0.0.1/32"
    assert canonical_cidr("FD00:0:0::1/128") == "fd00::1/128"
    assert canonical_cidr("fd00::1") == "fd00::1/128"


def test_zero_length_becomes_two_halves():
    """The kernel's sets have no network of length zero; one bit is the least."""
    assert without_zero_length("0.0.0.0/0") == ("0.0.0.0/1", "128.0.0.0/1")
    assert without_zero_length("::/0") == ("::/1", "8000::/1")
    assert without_zero_length("0.0.0.0/1") == ("0.0.0.0/1",)


def test_a_32_of_ipv6_is_not_an_address():
    """Only the full length is a single address."""
    assert is_host("10.0.0.1/32")
    assert is_host("fd00::1/128")
    assert not is_host("10.0.0.0/31")
    assert not is_host("fd00::/32")
