# SPDX-License-Identifier: Apache-2.0
"""Which flows the demo sends, and what its policies are meant to do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import permutations
from typing import Literal

__all__ = ["POLICIES", "WORKLOADS", "DemoFlow", "DemoWorkload", "all_flows", "meant_to_pass"]

Protocol = Literal["tcp", "udp", "icmp"]


@dataclass(frozen=True, slots=True)
class DemoWorkload:
    """A workload of the demo: its labels and its named ports, name to (protocol, number)."""

    name: str
    labels: Mapping[str, str]
    ports: Mapping[str, tuple[Literal["TCP", "UDP"], int]]

    def port(self, protocol: Literal["TCP", "UDP"], otherwise: int) -> int:
        """Its first port of a protocol, or a number where it has none."""
        return next((number for kind, number in self.ports.values() if kind == protocol), otherwise)


WORKLOADS = (
    DemoWorkload("web", {"app": "web"}, {"http": ("TCP", 8080)}),
    DemoWorkload("api", {"app": "api"}, {"http": ("TCP", 9090)}),
    DemoWorkload("db", {"app": "db"}, {"postgres": ("TCP", 5432), "metrics": ("UDP", 9187)}),
)

POLICIES = files(__package__).joinpath("policies.yaml")
_EXPECTED = files(__package__).joinpath("expected.txt")
_TELNET, _METRICS = 23, 9187


@dataclass(frozen=True, slots=True)
class DemoFlow:
    """One flow between two workloads, by name; ``port`` is 0 for ICMP."""

    source: str
    destination: str
    protocol: Protocol
    port: int
    ip_version: Literal[4, 6]

    @property
    def without_family(self) -> str:
        """The flow as ``expected.txt`` writes it."""
        port = f" {self.port}" if self.port else ""
        return f"{self.source} -> {self.destination} {self.protocol}{port}"

    def __str__(self) -> str:
        port = f" {self.port}" if self.port else ""
        return f"{self.source} → {self.destination} {self.protocol}{port} v{self.ip_version}"


def all_flows() -> list[DemoFlow]:
    """Every ordered pair of workloads, four flows each (service, telnet, UDP, ping), in both families."""
    versions: tuple[Literal[4, 6], ...] = (4, 6)
    return [
        DemoFlow(source.name, destination.name, protocol, port, version)
        for source, destination in permutations(WORKLOADS, 2)
        for protocol, port in _services(destination)
        for version in versions
    ]


def _services(destination: DemoWorkload) -> list[tuple[Protocol, int]]:
    return [
        ("tcp", destination.port("TCP", 80)),
        ("tcp", _TELNET),
        ("udp", destination.port("UDP", _METRICS)),
        ("icmp", 0),
    ]


def meant_to_pass() -> frozenset[str]:
    """The flows that are meant to be allowed, in the form of `DemoFlow.without_family`; all others are not."""
    lines = _EXPECTED.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
