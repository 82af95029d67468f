# SPDX-License-Identifier: Apache-2.0
"""A table in a private namespace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from percale.netlink.nftables.connection import NftSocket
from percale.netlink.nftables.objects import Table
from percale.netlink.nftables.operations import Add, Batch


class Workbench:
    """One table and the socket that changes it."""

    def __init__(self, socket):
        self.socket = socket
        self.table = Table("inet", "bench")

    def commit(self, *operations, table=None):
        self.socket.commit(Batch(table or self.table, operations))

    def add(self, *items):
        self.commit(*map(Add, items))

    def rules(self, chain=""):
        return self.socket.rules(self.table, chain)

    def elements(self, item):
        return self.socket.elements(self.table, item)


@pytest.fixture
def bench(netns) -> Iterator[Workbench]:
    """An empty table ``inet bench`` in a private namespace."""
    with NftSocket() as socket:
        workbench = Workbench(socket)
        workbench.add(workbench.table)
        yield workbench
