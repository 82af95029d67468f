# SPDX-License-Identifier: Apache-2.0
"""From messages about HostState to the desired content of our tables, and to what must change in them.

The renderer holds the whole desired state and a journal of what a batch of messages touched; its work grows with the
change, not with the state. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from percale.calc.host_state import (
    EndpointID,
    EndpointRemove,
    EndpointUpdate,
    InSync,
    IPSetDelta,
    IPSetRemove,
    IPSetUpdate,
    Message,
    PolicyRemove,
    PolicyUpdate,
    PoolRemove,
    PoolUpdate,
    ProfileRemove,
    ProfileUpdate,
    WorkloadInterface,
)
from percale.dataplane.claims import Claims
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.endpoints import (
    EndpointRouting,
    arp_elements,
    elements_of,
    floating_addresses,
    routing_of,
)
from percale.dataplane.floating import FloatingAddress, FloatingAddresses
from percale.dataplane.ip_sets import IPSets
from percale.dataplane.layout import ARP_OWN, FixedPart, arp_part, arp_table, filter_table, fixed_part
from percale.dataplane.pools import Pools
from percale.dataplane.program_store import ProgramStore
from percale.dataplane.programs import Program, RuleWriter, program_of
from percale.dataplane.ruleset import Ruleset
from percale.netlink.nftables.objects import Element

__all__ = ["Renderer"]

_Claim = tuple[tuple[str, str, str], EndpointID]


class _Placed(NamedTuple):
    """What an interface holds at present."""

    endpoint: WorkloadInterface
    programs: tuple[Program, Program]
    elements: frozenset[tuple[str, Element]]
    own: frozenset[Element]
    floating: frozenset[FloatingAddress]


class Renderer:
    """The desired state of one host's tables and routing.

    ``tables`` are the rulesets, each with its journal; ``routing`` is what each interface needs beside rules, and
    ``rerouted`` the interfaces where that changed in the last batch. ``unsupported`` are host endpoints, and workload
    endpoints on an interface that is not taken for a workload's: those must never judge the host's own traffic.
    """

    def __init__(self, config: DataplaneConfig) -> None:
        self.config = config
        self.filter, self.arp = Ruleset(filter_table(config)), Ruleset(arp_table(config))
        self._ip_sets = IPSets(self.filter, config.versions)
        self._programs = ProgramStore(self.filter, RuleWriter(config, self._ip_sets.name))
        self._pools = Pools(self.filter, config.versions)
        self._endpoints: dict[EndpointID, WorkloadInterface] = {}
        self._interfaces: Claims[str, _Claim] = Claims()
        self._placed: dict[str, _Placed] = {}
        self._floating = FloatingAddresses(self.filter)
        self.routing: dict[str, EndpointRouting] = {}
        self.rerouted: set[str] = set()
        self.unsupported: set[EndpointID] = set()
        _put(self.filter, fixed_part(config))
        _put(self.arp, arp_part())

    @property
    def tables(self) -> tuple[Ruleset, ...]:
        """The rulesets in the order in which they are programmed."""
        return self.filter, self.arp

    @property
    def programs(self) -> int:
        """How many rule programs there are."""
        return len(self._programs)

    @property
    def endpoints(self) -> int:
        """How many interfaces hold an endpoint."""
        return len(self._placed)

    def placed(self) -> Iterator[WorkloadInterface]:
        """The endpoints that hold their interfaces."""
        return (placed.endpoint for placed in self._placed.values())

    def apply(self, messages: Iterable[Message]) -> None:
        """Take in one batch of messages; raises KeyError where one breaks the protocol's rules."""
        touched: set[str] = set()
        for message in messages:
            self._take_in(message, touched)
        self.rerouted = set()
        for interface in sorted(touched):
            self._place(interface)
        self._programs.settle()
        self._pools.settle()

    def _take_in(self, message: Message, touched: set[str]) -> None:
        match message:
            case IPSetUpdate(ip_set):
                if self._ip_sets.put(ip_set):
                    self._programs.set_moved(ip_set.id)
            case IPSetDelta(set_id, added, removed):
                if self._ip_sets.change(set_id, added, removed):
                    self._programs.set_moved(set_id)
            case IPSetRemove(set_id):
                self._ip_sets.remove(set_id)
            case PolicyUpdate(policy):
                self._programs.put_policy(policy)
            case PolicyRemove(policy_id):
                self._programs.remove_policy(policy_id)
            case ProfileUpdate(profile):
                self._programs.put_profile(profile)
            case ProfileRemove(name):
                self._programs.remove_profile(name)
            case EndpointUpdate(endpoint):
                self._forget(endpoint.id, touched)
                if isinstance(endpoint, WorkloadInterface) and self.config.is_workload_interface(endpoint.interface):
                    self._endpoints[endpoint.id] = endpoint
                    self._interfaces.add(endpoint.interface, (endpoint.sort_key, endpoint.id))
                    touched.add(endpoint.interface)
                else:
                    self.unsupported.add(endpoint.id)
            case EndpointRemove(endpoint_id):
                self._forget(endpoint_id, touched)
            case PoolUpdate(pool):
                self._pools.put(pool)
            case PoolRemove(name):
                self._pools.remove(name)
            case InSync():
                pass

    def _forget(self, endpoint_id: EndpointID, touched: set[str]) -> None:
        self.unsupported.discard(endpoint_id)
        old = self._endpoints.pop(endpoint_id, None)
        if old is not None:
            self._interfaces.withdraw(old.interface, (old.sort_key, old.id))
            touched.add(old.interface)

    def _place(self, interface: str) -> None:
        """Make the interface hold its smallest claimant, or nothing."""
        winner = self._interfaces.winner(interface)
        old = self._placed.get(interface)
        if winner is None:
            if old is not None:
                self._move(old, None)
                del self._placed[interface]
                self._route(EndpointRouting(interface), gone=True)
            return
        endpoint = self._endpoints[winner[1]]
        if old is not None and old.endpoint == endpoint:
            return
        egress, ingress = program_of(endpoint, "egress"), program_of(endpoint, "ingress")
        placed = _Placed(
            endpoint,
            (egress, ingress),
            frozenset(elements_of(endpoint, egress.chain.name, ingress.chain.name, self.config)),
            frozenset(arp_elements(endpoint)),
            frozenset(floating_addresses(endpoint, self.config)),
        )
        self._move(old, placed)
        self._placed[interface] = placed
        self._route(routing_of(endpoint, self.config))

    def _move(self, old: _Placed | None, new: _Placed | None) -> None:
        """Replace what an interface holds; what both have in common is not touched."""
        before, after = old or _NOTHING, new or _NOTHING
        if new is not None:
            for program in new.programs:
                self._programs.acquire(program)
        for set_name, element in before.elements - after.elements:
            self.filter.discard(set_name, element)
        for set_name, element in after.elements - before.elements:
            self.filter.add(set_name, element)
        for element in before.own - after.own:
            self.arp.discard(ARP_OWN.name, element)
        for element in after.own - before.own:
            self.arp.add(ARP_OWN.name, element)
        for one in before.floating - after.floating:
            self._floating.withdraw(one)
        for one in after.floating - before.floating:
            self._floating.add(one)
        if old is not None:
            for program in old.programs:
                self._programs.release(program)

    def _route(self, routing: EndpointRouting, *, gone: bool = False) -> None:
        if self.routing.get(routing.interface) == (None if gone else routing):
            return
        if gone:
            del self.routing[routing.interface]
        else:
            self.routing[routing.interface] = routing
        self.rerouted.add(routing.interface)


_NOTHING = _Placed(
    WorkloadInterface(EndpointID("", "", ""), "", (), (), (), ()),
    (Program("egress", ()), Program("ingress", ())),
    frozenset(),
    frozenset(),
    frozenset(),
)


def _put(ruleset: Ruleset, part: FixedPart) -> None:
    for one, elements in part.sets:
        ruleset.put_set(one, elements)
    for chain, rules in part.chains:
        ruleset.put_chain(chain, rules)
