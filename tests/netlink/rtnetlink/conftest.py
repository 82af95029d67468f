# SPDX-License-Identifier: Apache-2.0
"""A veth pair in private namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from percale.netlink import namespace
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Link, Veth, add_veth, set_link

LOOPBACK = 1


@dataclass
class Wire:
    """A veth pair, up: ``near`` in the test's namespace, ``eth0`` in the namespace behind ``far``."""

    socket: RouteSocket
    near: Link
    far: int


@pytest.fixture
def socket(netns) -> Iterator[RouteSocket]:
    """A connection to rtnetlink in a private namespace whose loopback is up."""
    with RouteSocket() as connection:
        connection.perform(set_link(LOOPBACK, up=True))
        yield connection


def bring_up_eth0():
    with RouteSocket() as connection:
        link = connection.link("eth0")
        assert link is not None
        connection.perform(set_link(link.index, up=True))


@pytest.fixture
def wire(netns, socket) -> Wire:
    """A workload's wire, ready for addresses and routes."""
    far = netns.other()
    socket.perform(add_veth(Veth("cali1", "eth0", 100, peer_namespace=far, up=True)))
    namespace.in_namespace(far, bring_up_eth0)
    near = socket.link("cali1")
    assert near is not None
    return Wire(socket, near, far)
