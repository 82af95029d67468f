# SPDX-License-Identifier: Apache-2.0
"""The dataplane on the kernel (P6 to P10 of spec/performance.md): a table, and JSON with ``--json FILE``.

Runs in a network namespace of its own; needs root. Messages are ready before the clock starts; times are wall time in
milliseconds until the kernel has committed. ``shared``: each of 100 policies selects 25 of 500 endpoints, five policies
per endpoint, 100 different lists. ``distinct``: ten policies per endpoint, and no two endpoints with one list.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import chain

from percale.calc.compiled import (
    Action,
    CompiledPolicy,
    CompiledProfile,
    CompiledRule,
    IPSetKind,
    PolicyID,
    PortRange,
    RuleSide,
)
from percale.calc.host_state import (
    EndpointID,
    EndpointRemove,
    EndpointUpdate,
    InSync,
    IPSet,
    IPSetDelta,
    IPSetUpdate,
    Message,
    PolicyUpdate,
    ProfileUpdate,
    TierPolicies,
    WorkloadInterface,
)
from percale.dataplane.kernel import KernelDataplane
from percale.netlink import namespace
from percale.selectors import parse

ENDPOINTS, POLICIES, RULES, MEMBERS = 500, 100, 5, 50_000
EVERYTHING = parse("all()")
OPEN = CompiledProfile("open", (CompiledRule(Action.ALLOW),), (CompiledRule(Action.ALLOW),))


def policy_id(number: int) -> PolicyID:
    """The identity of a policy."""
    return PolicyID("GlobalNetworkPolicy", "", f"policy-{number}")


def policy(number: int, port: int = 8000) -> CompiledPolicy:
    """A policy with five ingress rules from selectors to ports, and one egress rule."""
    ingress = tuple(
        CompiledRule(
            Action.ALLOW,
            index,
            protocol="tcp",
            source=RuleSide(ip_sets=(f"s:{(number + index) % POLICIES}",)),
            destination=RuleSide(ports=(PortRange(port + index, port + index),)),
        )
        for index in range(RULES)
    )
    return CompiledPolicy(policy_id(number), "default", None, EVERYTHING, ingress, (CompiledRule(Action.ALLOW),))


def endpoint(number: int, policies: Sequence[int]) -> WorkloadInterface:
    """An endpoint that these policies select."""
    ids = tuple(map(policy_id, policies))
    address = f"10.65.{number >> 8}.{number & 255}/32"
    return WorkloadInterface(
        EndpointID("WorkloadEndpoint", "default", f"pod-{number}"),
        f"cali{number}",
        (address,),
        (f"fd65::{number:x}/128",),
        ("open",),
        (TierPolicies("default", "Deny", ids, ids),),
    )


def shared(number: int) -> list[int]:
    """One of 100 lists of five policies."""
    return [(number + offset) % POLICIES for offset in range(5)]


def distinct(number: int) -> list[int]:
    """A list of ten policies that no other endpoint has."""
    step = 1 + number // POLICIES * 2
    return [(number + offset * step) % POLICIES for offset in range(9)] + [(number * 7 + 50) % POLICIES]


def members(number: int) -> frozenset[str]:
    """Ten addresses."""
    return frozenset(f"10.{number}.0.{last}/32" for last in range(10))


def snapshot(choose: Callable[[int], list[int]]) -> list[Message]:
    """The whole state."""
    sets = (IPSetUpdate(IPSet(f"s:{number}", IPSetKind.NET, members(number))) for number in range(POLICIES))
    policies = (PolicyUpdate(policy(number)) for number in range(POLICIES))
    endpoints = (EndpointUpdate(endpoint(number, choose(number))) for number in range(ENDPOINTS))
    return [*chain(sets, policies), ProfileUpdate(OPEN), *endpoints, InSync()]


def timed(action: Callable[[], object]) -> float:
    """The milliseconds that an action takes."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def steps(dataplane: KernelDataplane, batches: Sequence[list[Message]]) -> dict[str, float]:
    """Median and maximum of the milliseconds that each batch takes."""

    def apply(batch: list[Message]) -> None:
        applied = dataplane.apply(batch)
        assert applied.ok, applied
        assert applied.plan

    times = [timed(lambda batch=batch: apply(batch)) for batch in batches]  # type: ignore[misc]
    return {"median": statistics.median(times), "max": max(times)}


def measure(choose: Callable[[int], list[int]], rounds: int) -> dict[str, float]:
    """One state: cold start, changes, restarts."""
    found: dict[str, float] = {}

    def note(name: str, times: dict[str, float]) -> None:
        found.update({f"{name}, {which}": value for which, value in times.items()})

    messages = snapshot(choose)
    with KernelDataplane() as dataplane:
        cpu = time.process_time()
        found["cold start (P8)"] = timed(lambda: dataplane.apply(messages))
        found["cold start, CPU"] = (time.process_time() - cpu) * 1000
        held = dataplane.statistics()
        found |= {"programs": held.programs, "chains": held.chains, "rules": held.rules}
        changed = [[PolicyUpdate(policy(number % POLICIES, 9000 + number))] for number in range(rounds)]
        note("policy change (P6)", steps(dataplane, changed))
        others = [endpoint(ENDPOINTS + number, choose(number)) for number in range(rounds)]
        note("endpoint added (P7)", steps(dataplane, [[EndpointUpdate(one)] for one in others]))
        note("endpoint removed", steps(dataplane, [[EndpointRemove(one.id)] for one in others]))
        back = [PolicyUpdate(policy(number)) for number in range(POLICIES)]
        dataplane.apply(list(back))
    with KernelDataplane() as dataplane:
        found["restart, unchanged"] = timed(lambda: dataplane.apply(messages))
        assert not dataplane.statistics().applied
        dataplane.uninstall()
    return found


def measure_members(rounds: int) -> dict[str, float]:
    """One member added beside many."""
    with KernelDataplane() as dataplane:
        many = frozenset(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32" for n in range(MEMBERS))
        found = {"first load of 50 000": timed(lambda: dataplane.apply([*snapshot(shared)]))}
        found["first load of 50 000"] = timed(lambda: dataplane.apply([IPSetUpdate(IPSet("s:0", IPSetKind.NET, many))]))
        added = [[IPSetDelta("s:0", frozenset({f"10.200.0.{n}/32"}), frozenset())] for n in range(rounds)]
        times = steps(dataplane, [list[Message](batch) for batch in added])
        found |= {f"member added (P10), {which}": value for which, value in times.items()}
        dataplane.uninstall()
    return found


def main() -> None:
    """Measure all and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    namespace.unshare()
    results = {
        "shared": measure(shared, arguments.rounds),
        "distinct": measure(distinct, arguments.rounds),
        "members": measure_members(arguments.rounds),
        "process": {"peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024},
    }
    for workload, figures in results.items():
        print(workload)
        for name, value in figures.items():
            print(f"  {name:32}{value:10.2f}")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
