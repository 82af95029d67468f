# SPDX-License-Identifier: Apache-2.0
"""Questions as people write them."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from percale.errors import ValidationError
from percale.policy.flow import EPHEMERAL_PORT, Conntrack
from percale.policy.question import Party, Question, parse_question

WEB_TO_DB = Question(6, Party("shop/web", port=EPHEMERAL_PORT), Party("shop/db", port=5432))


@pytest.mark.parametrize(
    "text",
    [
        "tcp shop/web → shop/db:5432",
        "tcp shop/web -> shop/db:5432",
        "TCP shop/web to shop/db:5432",
        "shop/web → shop/db tcp 5432",
        "shop/web → shop/db tcp/5432",
        "tcp/5432 shop/web → shop/db",
        "6 shop/web → shop/db 5432",
        "shop/web → shop/db:5432",
        f"tcp shop/web:{EPHEMERAL_PORT} → shop/db:5432 new",
    ],
)
def test_one_question_has_several_spellings(text):
    """Protocol and port may stand where people expect them; TCP is meant where nothing is said."""
    assert parse_question(text) == WEB_TO_DB


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("10.0.0.1", Party("", ip_address("10.0.0.1"))),
        ("10.0.0.1:80", Party("", ip_address("10.0.0.1"), port=80)),
        ("fd00::1", Party("", ip_address("fd00::1"))),
        ("[fd00::1]", Party("", ip_address("fd00::1"))),
        ("[fd00::1]:80", Party("", ip_address("fd00::1"), port=80)),
        ("db@10.0.0.1:80", Party("db", ip_address("10.0.0.1"), port=80)),
        ("shop/db@fd00::1", Party("shop/db", ip_address("fd00::1"))),
        ("shop/db@[fd00::1]:80", Party("shop/db", ip_address("fd00::1"), port=80)),
        ("host:80", Party("host", port=80)),
        ("host@n1:80", Party("host", node="n1", port=80)),
        ("host@n1@192.0.2.1:80", Party("host", ip_address("192.0.2.1"), "n1", 80)),
        ("external:80", Party("external", port=80)),
    ],
)
def test_ends_are_names_addresses_or_both(text, party):
    """An end is a name, an address, or a name with one of its addresses; host@NODE names a host."""
    port = " 80" if not party.port else ""
    assert parse_question(f"a → {text}{port}").destination == party._replace(port=80)


def test_icmp_has_type_and_code():
    """Behind icmp stand type and code; both may be missing."""
    asked = [parse_question(f"{word} a → b") for word in ("icmp", "icmp/8", "icmpv6/128/0")]
    assert [(each.protocol, each.icmp_type, each.icmp_code) for each in asked] == [
        (1, None, None),
        (1, 8, None),
        (58, 128, 0),
    ]


def test_options_say_the_rest():
    """Connection state, interfaces, the address before a DNAT and the forwarding host are words behind the ends."""
    asked = parse_question("udp a → b:53 established in=eth1 out=eth2 via=203.0.113.5:5353 at=n1")
    assert (asked.conntrack, asked.in_interface, asked.out_interface) == (Conntrack.ESTABLISHED, "eth1", "eth2")
    assert (asked.via, asked.node) == (Party("", ip_address("203.0.113.5"), port=5353), "n1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "two ends"),
        ("web db", "two ends"),
        ("→ db", "two ends"),
        ("web →", "two ends"),
        ("a → b → c", "two ends"),
        ("tcp a → b", "needs the port"),
        ("tcp a → fd00::1:80", "needs the port"),
        ("tcp a → b:65536", "0 to 65535"),
        ("tcp a → b:http", "0 to 65535"),
        ("tcp/1/2 a → b", "PROTOCOL/PORT"),
        ("256 a → b", "0 to 255"),
        ("icmp/256 a → b", "0 to 255"),
        ("icmp/8/0/0 a → b", "PROTOCOL/TYPE/CODE"),
        ("icmp a → b:80", "no ports"),
        ("47 a:1 → b", "no ports"),
        ("tcp udp a → b:1", "second time"),
        ("tcp a → b:1 2", "second time"),
        ("tcp a → b 1 2", "second time"),
        ("tcp a → b:1 new established", "second time"),
        ("tcp a → b:1 in=x in=y", "second time"),
        ("tpc a → b:1", "'tpc'"),
        ("tcp a → b:1 in=", "'in='"),
        ("tcp a@b → c:1", "NAME@ADDRESS"),
        ("tcp a@ → c:1", "NAME@ADDRESS"),
        ("tcp host@n1@n2 → c:1", "NAME@ADDRESS"),
        ("tcp @10.0.0.1 → c:1", "no name"),
        ("tcp a → b:1 via=c", "not an address"),
    ],
)
def test_what_cannot_be_understood_is_refused(text, said):
    """A question that is not one is refused with what is wrong and an example of how to write it."""
    with pytest.raises(ValidationError, match=said) as refused:
        parse_question(text)
    assert "shop/web → shop/db:5432" in str(refused.value)


@pytest.mark.parametrize("port", [1, 65535])
def test_ports_reach_from_1_to_65535(port):
    """The last port is 65535."""
    assert parse_question(f"tcp a → b:{port}").destination.port == port


@given(st.text(alphabet="ab10./:@[]→->= \ttcpudhosexrnlia", max_size=40))
def test_any_text_is_read_or_refused(text):
    """No text breaks the reader in another way than by being refused."""
    with suppress(ValidationError):
        assert parse_question(text).destination
