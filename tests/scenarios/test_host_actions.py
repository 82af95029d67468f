# SPDX-License-Identifier: Apache-2.0
"""From a workload to its own host: the three endpoint-to-host actions, with real packets."""

from __future__ import annotations

import pytest
from tests.scenarios.acceptance import populate
from tests.scenarios.flows import observed

from percale.lab.site import Site

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(("action", "arrives"), [("Drop", False), ("Accept", True), ("Return", True)])
def test_endpoint_to_host_action(bare_site: Site, action: str, arrives: bool):
    """What a workload's egress policy allowed reaches its own host only if the action lets it."""
    bare_site.start_agent("--endpoint-to-host-action", action)
    populate(bare_site)
    flows = ("client -> host tcp 80", "client -> host udp 53", "client -> host icmp")
    # ICMPv6 echo requests are not among the exceptions: both families agree.
    assert observed(bare_site, *flows) == dict.fromkeys(flows, arrives)
