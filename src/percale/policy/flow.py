# SPDX-License-Identifier: Apache-2.0
"""The flow: one packet's protocol, addresses, ports and connection state, as policy judges it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from percale.calc.networks import IPAddress

__all__ = [
    "EPHEMERAL_PORT",
    "ICMP",
    "ICMPV6",
    "IPIP",
    "PROTOCOL_NUMBERS",
    "TCP",
    "UDP",
    "Conntrack",
    "Flow",
    "has_ports",
    "is_icmp",
    "protocol_name",
    "protocol_number",
    "service_text",
]

# Protocols that policy knows by name (spec/policy.md section 4); the numbers are IANA's.
PROTOCOL_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132, "udplite": 136}
_PROTOCOL_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}
_WITH_PORTS = frozenset(PROTOCOL_NUMBERS[name] for name in ("tcp", "udp", "sctp", "udplite"))
ICMP, TCP, UDP, ICMPV6 = (PROTOCOL_NUMBERS[name] for name in ("icmp", "tcp", "udp", "icmpv6"))
IPIP = 4
EPHEMERAL_PORT = 49152
"""Where the range begins that clients take their ports from (RFC 6335 section 6)."""


def protocol_number(protocol: int | str) -> int:
    """Return the IP protocol number of a name in any case, or of a number; raises KeyError for an unknown name."""
    return protocol if isinstance(protocol, int) else PROTOCOL_NUMBERS[protocol.lower()]


def protocol_name(number: int) -> str:
    """Return the lower-case name of an IP protocol, or its number as text where policy has no name for it."""
    return _PROTOCOL_NAMES.get(number, str(number))


def has_ports(protocol: int) -> bool:
    """Say whether packets of this protocol have ports."""
    return protocol in _WITH_PORTS


def is_icmp(protocol: int) -> bool:
    """Say whether packets of this protocol have a type and code instead of ports."""
    return protocol in (ICMP, ICMPV6)


class Conntrack(StrEnum):
    """What the kernel's connection tracking says of a packet (spec/policy.md section 6)."""

    NEW = "new"
    ESTABLISHED = "established"
    RELATED = "related"
    INVALID = "invalid"
    UNTRACKED = "untracked"


@dataclass(frozen=True, slots=True)
class Flow:
    """One packet: by default the first of its connection, for later ones are accepted without asking policy.

    IPAddresses are final; ``original_destination`` and ``original_port`` are those before a DNAT, None where there was
    none. Ports are 0 and ICMP type and code None where the protocol has none.
    """

    protocol: int
    source: IPAddress
    destination: IPAddress
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int | None = None
    icmp_code: int | None = None
    conntrack: Conntrack = Conntrack.NEW
    original_destination: IPAddress | None = None
    original_port: int | None = None

    @property
    def ip_version(self) -> int:
        """4 or 6."""
        return self.destination.version

    def before_dnat(self) -> Flow:
        """Return the flow as it was sent, which is what untracked and pre-DNAT policy judges."""
        if self.original_destination is None and self.original_port is None:
            return self
        return replace(
            self,
            destination=self.original_destination or self.destination,
            destination_port=self.destination_port if self.original_port is None else self.original_port,
            original_destination=None,
            original_port=None,
        )

    def untracked(self) -> Flow:
        """Return the flow as connection tracking sees it after untracked policy accepted it."""
        return replace(self, conntrack=Conntrack.UNTRACKED)

    def __str__(self) -> str:
        service = service_text(self.protocol, self.icmp_type, self.icmp_code)
        source = _with_port(self.source, self.source_port)
        return f"{service} {source} → {_with_port(self.destination, self.destination_port)}"


def service_text(protocol: int, icmp_type: int | None = None, icmp_code: int | None = None) -> str:
    """Return a protocol's name with the ICMP type and code where given: ``tcp``, ``icmp/8/0``."""
    numbers = [str(number) for number in (icmp_type, icmp_code) if number is not None]
    return "/".join([protocol_name(protocol), *numbers])


def _with_port(address: IPAddress, port: int) -> str:
    if not port:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
