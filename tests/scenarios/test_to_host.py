# SPDX-License-Identifier: Apache-2.0
"""From a workload to its own host: egress policy and the endpoint-to-host action decide, one after the other."""

from __future__ import annotations

import pytest
from tests.scenarios.acceptance import populate
from tests.scenarios.language import allow, both, passing, policy

pytestmark = pytest.mark.kernel

FLOWS = ("client → host tcp 22", "client → host udp 53", "client → host icmp")


@pytest.mark.parametrize(("action", "passes"), [("Drop", False), ("Accept", True), ("Return", True)])
def test_the_action_decides_about_what_egress_policy_allows(site, action, passes):
    """Policy alone is not enough to reach the host; Accept and Return let through what it allows, and no more."""
    site.start_agent("--endpoint-to-host-action", action)
    populate(site)
    assert passing(site, FLOWS) == (both(*FLOWS) if passes else set())
    site.enforce(policy("quiet", "role == 'client'", egress=(allow("UDP", 53),)))
    assert passing(site, FLOWS) == (both("client → host udp 53") if passes else set())


@pytest.mark.parametrize("action", ["Accept", "Return"])
def test_the_hosts_own_firewall_still_counts(site, action):
    """Neither action hides a drop of another table on the same hook."""
    site.start_agent("--endpoint-to-host-action", action)
    populate(site)
    own = "table inet own { chain guard { type filter hook input priority 10; tcp dport 22 drop; }; }"
    done = site.world.host.run(["nft", own])
    assert done.returncode == 0, done.stderr
    assert passing(site, FLOWS) == both(*FLOWS) - both("client → host tcp 22")
