# SPDX-License-Identifier: Apache-2.0
"""The agent as a whole on a private host, with packets (P6 to P9 and P12 of spec/performance.md)."""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from percale.lab.site import NODE, Site
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import add_link
from percale.resources import (
    EntityRule,
    NetworkPolicy,
    NetworkPolicySpec,
    ObjectMeta,
    Rule,
    WorkloadEndpoint,
    WorkloadEndpointSpec,
)

ENDPOINTS, POLICIES, ROUNDS, ADDS = 500, 100, 30, 30
PORT = 7100


def main() -> None:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file too")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with Site() as site:
        site.add_pools()
        site.install_plugin()
        load(site)
        figures["P8 cold start, 500 endpoints + 100 policies, to programmed (ms)"] = started(site)
        figures["P8 resident memory of the agent (MiB)"] = resident_mib(site)
        site.connect("web", {"role": "web"})
        site.connect("db", {"role": "db"})
        site.programmed()
        figures |= felt(site)
        figures |= restarted(site)
        figures |= plugin(site)
    width = max(map(len, figures))
    for name, figure in figures.items():
        print(f"{name:<{width}}  {figure:10.1f}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")


def load(site: Site) -> None:
    """Write the endpoints and policies, and make the endpoints' interfaces."""
    policies = [
        NetworkPolicy(
            metadata=ObjectMeta(name=f"p{number}", namespace="default"),
            spec=NetworkPolicySpec(
                order=number,
                selector=f"app == 'app-{number}'",
                types=("Ingress",),
                ingress=tuple(
                    Rule(
                        action="Allow",
                        protocol="TCP",
                        source=EntityRule(selector=f"app == 'app-{(number + step) % POLICIES}'"),
                        destination=EntityRule(ports=(8000 + step,)),
                    )
                    for step in range(5)
                ),
            ),
        )
        for number in range(POLICIES)
    ]
    endpoints = [
        WorkloadEndpoint(
            metadata=ObjectMeta(
                name=f"{NODE}-cni-load{number}-eth0", namespace="default", labels={"app": f"app-{number % POLICIES}"}
            ),
            spec=WorkloadEndpointSpec(
                orchestrator="cni",
                node=NODE,
                container_id=f"load{number}",
                endpoint="eth0",
                interface_name=f"caliload{number}",
                ip_networks=(f"10.66.{number // 250}.{number % 250 + 1}/32",),
                profiles=("demo",),
            ),
        )
        for number in range(ENDPOINTS)
    ]
    for outcome in site.client.write("create", [*policies, *endpoints]):
        if outcome.error:
            raise outcome.error

    def links() -> None:
        with RouteSocket() as routes:
            routes.perform_all(add_link(f"caliload{number}", "dummy", up=True) for number in range(ENDPOINTS))

    site.world.host.within(links)


def started(site: Site) -> float:
    """Start the agent; the milliseconds until it has programmed all."""
    began = time.monotonic()
    site.start_agent()
    while (told := site.status())["programmedRevision"] is None or told["endpoints"] < ENDPOINTS:
        time.sleep(0.002)
    # The log tells more exactly than asking by a process of its own.
    return 1000 * (time.monotonic() - began)


def resident_mib(site: Site) -> float:
    """The agent's resident memory."""
    assert site.agent is not None
    status = Path(f"/proc/{site.agent.pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def felt(site: Site) -> dict[str, float]:
    """P6 and P7: from the start of the write until a first new packet is let through."""
    changes, additions = [], []
    rule = Rule(action="Allow", protocol="UDP", destination=EntityRule(ports=(PORT,)))
    base = NetworkPolicy(
        metadata=ObjectMeta(name="guard", namespace="default"),
        spec=NetworkPolicySpec(order=1, selector="role == 'db'", types=("Ingress",), ingress=()),
    )
    site.client.create(base)
    for _ in range(ROUNDS):
        stored = site.client.get(NetworkPolicy, "guard", "default")
        opened = stored.replace(spec=stored.spec.replace(ingress=(rule,)))
        changes.append(_until_through(site, lambda opened=opened: site.client.update(opened)))
        stored = site.client.get(NetworkPolicy, "guard", "default")
        site.client.update(stored.replace(spec=stored.spec.replace(ingress=())))
        time.sleep(0.05)
    site.client.delete(NetworkPolicy, "guard", "default")
    for number in range(ROUNDS):
        name = f"new{number}"
        namespace = site.world.add_workload(name)
        began = time.monotonic()
        site.plugin("ADD", name, namespace.path, {"role": "db"})
        additions.append(1000 * (time.monotonic() - began))
    changes.sort()
    return {
        "P6 policy change to packets, median (ms)": statistics.median(changes),
        "P6 policy change to packets, worst (ms)": changes[-1],
        "P7 new endpoint by CNI until policed, 500 others, median (ms)": statistics.median(additions),
    }


def _until_through(site: Site, change: Callable[[], object]) -> float:
    target = (site.addresses["db"][4], PORT)
    source = site.world.workloads["web"]
    with site.world.workloads["db"].place.open_socket(socket.AF_INET, socket.SOCK_DGRAM, 0) as receiver:
        receiver.bind(target)
        receiver.settimeout(0.0002)

        def act() -> float:
            began = time.monotonic()
            change()
            while time.monotonic() < began + 5:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fresh:
                    sent = time.monotonic()
                    fresh.sendto(b"x", target)
                    try:
                        receiver.recv(16)
                    except TimeoutError:
                        continue
                    return 1000 * (sent - began)
            raise TimeoutError("no packet felt the change")

        return source.within(act)


def restarted(site: Site) -> dict[str, float]:
    """P9: a policy changed while the agent was down is in force after its start."""
    site.stop_agent()
    policy = site.client.get(NetworkPolicy, "p0", "default")
    site.client.update(policy.replace(spec=policy.spec.replace(order=99999)))
    return {"P9 restart until a change made meanwhile is in force (ms)": started(site)}


def plugin(site: Site) -> dict[str, float]:
    """P12: the CNI executable, one by one and many at once, each waiting until its endpoint is enforced."""
    names = [f"many{number}" for number in range(ADDS)]
    spaces = {name: site.world.add_workload(name) for name in names}
    deletions = []
    for name in (f"new{number}" for number in range(ROUNDS)):
        began = time.monotonic()
        site.plugin("DEL", name, site.world.workloads[name].path, {})
        deletions.append(1000 * (time.monotonic() - began))
    began = time.monotonic()
    with ThreadPoolExecutor(ADDS) as pool:
        list(pool.map(lambda name: site.plugin("ADD", name, spaces[name].path, {"role": "many"}), names))
    return {
        "P12 CNI DEL, median (ms)": statistics.median(deletions),
        "P12 30 CNI ADDs at once (ms)": 1000 * (time.monotonic() - began),
    }


if __name__ == "__main__":
    main()
