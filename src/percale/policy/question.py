# SPDX-License-Identifier: Apache-2.0
"""The question as people write it: ``tcp shop/web → shop/db:5432``.

::

    question  = words end arrow end words
    arrow     = "→" | "->" | "to"
    end       = name [ "@" address ] [ ":" port ] | address [ ":" port ]
    name      = namespace "/" endpoint | endpoint | "host" [ "@" node ] | "external"
    words     = protocol [ "/" port ] | icmp [ "/" type [ "/" code ] ] | port (behind the second end)
              | "new" | "established" | "related" | "invalid" | "in=" interface | "out=" interface
              | "via=" address [ ":" port ] | "at=" node

An IPv6 address with a port stands in brackets: ``[fd00::1]:80``. ``via`` is the destination before a DNAT, ``at`` the
host that forwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from percale.calc.networks import IPAddress
from percale.errors import Problem, ValidationError
from percale.policy.flow import (
    EPHEMERAL_PORT,
    PROTOCOL_NUMBERS,
    TCP,
    Conntrack,
    has_ports,
    is_icmp,
    service_text,
)

__all__ = ["EXTERNAL", "HOST_NAME", "Party", "Question", "parse_question"]

HOST_NAME, EXTERNAL = "host", "external"
_ARROWS = ("→", "->", "to")
_EXAMPLE = "write it like 'tcp shop/web → shop/db:5432', 'icmp/8 10.0.0.1 → web' or 'udp external → host:53'"


class Party(NamedTuple):
    """One end as written: an endpoint by name, ``host``, ``external``, or nothing but an address.

    ``node`` names the host of ``host@NODE``; ``port`` is 0 where none was given.
    """

    name: str = ""
    address: IPAddress | None = None
    node: str = ""
    port: int = 0

    def __str__(self) -> str:
        place = self.node or (str(self.address) if self.address else "")
        return f"{self.name}@{place}" if self.name and place else self.name or place


@dataclass(frozen=True, slots=True)
class Question:
    """A flow between two parties, before names have become addresses."""

    protocol: int
    source: Party
    destination: Party
    icmp_type: int | None = None
    icmp_code: int | None = None
    conntrack: Conntrack = Conntrack.NEW
    in_interface: str = ""
    out_interface: str = ""
    via: Party | None = None
    node: str = ""

    def __str__(self) -> str:
        port = f":{self.destination.port}" if self.destination.port else ""
        service = service_text(self.protocol, self.icmp_type, self.icmp_code)
        return f"{service}  {self.source} → {self.destination}{port}"


def parse_question(text: str) -> Question:
    """Return the question that a text asks; raises ValidationError with what is wrong and how to write it.

    Without a protocol it is TCP; without a port on the source it is an ephemeral one.
    """
    tokens = text.split()
    arrows = [number for number, token in enumerate(tokens) if token in _ARROWS]
    if len(arrows) != 1 or not 0 < arrows[0] < len(tokens) - 1:
        raise _refused(text, "a flow has two ends with one arrow between them")
    before, behind = tokens[: arrows[0]], tokens[arrows[0] + 1 :]
    reader = _Reader(text)
    source, destination = reader.party(before.pop()), reader.party(behind.pop(0))
    for word in before:
        reader.word(word)
    for word in behind:
        reader.word(word, may_be_port=True)
    return reader.question(source, destination)


def _refused(text: str, message: str) -> ValidationError:
    return ValidationError([Problem(path="", message=f"flow {text!r}: {message}", hint=_EXAMPLE, value=text)])


class _Reader:
    """Reads the words of one question; each word that says the same thing twice is refused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.protocol: int | None = None
        self.port: int | None = None
        self.icmp: list[int] = []
        self.conntrack: Conntrack | None = None
        self.named: dict[str, str] = {}

    def party(self, token: str) -> Party:
        host, port = self._split(token)
        name, *places = host.split("@")
        bare = _address(name)
        found = Party("" if bare else name, bare, "", port)
        for place in places:
            chosen = _address(place.strip("[]"))
            if chosen and not found.address:
                found = found._replace(address=chosen)
            elif place and not chosen and name == HOST_NAME and not found.node:
                found = found._replace(node=place)
            else:
                raise self.refused(f"{token!r} is neither NAME@ADDRESS nor host@NODE")
        if not name:
            raise self.refused(f"{token!r} has no name before the @")
        return found

    def word(self, word: str, *, may_be_port: bool = False) -> None:
        key, equals, value = word.partition("=")
        head, *numbers = word.lower().split("/")
        if equals and key in ("in", "out", "via", "at") and value:
            self._once(key not in self.named, word)
            self.named[key] = value
        elif word in tuple(Conntrack):
            self._once(self.conntrack is None, word)
            self.conntrack = Conntrack(word)
        elif may_be_port and word.isdecimal():
            self._set_port(word)
        elif head in PROTOCOL_NUMBERS or head.isdecimal():
            self._once(self.protocol is None, word)
            self.protocol = self._number(head, 255) if head.isdecimal() else PROTOCOL_NUMBERS[head]
            self._detail(word, numbers)
        else:
            raise self.refused(f"{word!r} is no protocol, port or option")

    def question(self, source: Party, destination: Party) -> Question:
        protocol = TCP if self.protocol is None else self.protocol
        if self.port is not None:
            self._once(not destination.port, f"{self.port}")
            destination = destination._replace(port=self.port)
        if has_ports(protocol):
            if not destination.port:
                raise self.refused(f"{service_text(protocol)} needs the port that is asked for")
            source = source._replace(port=source.port or EPHEMERAL_PORT)
        elif source.port or destination.port:
            raise self.refused(f"protocol {service_text(protocol)} has no ports")
        via = self.party(self.named["via"]) if "via" in self.named else None
        if via and via.address is None:
            raise self.refused(f"via={self.named['via']} is not an address")
        icmp_type, icmp_code = (*self.icmp, None, None)[:2]
        return Question(
            protocol=protocol,
            source=source,
            destination=destination,
            icmp_type=icmp_type,
            icmp_code=icmp_code,
            conntrack=self.conntrack or Conntrack.NEW,
            in_interface=self.named.get("in", ""),
            out_interface=self.named.get("out", ""),
            via=via,
            node=self.named.get("at", ""),
        )

    def refused(self, message: str) -> ValidationError:
        return _refused(self.text, message)

    def _detail(self, word: str, numbers: list[str]) -> None:
        if is_icmp(self.protocol or 0):
            if len(numbers) > 2:
                raise self.refused(f"{word!r} is not PROTOCOL/TYPE/CODE")
            self.icmp = [self._number(number, 255) for number in numbers]
        elif len(numbers) > 1:
            raise self.refused(f"{word!r} is not PROTOCOL/PORT")
        elif numbers:
            self._set_port(numbers[0])

    def _set_port(self, text: str) -> None:
        self._once(self.port is None, text)
        self.port = self._number(text, 65535)

    def _split(self, text: str) -> tuple[str, int]:
        """The part before the port, and the port."""
        last = text.rpartition("@")[2]
        if _address(last) or ":" not in last or last.endswith("]"):
            return text.strip("[]"), 0
        host, _, port = text.rpartition(":")
        return host.strip("[]"), self._number(port, 65535)

    def _number(self, text: str, largest: int) -> int:
        if not text.isdecimal() or int(text) > largest:
            raise self.refused(f"{text!r} is not a number from 0 to {largest}")
        return int(text)

    def _once(self, first: bool, word: str) -> None:
        if not first:
            raise self.refused(f"{word!r} says a second time what was said before")


def _address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
