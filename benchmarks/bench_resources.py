# SPDX-License-Identifier: Apache-2.0
"""Resources in and out (P16 and P17 of spec/performance.md): a table, and JSON with ``--json FILE``.

Each workload runs in a process of its own. ``version`` (P17) and ``validate`` (P16) are whole commands, start-up
included; ``decode`` reads stored endpoints and keeps them, ``emit`` writes endpoints as a YAML list item by item and
keeps none; their seconds are CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource as usage
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.commands import cost

from percale.resources import (
    EntityRule,
    NetworkPolicy,
    NetworkPolicySpec,
    ObjectMeta,
    Rule,
    WorkloadEndpoint,
    WorkloadEndpointPort,
    WorkloadEndpointSpec,
    decode_json,
    encode_json,
    encode_yaml,
    yaml_list,
)

POLICIES, ENDPOINTS = 1_000, 100_000


def _policy(number: int) -> NetworkPolicy:
    rules = tuple(
        Rule(action="Allow", protocol="TCP", source=EntityRule(selector=f"role == 'r{rule}'", nets=("192.0.2.0/24",)),
             destination=EntityRule(ports=(80 + rule, "8000:8080")))
        for rule in range(3)
    )  # fmt: skip
    spec = NetworkPolicySpec(order=number, selector=f"app == 'a{number}'", types=("Ingress",), ingress=rules)
    return NetworkPolicy(metadata=ObjectMeta(name=f"policy-{number}", namespace="shop"), spec=spec)


def _endpoint(number: int) -> WorkloadEndpoint:
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/32"
    return WorkloadEndpoint(
        metadata=ObjectMeta(
            name=f"n{number % 500}-k8s-pod--{number}-eth0",
            namespace=f"ns-{number % 100}",
            labels={"app": f"app-{number % 50}", "role": "web", "zone": f"z{number % 3}"},
        ),
        spec=WorkloadEndpointSpec(
            orchestrator="k8s",
            node=f"n{number % 500}",
            pod=f"pod-{number}",
            endpoint="eth0",
            interface_name=f"cali{number:x}",
            ip_networks=(address,),
            profiles=("kns.shop", "ksa.shop.default"),
            ports=(WorkloadEndpointPort(name="http", protocol="TCP", port=80),),
        ),
    )


def _peak_mb() -> float:
    return usage.getrusage(usage.RUSAGE_SELF).ru_maxrss / 1024


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def workload_version() -> dict[str, float]:
    """P17: ``percale version --client``, of seven runs."""
    return cost("version", "--client", rounds=7)._asdict()


def workload_validate() -> dict[str, float]:
    """P16: ``percale validate`` of many policies in one file, of five runs."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("---\n".join(encode_yaml(_policy(number)) for number in range(POLICIES)))
        file.flush()
        return {"items": POLICIES, **cost("validate", "-f", file.name, rounds=5)._asdict()}


def workload_decode() -> dict[str, float]:
    """Stored endpoints become values, all of which are kept."""
    texts = [encode_json(_endpoint(number)) for number in range(ENDPOINTS)]
    before, start = _resident_bytes(), time.process_time()
    kept = [decode_json(text, "WorkloadEndpoint") for text in texts]
    seconds = time.process_time() - start
    return {"items": len(kept), "seconds": seconds, "bytes_per_item": (_resident_bytes() - before) / len(kept)}


def workload_emit() -> dict[str, float]:
    """Endpoints are written as one YAML list, made one after the other."""

    def endpoints() -> Iterator[WorkloadEndpoint]:
        return map(_endpoint, range(ENDPOINTS))

    start = time.process_time()
    for _ in endpoints():
        pass
    making = time.process_time() - start
    start = time.process_time()
    with open(os.devnull, "w", encoding="utf-8") as sink:
        sink.writelines(yaml_list("WorkloadEndpoint", endpoints()))
    return {"items": ENDPOINTS, "seconds": time.process_time() - start - making, "peak_mb": _peak_mb()}


WORKLOADS = {
    "version": workload_version,
    "validate": workload_validate,
    "decode": workload_decode,
    "emit": workload_emit,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file too")
    parser.add_argument("--only", choices=WORKLOADS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(WORKLOADS[arguments.only]()))
        return
    figures = {name: _in_own_process(name) for name in WORKLOADS}
    for name, values in figures.items():
        print(f"{name:<10}" + "".join(f"{key} {value:>10,.2f}   " for key, value in values.items()).rstrip())
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _in_own_process(name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_resources", "--only", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main()
