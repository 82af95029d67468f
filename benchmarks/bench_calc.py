# SPDX-License-Identifier: Apache-2.0
"""The calculation under the workloads of spec/performance.md section 3: a table, and JSON with ``--json FILE``.

Each workload runs in a process of its own. Times are CPU time without making the resources; memory is what the process
has grown by since before the first resource.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice

from percale.calc.bulk_load import bulk_load
from percale.calc.calculation import Calculation
from percale.calc.compiled import IPSetKind, IPSetSpec
from percale.calc.contributors import Contributor
from percale.calc.host_state import EndpointID, IPSetUpdate
from percale.calc.ip_sets import IPSets
from percale.calc.services import Services
from percale.resources import (
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    GlobalNetworkSet,
    Key,
    NetworkSetSpec,
    ObjectMeta,
    Profile,
    ProfileSpec,
    Resource,
    Rule,
    Tier,
    TierSpec,
    WorkloadEndpoint,
    WorkloadEndpointSpec,
)
from percale.selectors import parse

HOST = "localhost"


class Stopwatch:
    """CPU seconds spent inside ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._start


def resident_mb() -> float:
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


# Single operations on the sets


def _endpoint(number: int) -> Contributor:
    return Contributor(
        EndpointID("WorkloadEndpoint", "default", f"endpoint-{number}"),
        {"alpha": "beta", "ipset-1": "true"},
        (f"namespace-{number}",),
        (f"10.0.{number >> 8 & 255}.{number & 255}/32",),
        node="remote",
    )


def _selected(set_id: str, text: str) -> IPSetSpec:
    return IPSetSpec(set_id, IPSetKind.NET, parse(text))


def _per_operation(operations: int, operation: Callable[[int], object]) -> dict[str, float]:
    watch = Stopwatch()
    with watch:
        for number in range(operations):
            operation(number)
    return {"us_per_op": watch.seconds / operations * 1e6}


def workload_update(selectors: int) -> dict[str, float]:
    """A new endpoint beside so many selectors."""
    sets = IPSets(Services())
    for number in range(selectors):
        sets.refer(_selected(f"ipset-{number}", f'alpha == "beta" && has(ipset-{number})'))
    sets.flush()
    endpoints = [_endpoint(number) for number in range(20_000)]

    def update(number: int) -> None:
        sets.put(endpoints[number])
        assert len(sets.flush().deltas) == 1

    return _per_operation(len(endpoints), update)


def _loaded(endpoints: int) -> IPSets:
    sets = IPSets(Services())
    for number in range(endpoints):
        sets.put(_endpoint(number))
    sets.flush()
    return sets


def parent_update(endpoints: int, selectors: int = 100) -> dict[str, float]:
    """One profile's labels change: that of one of so many endpoints."""
    sets = _loaded(endpoints)
    for number in range(selectors):
        sets.refer(_selected(f"set-{number}", f'projectcalico.org/name == "namespace-{number}"'))
    sets.flush()

    def update(number: int) -> None:
        name = f"namespace-{number}"
        labels = {"projectcalico.org/name": name, "update-idx": str(number), "something-shared": "foo"}
        sets.set_profile(name, labels)
        sets.flush()

    return _per_operation(min(endpoints, 20_000), update)


def selector_update(endpoints: int) -> dict[str, float]:
    """A set is added whose selector matches all of so many endpoints one time in ten, else none."""
    sets = _loaded(endpoints)
    selectors = [parse(f'alpha == "beta" && has(ipset-{number})') for number in range(10)]
    matched = 0

    def update(number: int) -> None:
        nonlocal matched
        sets.refer(IPSetSpec(f"set-{number}", IPSetKind.NET, selectors[number % 10]))
        [update] = sets.flush().full
        matched += len(update.ip_set.members)

    operations = 2_000 if endpoints < 100_000 else 200
    found = _per_operation(operations, update)
    assert matched == operations // 10 * min(endpoints, 1 << 16), "the addresses repeat after 65 536"
    return found


