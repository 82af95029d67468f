# SPDX-License-Identifier: Apache-2.0
"""A private host with the real agent and three workloads, for tests that send real packets."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from percale.lab.site import POOLS, Site
from percale.lab.world import HOST_ADDRESSES
from percale.netlink import namespace

POLICY = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: server, namespace: default}
spec:
  selector: role == 'server'
  types: [Ingress]
  ingress:
    - {action: Allow, protocol: TCP, source: {selector: role == 'client'}, destination: {ports: [8080]}}
    - {action: Allow, protocol: ICMP}
    - {action: Allow, protocol: ICMPv6}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: demo}
spec:
  ingress: [{action: Allow}]
  egress: [{action: Allow}]
"""
WORKLOADS = ("server", "client", "other")


@pytest.fixture(scope="session")
def _permitted() -> None:
    try:
        os.close(namespace.private())
    except PermissionError:
        pytest.skip("making a network namespace is not permitted here (needs CAP_SYS_ADMIN)")


@pytest.fixture
def bare_site(_permitted: None) -> Iterator[Site]:
    """A host with store, pools and the CNI executable, but no agent yet."""
    with Site() as site:
        site.add_pools()
        site.install_plugin()
        yield site


@pytest.fixture
def site(bare_site: Site) -> Site:
    """The host of the acceptance scenario at work: the agent, the policy, and three workloads by their role."""
    bare_site.start_agent()
    populate(bare_site)
    return bare_site


def populate(site: Site) -> None:
    """Apply the scenario's policy, connect its workloads, and teach the outside the way to them."""
    site.command("apply", "-f", "-", text=POLICY)
    for name in WORKLOADS:
        site.connect(name, {"role": name})
    site.world.route_outside(dict(zip(POOLS.values(), HOST_ADDRESSES, strict=True)))
    site.programmed()
