# SPDX-License-Identifier: Apache-2.0
"""The host of the acceptance scenario (spec/dataplane.md section 5.6): three workloads by their role, one policy."""

from __future__ import annotations

from percale.lab.site import POOLS, Site
from percale.lab.world import HOST_ADDRESSES

__all__ = ["POLICY", "WORKLOADS", "populate"]

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


def populate(site: Site) -> None:
    """Apply the scenario's policy, connect its workloads, and teach the outside the way to them."""
    site.command("apply", "-f", "-", text=POLICY)
    for name in WORKLOADS:
        site.connect(name, {"role": name})
    site.world.route_outside(dict(zip(POOLS.values(), HOST_ADDRESSES, strict=True)))
    site.programmed()