# Whole clusters


def _policy(
    name: str, selector: str, ingress: Iterable[Rule], egress: Iterable[Rule] = (), types: str = "Ingress"
) -> Resource:
    spec = GlobalNetworkPolicySpec(
        tier="default", selector=selector, ingress=tuple(ingress), egress=tuple(egress), types=tuple(types.split())
    )
    return GlobalNetworkPolicy(metadata=ObjectMeta(name=name), spec=spec)


def _workload(namespace: str, name: str, node: str, labels: dict[str, str], address: int) -> Resource:
    octets = (address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255)
    own = {"projectcalico.org/namespace": namespace, "projectcalico.org/orchestrator": "k8s"}
    return WorkloadEndpoint(
        metadata=ObjectMeta(name=f"{node}-k8s-{name}-eth0", namespace=namespace, labels=labels | own),
        spec=WorkloadEndpointSpec(
            orchestrator="k8s",
            node=node,
            pod=name,
            endpoint="eth0",
            interface_name=f"cali{address:08x}",
            ip_networks=(".".join(map(str, octets)) + "/32",),
            profiles=(f"kns.{namespace}",),
        ),
    )


def _profile(namespace: str, labels: dict[str, str]) -> Resource:
    allow = (Rule(action="Allow"),)
    spec = ProfileSpec(ingress=allow, egress=allow, labels_to_apply={"pcns.projectcalico.org/name": namespace} | labels)
    return Profile(metadata=ObjectMeta(name=f"kns.{namespace}"), spec=spec)


DEFAULT_TIER = Tier(metadata=ObjectMeta(name="default"), spec=TierSpec(order=1_000_000, default_action="Deny"))
FIRST_ADDRESS = 10 << 24 | 1


def tag_policies(remote: int, local: int = 200, policies: int = 10_000) -> Iterator[Resource]:
    markers = [f"marker-{number}" for number in range(30)]
    yield DEFAULT_TIER
    for number in range(policies):
        marker = markers[number % 30]
        rule = Rule(action="Allow", source=EntityRule(selector=f"has({marker})"))
        yield _policy(f"policy-{number}", f"has({marker})", [rule] * 5)
    yield from plain_profiles()
    yield from plain_endpoints(remote, local)


def plain_profiles() -> Iterator[Resource]:
    for number in range(100):
        yield _profile(f"namespace-{number}", {})


def plain_endpoints(remote: int, local: int) -> Iterator[Resource]:
    for number in range(remote + local):
        labels = {f"one-in-{k}": f"value-{number % k}" for k in (10, 11, 20, 30, 40)} | {
            f"marker-{number % 30}": "true"
        }
        node = HOST if number >= remote else f"node-{number % 1000}"
        yield _workload(f"namespace-{number % 100}", f"pod-{number}", node, labels, FIRST_ADDRESS + number)


def isolated_customers(customers: int) -> Iterator[Resource]:
    text = random.Random(1)

    def unique(length: int) -> str:
        return "".join(text.choices(string.ascii_lowercase, k=length))

    yield DEFAULT_TIER
    dns = Rule(action="Allow", protocol="UDP", destination=EntityRule(nets=("10.96.0.10/32",), ports=(53,)))
    for number in range(customers):
        own = f"pcns.projectcalico.org/name == 'customer-{number}'"
        peer = EntityRule(selector=own)
        ingress = [Rule(action="Allow", source=peer)]
        egress = [Rule(action="Allow", destination=peer), dns]
        yield _policy(f"customer-{number}.isolation", own, ingress, egress, "Ingress Egress")
    for number in range(customers):
        labels = {"pcns.namespace-id": unique(20), "pcns.production": "true" if number % 2 else "false"}
        yield _profile(f"customer-{number}", labels)
    every = customers // 100
    for is_local in (False, True):
        for number in range(customers):
            if (number % every == 0) is not is_local:
                continue
            labels = {f"unique-{length}-{place}": unique(length) for place, length in enumerate((20, 20, 10, 20, 8))}
            labels |= {f"bit-{bit}": str(number >> bit & 1) for bit in range(4)}
            labels |= {
                "environment": f"environment-{number % 3}",
                "tier": f"tier-{number % 4}",
                "region": f"region-{number % 4}",
                "team": f"team-{number % 5}",
                "managed-by": "operator",
                "tenant-id": f"tenant-{number % 5000}",
            }
            node = HOST if is_local else f"node-{number % 1000}"
            yield _workload(f"customer-{number}", f"pod-{number}", node, labels, FIRST_ADDRESS + number)


