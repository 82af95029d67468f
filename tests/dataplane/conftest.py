# SPDX-License-Identifier: Apache-2.0
"""Imaginary hosts for tests of the dataplane."""

from __future__ import annotations

import pytest

from percale.dataplane.config import DataplaneConfig
from percale.dataplane.twin import TwinDataplane


@pytest.fixture
def make_twin():
    """Makes twins: with a default route over eth0, links up for the named interfaces, and messages applied."""

    def make(*messages, links=(), **config):
        twin = TwinDataplane(DataplaneConfig(**config))
        twin.add_route("0.0.0.0/0", "eth0")
        twin.add_route("::/0", "eth0")
        for name in links:
            twin.network.set_link(name)
        twin.start()
        if messages:
            assert twin.apply(messages).ok
        return twin

    return make
