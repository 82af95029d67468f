# SPDX-License-Identifier: Apache-2.0
"""The dataplane of the running kernel: nf_tables, rtnetlink, ctnetlink and /proc/sys of one network namespace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from select import select

from percale.dataplane.config import DataplaneConfig
from percale.dataplane.dataplane import Applied
from percale.dataplane.kernel_network import KernelNetwork
from percale.dataplane.reconciler import Reconciler
from percale.netlink.nftables.connection import Monitor, NftSocket
from percale.netlink.nftables.objects import Table
from percale.netlink.rtnetlink.connection import Event, RouteMonitor
from percale.netlink.rtnetlink.links import Link
from percale.netlink.rtnetlink.neighbors import Neighbor
from percale.netlink.rtnetlink.routes import Route
from percale.netlink.socket import NetlinkError

__all__ = ["KernelDataplane"]


class KernelDataplane(Reconciler):
    """Programs the network namespace of the thread that makes it; a context manager, for that thread alone.

    ``descriptors`` become readable when links come and go or when somebody else changed what is ours; ``attend`` then
    does what is needed. Raises OSError where netlink may not be used.
    """

    def __init__(self, config: DataplaneConfig | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        config = config or DataplaneConfig()
        self._socket, self._own_network = NftSocket(), KernelNetwork()
        self._rules_monitor, self._network_monitor = Monitor(), RouteMonitor(("link", "route", "neighbor"))
        super().__init__(config, self._socket, self._own_network, clock=clock)

    @property
    def messages_sent(self) -> int:
        """How many netlink messages nf_tables has been sent so far."""
        return self._socket.statistics().messages_sent

    @property
    def descriptors(self) -> tuple[int, ...]:
        """File descriptors for ``select``: readable when ``attend`` has something to do."""
        return self._rules_monitor.fileno(), self._network_monitor.fileno()

    def attend(self, timeout_s: float = 0.0) -> list[Applied]:
        """Handle what the kernel reports within ``timeout_s`` seconds: links that changed, and drift, repaired at once.

        Lost notifications are answered by reading everything again.
        """
        ready, _, _ = select(self.descriptors, (), (), timeout_s)
        if not ready:
            return []
        try:
            drifted = self._tables_touched() if self._rules_monitor.fileno() in ready else False
            events = self._network_monitor.receive(0) if self._network_monitor.fileno() in ready else []
            touched = _touched_links(events)
            links = {name: self._own_network.link(name) for name in touched if self.config.is_workload_interface(name)}
        except NetlinkError:
            return [self.resync()]
        # What was reported of a link may be overtaken already; what counts is what it is by now.
        done = [
            self.interface_gone(name) if link is None else self.interface_changed(link, flapped=touched[name])
            for name, link in links.items()
        ]
        if drifted or self._routes_touched(events):
            done.append(self.resync())
        return done

    def close(self) -> None:
        """Close the sockets; all that was programmed stays."""
        super().close()
        self._rules_monitor.close()
        self._network_monitor.close()

    def _tables_touched(self) -> bool:
        ours = {(table.family, table.name) for table in self._own_tables()}
        return any(
            (change.family, change.table) in ours and change.port_id != self._socket.port_id
            for change in self._rules_monitor.receive(0)
        )

    def _own_tables(self) -> Iterable[Table]:
        return (ruleset.table for ruleset in self._renderer.tables)

    def _routes_touched(self, events: Iterable[Event]) -> bool:
        """Whether somebody else touched a route or a neighbor of an interface of ours."""
        return any(
            isinstance(event.item, Route | Neighbor)
            and event.port_id not in (0, *self._own_network.port_ids)
            and self._routing.concerns(event.item)
            for event in events
        )


def _touched_links(events: Iterable[Event]) -> dict[str, bool]:
    """The links that were reported by name, each with whether it was down or gone in between."""
    touched: dict[str, bool] = {}
    for event in events:
        if isinstance(event.item, Link):
            away = event.verb == "delete" or not event.item.up
            touched[event.item.name] = touched.get(event.item.name, False) or away
    return touched
