# SPDX-License-Identifier: Apache-2.0
"""The seam between an agent and whatever enforces: the contract that each dataplane keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from percale.calc.host_state import EndpointID, Message
from percale.dataplane.plan import Plan
from percale.errors import PercaleError
from percale.netlink.rtnetlink.links import Link

__all__ = ["Applied", "Dataplane", "EndpointStatus", "Statistics"]

EndpointStatus: TypeAlias = Literal["up", "down", "error"]
"""``up``: programmed, and its interface carries packets; ``error``: the last programming failed."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one call did.

    ``plan`` is what was carried out, or with an ``error`` what should have been. ``error`` means that the tables are as
    they were: call ``resync`` after a pause. ``failures`` are single operations beside the tables that did not succeed;
    the next ``resync`` tries them again. ``retry_after_s`` asks for a ``resync`` then, for routes that are spared now.
    """

    plan: Plan = field(default_factory=Plan)
    in_sync: bool = True
    error: PercaleError | None = None
    failures: tuple[str, ...] = ()
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether all of the plan was carried out."""
        return self.error is None and not self.failures


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a dataplane holds and has done since it was started."""

    endpoints: int = 0
    programs: int = 0
    chains: int = 0
    rules: int = 0
    sets: int = 0
    elements: int = 0
    routes: int = 0
    unsupported: int = 0
    """Endpoints that are not programmed: host endpoints, and those whose interface is not a workload's by its name."""
    applied: int = 0
    """Plans carried out that were not empty."""
    failed: int = 0
    resyncs: int = 0
    operations: int = 0


class Dataplane(Protocol):
    """Makes a host enforce HostState.

    Until ``InSync`` has been heard nothing is changed, so that what a former run left stays in force. From then on each
    call to ``apply`` is one transaction per table; a call that changes nothing sends nothing.
    """

    def start(self) -> None:
        """Read what the host has; raises Refused if a table of our name is not ours, NetlinkError."""
        ...

    def apply(self, messages: Sequence[Message]) -> Applied:
        """Take in one batch of messages and program what it comes to; raises KeyError if they break the protocol."""
        ...

    def resync(self) -> Applied:
        """Read back all that is there and repair what differs: after an error, from time to time, and on drift."""
        ...

    def interface_changed(self, link: Link) -> Applied:
        """A link is new, has changed, or came up or went down."""
        ...

    def interface_gone(self, name: str) -> Applied:
        """A link is gone."""
        ...

    def plan(self, messages: Sequence[Message] = ()) -> Plan:
        """What ``apply`` of these messages and ``resync`` would do now, without doing it."""
        ...

    def uninstall(self) -> Plan:
        """Remove all that is ours, and nothing else; return what was done."""
        ...

    def statuses(self) -> Mapping[EndpointID, EndpointStatus]:
        """The status of each workload endpoint that holds its interface."""
        ...

    def statistics(self) -> Statistics:
        """What is held and what was done."""
        ...

    def close(self) -> None:
        """Close what is open; all that was programmed stays."""
        ...
