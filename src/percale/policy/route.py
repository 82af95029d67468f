# SPDX-License-Identifier: Apache-2.0
"""The route of a flow through a cluster: which hosts judge it, and what each of them sees of its ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from percale.calc.cluster import Cluster
from percale.calc.contributors import Contributor
from percale.calc.networks import IPAddress
from percale.errors import Problem, ValidationError
from percale.policy.cluster_view import ClusterHosts, HostOfCluster
from percale.policy.directory import Directory, spoken_name
from percale.policy.flow import Flow
from percale.policy.host_path import HOST, End
from percale.policy.question import EXTERNAL, HOST_NAME, Party, Question

__all__ = ["Leg", "Route", "Terminal", "route"]

# Documentation addresses (RFC 5737, RFC 3849) stand for "somebody outside": no endpoint has them.
_SOMEBODY: Sequence[IPAddress] = (ip_address("192.0.2.1"), ip_address("2001:db8::1"))
_DEFAULT_INTERFACE, _ALL_INTERFACES, _LOOPBACK = "eth0", "*", "lo"


@dataclass(frozen=True, slots=True)
class Terminal:
    """One end of a flow as found in the cluster: ``node`` is empty outside, ``endpoint`` None for a bare host.

    ``is_process`` says that a process of the host itself sends or receives.
    """

    name: str
    address: IPAddress
    node: str = ""
    endpoint: Contributor | None = None
    is_process: bool = False

    def local_end(self) -> End:
        """Return the end as its own node sees it."""
        return HOST if self.is_process or self.endpoint is None else End(self.endpoint.id)


@dataclass(frozen=True, slots=True)
class Leg:
    """A host that judges the flow, and its ends as that host sees them."""

    host: HostOfCluster
    source: End
    destination: End


@dataclass(frozen=True, slots=True)
class Route:
    """A flow with its terminals and the hosts on its way, in order; none if no host of the cluster judges it."""

    flow: Flow
    source: Terminal
    destination: Terminal
    legs: tuple[Leg, ...]


def route(question: Question, hosts: ClusterHosts, directory: Directory) -> Route:
    """Return the route of the flow that a question asks about; raises ValidationError for what is not there."""
    places = _Places(question, hosts, directory)
    source, destination = places.terminals()
    flow = Flow(
        protocol=question.protocol,
        source=source.address,
        destination=destination.address,
        source_port=question.source.port,
        destination_port=question.destination.port,
        icmp_type=question.icmp_type,
        icmp_code=question.icmp_code,
        conntrack=question.conntrack,
        original_destination=question.via and question.via.address,
        original_port=(question.via and question.via.port) or None,
    )
    return Route(flow, source, destination, tuple(_legs(question, hosts, source, destination)))


def _legs(question: Question, hosts: ClusterHosts, source: Terminal, destination: Terminal) -> Iterable[Leg]:
    into, out = question.in_interface, question.out_interface
    if source.node and source.node == destination.node:
        if source.is_process and destination.is_process:
            yield Leg(hosts.host(source.node), HOST, End.outside(_LOOPBACK))
            yield Leg(hosts.host(source.node), End.outside(_LOOPBACK), HOST)
        else:
            yield Leg(hosts.host(source.node), source.local_end(), destination.local_end())
        return
    if source.node:
        host = hosts.host(source.node)
        yield Leg(host, source.local_end(), End.outside(out or _interface(host, source)))
    if question.node and question.node not in (source.node, destination.node):
        host = hosts.host(question.node)
        yield Leg(host, End.outside(into or _DEFAULT_INTERFACE), End.outside(out or _DEFAULT_INTERFACE))
    if destination.node:
        host = hosts.host(destination.node)
        yield Leg(host, End.outside(into or _interface(host, destination)), destination.local_end())


def _interface(host: HostOfCluster, terminal: Terminal) -> str:
    """The host's interface to the outside: the endpoint's own, the only one with a host endpoint, or eth0."""
    if terminal.is_process and terminal.endpoint and terminal.endpoint.interface not in ("", _ALL_INTERFACES):
        return terminal.endpoint.interface
    named = {each.interface for each in host.host_endpoints()} - {"", _ALL_INTERFACES}
    return named.pop() if len(named) == 1 else _DEFAULT_INTERFACE


class _Places:
    """Finds the terminals of one question."""

    def __init__(self, question: Question, hosts: ClusterHosts, directory: Directory) -> None:
        self.question, self.hosts, self.directory = question, hosts, directory
        self.cluster: Cluster = hosts.cluster

    def terminals(self) -> tuple[Terminal, Terminal]:
        source, destination = self.question.source, self.question.destination
        from_endpoint, to_endpoint = self._endpoint(source), self._endpoint(destination)
        from_node = self._node(source, from_endpoint, to_endpoint)
        to_node = self._node(destination, to_endpoint, from_endpoint)
        choices = (
            self._addresses(source, from_endpoint, from_node),
            self._addresses(destination, to_endpoint, to_node),
        )
        from_address, to_address = self._one_family(*choices)
        return (
            self._terminal(source, from_endpoint, from_node, from_address),
            self._terminal(destination, to_endpoint, to_node, to_address),
        )

    def _endpoint(self, party: Party) -> Contributor | None:
        if party.name and party.name not in (HOST_NAME, EXTERNAL):
            return self.directory.endpoint(party.name)
        if party.name or party.address is None:
            return None
        owner = self.cluster.endpoint_of_address(party.address)
        return self.cluster.endpoint(owner) if owner else None

    def _node(self, party: Party, own: Contributor | None, other: Contributor | None) -> str:
        if own is not None:
            return own.node
        if party.name != HOST_NAME:
            return ""
        node = party.node or (other.node if other else "")
        if not node:
            raise self._refused("it is not clear which host is meant", "write host@NODE")
        return node

    def _addresses(self, party: Party, endpoint: Contributor | None, node: str) -> Sequence[IPAddress]:
        if party.address is not None:
            return (party.address,)
        if party.name == EXTERNAL:
            return _SOMEBODY
        owned = self.hosts.host_endpoints(node) if endpoint is None else (endpoint,)
        found = tuple(ip_address(net.partition("/")[0]) for each in owned for net in each.nets)
        if not found:
            raise self._refused(f"no address of {party} is known", f"write {party.name or 'host'}@ADDRESS")
        return found

    def _one_family(self, source: Sequence[IPAddress], destination: Sequence[IPAddress]) -> tuple[IPAddress, IPAddress]:
        for first in source:
            for second in destination:
                if first.version == second.version:
                    return first, second
        raise self._refused("its ends have no addresses of one family", "choose with NAME@ADDRESS")

    def _terminal(self, party: Party, endpoint: Contributor | None, node: str, address: IPAddress) -> Terminal:
        is_process = bool(node) and (endpoint is None or endpoint.id.kind == "HostEndpoint")
        stranger = f"host {node}" if node else str(address)
        return Terminal(spoken_name(endpoint.id) if endpoint else stranger, address, node, endpoint, is_process)

    def _refused(self, message: str, hint: str) -> ValidationError:
        return ValidationError([Problem(path="", message=f"{self.question}: {message}", hint=hint)])
