# SPDX-License-Identifier: Apache-2.0
"""How long a change of policy takes until packets feel it, measured with new flows one after the other."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from percale.lab.site import Site
from percale.resources import EntityRule, NetworkPolicy, NetworkPolicySpec, ObjectMeta, Rule

__all__ = ["LiveChange", "measure"]

_PORT = 7007
_INTERVAL_S = 0.0005
_SETTLED = 40
"""So many new flows in a row must tell the same before the change counts as felt by all."""
_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class LiveChange:
    """A change of policy, and the milliseconds from the start of its write to the first flow that felt it."""

    what: str
    felt_ms: float


def measure(site: Site) -> list[LiveChange]:
    """Allow a new port from web to db by a policy, then take the policy away, under a stream of new flows."""
    policy = NetworkPolicy(
        metadata=ObjectMeta(name="live", namespace="default"),
        spec=NetworkPolicySpec(
            order=1,
            selector="app == 'db'",
            types=("Ingress",),
            ingress=(Rule(action="Allow", protocol="UDP", destination=EntityRule(ports=(_PORT,))),),
        ),
    )
    with _Stream(site) as stream:
        allowed = stream.felt(lambda: site.client.create(policy), arrives=True)
        denied = stream.felt(lambda: site.client.delete(NetworkPolicy, "live", "default"), arrives=False)
    return [
        LiveChange(f"policy created, web → db udp {_PORT} is now allowed", allowed),
        LiveChange(f"policy deleted, web → db udp {_PORT} is denied again", denied),
    ]


class _Stream:
    """New UDP flows from web to db, each from a socket of its own, every half millisecond, noted at the receiver."""

    def __init__(self, site: Site) -> None:
        self._source = site.world.workloads["web"]
        self._target = (site.addresses["db"][4], _PORT)
        self._receiver = site.world.workloads["db"].place.open_socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
        self._receiver.bind(self._target)
        self._receiver.settimeout(0.1)
        self._sent: list[float] = []
        self._arrived: set[int] = set()
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._source.within, args=(self._send,)),
            threading.Thread(target=self._receive),
        ]

    def __enter__(self) -> _Stream:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        self._receiver.close()

    def felt(self, change: Callable[[], object], *, arrives: bool) -> float:
        """Make a change and return the milliseconds until a first new flow, sent after it began, felt it."""
        began = time.monotonic()
        change()
        limit = began + _LIMIT_S
        while time.monotonic() < limit:
            time.sleep(0.02)
            # The last flows may still be on their way: judge only those sent a while ago.
            settled = sum(moment < time.monotonic() - 0.01 for moment in self._sent[-200:]) + max(
                0, len(self._sent) - 200
            )
            felt = [n for n in range(settled) if self._sent[n] > began and (n in self._arrived) == arrives]
            if len(felt) >= _SETTLED:
                return 1000 * (self._sent[felt[0]] - began)
        raise TimeoutError(f"no packet felt the change within {_LIMIT_S} s")

    def _send(self) -> None:
        number = 0
        while not self._done.is_set():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
                self._sent.append(time.monotonic())
                flow.sendto(number.to_bytes(8, "big"), self._target)
            number += 1
            time.sleep(_INTERVAL_S)

    def _receive(self) -> None:
        while not self._done.is_set():
            try:
                self._arrived.add(int.from_bytes(self._receiver.recv(64)[:8], "big"))
            except TimeoutError:
                continue
