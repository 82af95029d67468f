# SPDX-License-Identifier: Apache-2.0
"""A change of the demo's policy while packets run, and how long it took until they felt it."""

from __future__ import annotations

from dataclasses import dataclass

from percale.lab.latency import NewFlows
from percale.lab.site import Site
from percale.resources import EntityRule, NetworkPolicy, NetworkPolicySpec, ObjectMeta, Rule

__all__ = ["LiveChange", "measure"]

_PORT = 7007


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
    web, db = site.world.workloads["web"], site.world.workloads["db"]
    with NewFlows(web, db, site.addresses["db"][4], _PORT) as flows:
        allowed = flows.felt_ms(lambda: site.client.create(policy), arrives=True)
        denied = flows.felt_ms(lambda: site.client.delete(NetworkPolicy, "live", "default"), arrives=False)
    return [
        LiveChange(f"policy created, web → db udp {_PORT} is now allowed", allowed),
        LiveChange(f"policy deleted, web → db udp {_PORT} is denied again", denied),
    ]