def netset_policies(pairs: int) -> Iterator[Resource]:
    yield DEFAULT_TIER
    yield from plain_profiles()
    endpoints = list(plain_endpoints(10_000, 200))
    yield from endpoints[:10_000]
    sizes = cycle((1, 1, 1, 1, 2, 3, 4, 5, 100, 1000))
    address = 11 << 24
    for number in range(pairs):
        name, size = f"network-set-{number}", next(sizes)
        nets = tuple(f"11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32" for n in range(address, address + size))
        address += size
        metadata = ObjectMeta(name=name, labels={"network-set-name": name})
        yield GlobalNetworkSet(metadata=metadata, spec=NetworkSetSpec(nets=nets))
        rule = Rule(action="Allow", source=EntityRule(selector=f"network-set-name == '{name}'"))
        yield _policy(f"policy-{number}", "all()", [rule])
    yield from endpoints[10_000:]


def _load(resources: Iterator[Resource], *, then_delete_local: bool = False) -> dict[str, float]:
    before, watch = resident_mb(), Stopwatch()
    calculation = Calculation(HOST)
    with bulk_load():
        local: list[Key] = []
        while chunk := list(islice(resources, 1_000)):
            local += [each.key for each in chunk if isinstance(each, WorkloadEndpoint) and each.spec.node == HOST]
            keyed = [(resource.key, resource) for resource in chunk]
            with watch:
                for key, resource in keyed:
                    calculation.update(key, resource)
        del chunk, keyed, resource
        with watch:
            calculation.in_sync()
            messages = calculation.flush()
    found = {
        "cpu_s": watch.seconds,
        "messages": len(messages),
        "members": sum(len(each.ip_set.members) for each in messages if isinstance(each, IPSetUpdate)),
    }
    del messages
    gc.collect()
    found["mb"] = resident_mb() - before
    if then_delete_local:
        deletion = Stopwatch()
        with deletion:
            for key in local:
                calculation.update(key, None)
            removals = calculation.flush()
        found |= {"delete_cpu_s": deletion.seconds, "delete_messages": len(removals)}
    return found


WORKLOADS: dict[str, Callable[[], dict[str, float]]] = {
    **{f"WorkloadUpdate {n}": lambda n=n: workload_update(n) for n in (10, 100, 1_000, 10_000)},
    **{f"SelectorUpdates {n}": lambda n=n: selector_update(n) for n in (100, 10_000, 100_000)},
    "ParentUpdates 100000": lambda: parent_update(100_000),
    "ParentUpdates 100000, 1000 selectors": lambda: parent_update(100_000, 1_000),
    **{f"IsolatedCustomers {n}": lambda n=n: _load(isolated_customers(n)) for n in (1_000, 10_000, 100_000)},
    "TagPolicies 250000": lambda: _load(tag_policies(250_000)),
    **{f"NetsetPolicies {n}": lambda n=n: _load(netset_policies(n), then_delete_local=True) for n in (1_000, 10_000)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run the workloads whose name contains this")
    parser.add_argument("--json", help="write the figures to this file too")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(WORKLOADS[options.run]()))
        return
    figures = {}
    for name in WORKLOADS:
        if options.only in name:
            done = subprocess.run([sys.executable, __file__, "--run", name], check=True, stdout=subprocess.PIPE)
            figures[name] = json.loads(done.stdout)
            print(f"{name:40}", *(f"{key} {value:,.6g}" for key, value in figures[name].items()), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
