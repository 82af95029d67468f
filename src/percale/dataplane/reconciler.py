# SPDX-License-Identifier: Apache-2.0
"""The dataplane proper: from messages to plans, and from plans to what a host holds, kernel or imaginary."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from percale.calc.host_state import EndpointID, InSync, Message
from percale.dataplane.config import DataplaneConfig
from percale.dataplane.dataplane import Applied, EndpointStatus, Statistics
from percale.dataplane.network import HostNetwork, NetworkOperation, SetSysctl
from percale.dataplane.plan import Plan
from percale.dataplane.renderer import Renderer
from percale.dataplane.routing import Routing, global_sysctls
from percale.dataplane.tables import Nftables, Tables
from percale.errors import Refused
from percale.netlink.rtnetlink.links import Link
from percale.netlink.socket import NetlinkError

__all__ = ["Reconciler"]

_RP_FILTER_DEFAULT = "net/ipv4/conf/default/rp_filter"


class Reconciler:
    """Keeps the tables and the network of a host equal to HostState; see ``Dataplane`` for the contract."""

    def __init__(
        self,
        config: DataplaneConfig,
        nftables: Nftables,
        network: HostNetwork,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._nftables, self._network = nftables, network
        self._renderer = Renderer(config)
        self._tables = Tables(nftables, self._renderer.tables, force=config.force)
        self._routing = Routing(config, clock=clock)
        self._pending_sysctls: tuple[SetSysctl, ...] = ()
        self._started = self._in_sync = self._network_read = self._broken = False
        self._counts = Statistics()

    def __enter__(self) -> Reconciler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Read what the host has; raises Refused if a table of our name is not ours, NetlinkError."""
        self._tables.read()
        if self.config.rp_filter is None:
            self._routing.rp_filter = self._network.sysctl(_RP_FILTER_DEFAULT) or "1"
        self._started = True

    def apply(self, messages: Sequence[Message]) -> Applied:
        """Take in one batch of messages and program what it comes to; raises KeyError if they break the protocol."""
        if not self._started:
            self.start()
        self._take_in(messages)
        return self._carry_out()

    def resync(self) -> Applied:
        """Read back all that is there and repair what differs."""
        self._counts = replace(self._counts, resyncs=self._counts.resyncs + 1)
        self._tables.distrust()
        try:
            self._read_network()
        except NetlinkError as error:
            return self._failed(Plan(), error)
        return self._carry_out()

    def interface_changed(self, link: Link, *, flapped: bool = False) -> Applied:
        """A link is new, has changed, or came up or went down; ``flapped``: it was down in between."""
        self._routing.link_changed(link, flapped=flapped)
        return self._carry_out()

    def interface_gone(self, name: str) -> Applied:
        """A link is gone."""
        self._routing.link_gone(name)
        return self._carry_out()

    def plan(self, messages: Sequence[Message] = ()) -> Plan:
        """What ``apply`` of these messages and ``resync`` would do now, without doing it; Refused, NetlinkError."""
        self._take_in(messages)
        self._tables.distrust()
        self._read_network()
        plan = Plan(self._tables.plan(), self._network_operations())
        self._tables.distrust()
        self._read_network()
        return plan

    def uninstall(self) -> Plan:
        """Remove all that is ours, and nothing else; return what was done. Raises Refused and NetlinkError."""
        self._read_network()
        network = self._routing.owned(self._network.routes(), self._network.neighbors())
        plan = Plan(self._tables.uninstall(), tuple(network))
        for batch in plan.batches:
            self._nftables.commit(batch)
        self._network.perform(plan.network)
        self._tables.distrust()
        self._started = self._in_sync = self._network_read = False
        return plan

    def statuses(self) -> Mapping[EndpointID, EndpointStatus]:
        """The status of each workload endpoint that holds its interface."""
        return {
            endpoint.id: "error"
            if self._broken
            else "up"
            if self._in_sync and endpoint.active and self._routing.is_up(endpoint.interface)
            else "down"
            for endpoint in self._renderer.placed()
        }

    def statistics(self) -> Statistics:
        """What is held and what was done."""
        contents = [ruleset.contents for ruleset in self._renderer.tables]
        return replace(
            self._counts,
            endpoints=self._renderer.endpoints,
            programs=self._renderer.programs,
            chains=sum(len(one.chains) for one in contents),
            rules=sum(len(rules) for one in contents for rules in one.rules.values()),
            sets=sum(len(one.sets) for one in contents),
            elements=sum(len(elements) for one in contents for elements in one.elements.values()),
            routes=self._routing.routes,
            unsupported=len(self._renderer.unsupported),
        )

    def close(self) -> None:
        """Close what is open; all that was programmed stays."""
        self._nftables.close()
        self._network.close()

    def _take_in(self, messages: Sequence[Message]) -> None:
        self._renderer.apply(messages)
        for interface in sorted(self._renderer.rerouted):
            self._routing.want(interface, self._renderer.routing.get(interface))
        self._in_sync = self._in_sync or any(isinstance(message, InSync) for message in messages)

    def _read_network(self) -> None:
        network = self._network
        self._routing.resync(network.links(), network.routes(), network.neighbors())
        self._pending_sysctls = tuple(global_sysctls(self.config))
        self._network_read = True

    def _carry_out(self) -> Applied:
        """Program what is pending: the tables first, so that nothing is reachable before it is policed."""
        if not self._in_sync:
            return Applied(in_sync=False)
        plan = Plan()
        try:
            if not self._network_read:
                # Not before all that is wanted is known, so that what is there already is recognised.
                self._read_network()
            plan = Plan(self._tables.plan())
            self._tables.commit(plan.batches)
        except (NetlinkError, Refused) as error:
            return self._failed(plan, error)
        self._broken = False
        operations = self._network_operations()
        plan = replace(plan, network=operations)
        failures = self._network.perform(operations)
        texts = tuple(f"{operations[position]}: {error}" for position, error in sorted(failures.items()))
        self._counts = replace(
            self._counts,
            applied=self._counts.applied + bool(plan),
            failed=self._counts.failed + bool(texts),
            operations=self._counts.operations + len(plan),
        )
        return Applied(plan, failures=texts, retry_after_s=self._routing.spared_s)

    def _network_operations(self) -> tuple[NetworkOperation, ...]:
        """What is to be done beside the tables; a sysctl that is absent or has its value already needs no writing."""
        pending, self._pending_sysctls = self._pending_sysctls, ()
        return tuple(
            one
            for one in (*pending, *self._routing.take_operations())
            if not isinstance(one, SetSysctl) or self._network.sysctl(one.path) not in (None, one.value)
        )

    def _failed(self, plan: Plan, error: NetlinkError | Refused) -> Applied:
        self._broken = True
        self._tables.distrust()
        self._counts = replace(self._counts, failed=self._counts.failed + 1)
        return Applied(plan, in_sync=self._in_sync, error=error)
