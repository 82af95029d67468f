# SPDX-License-Identifier: Apache-2.0
"""Packets in flight while the rules change: none that may pass is lost, none that may not gets through."""

from __future__ import annotations

import threading
from itertools import cycle, islice

import pytest
from tests.dataplane.language import allow, deny, endpoint, ip_set, policy, ports, profile, snapshot, tier, udp, updates
from tests.dataplane.wire import Wire, far_mac

from percale.calc.host_state import EndpointRemove, EndpointUpdate, IPSetDelta, PolicyUpdate
from percale.dataplane.kernel import KernelDataplane

pytestmark = pytest.mark.kernel

_ROUNDS = 300


@pytest.fixture
def wire(netns):
    made = Wire(netns)
    yield made
    made.close()


def _web(number):
    """One of several contents of a policy, all of which allow port 53 and deny port 54."""
    others = [allow(dst={"ports": ports(1000 + number + offset)}, protocol="udp") for offset in range(5)]
    return policy("web", ingress=[*others, deny(dst={"ports": ports(54)}, protocol="udp"), allow()])


def test_updates_lose_no_packet_and_leak_none(wire):
    """Under continuous updates of policies, sets and endpoints every allowed packet arrives and no denied one does."""
    members = ip_set("s:a", "10.65.0.1/32")
    inner = policy("inner", ingress=[allow({"ip_sets": ("s:a",)})])
    server = endpoint("b", "10.65.0.2/32", mac=far_mac("calib"), tiers=[tier(_web(0), inner)])
    client = endpoint("a", "10.65.0.1/32", mac=far_mac("calia"))
    other = endpoint("o", "10.65.0.7/32", tiers=[tier(inner)])
    with KernelDataplane() as dataplane:
        assert dataplane.apply(snapshot(members, _web(0), inner, server, client)).ok
        steps = cycle(
            [
                [PolicyUpdate(_web(1))],
                [IPSetDelta("s:a", frozenset({"10.9.0.0/16"}), frozenset())],
                [EndpointUpdate(other)],
                [PolicyUpdate(_web(2))],
                [EndpointRemove(other.id)],
                [IPSetDelta("s:a", frozenset(), frozenset({"10.9.0.0/16"}))],
                updates(profile(egress=[deny(dst={"ports": ports(55)}, protocol="udp"), allow()])),
                updates(profile()),
            ]
        )
        done = threading.Event()
        outcome = []
        thread = threading.Thread(target=lambda: outcome.append(_stream(wire, done)))
        thread.start()
        try:
            for messages in islice(steps, _ROUNDS):
                assert dataplane.apply(messages).ok
        finally:
            done.set()
            thread.join()
    ((sent, arrived, leaked),) = outcome
    assert sent > _ROUNDS / 10
    assert (arrived, leaked) == (sent, 0)


def _stream(wire, done):
    """Send allowed and denied packets by turns until ``done``; count the allowed, those that arrived, the leaked."""
    sent = arrived = leaked = 0
    while not done.is_set():
        asked = [
            udp("10.65.0.1", "10.65.0.2", port, source_port=1024 + (sent + offset) % 60000, iif="calia")
            for offset in range(20)
            for port in (53, 54)
        ]
        places = wire.arrivals(asked, range(0, 40, 2), quiet_s=0.0)
        sent += 20
        arrived += sum(place == "calib" for place in places[::2])
        leaked += sum(place is not None for place in places[1::2])
    return sent, arrived, leaked
