# SPDX-License-Identifier: Apache-2.0
"""Verdicts as Calico's own rules gave them: verdict, decider and every judgement of each recorded packet."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest

from percale.calc.calculation import Calculation
from percale.calc.cluster import Cluster
from percale.calc.host_state import EndpointID, HostState
from percale.calc.services import EndpointSlice
from percale.policy.cluster_view import ClusterHosts
from percale.policy.flow import Conntrack, Flow
from percale.policy.host_path import HOST, End, judge
from percale.policy.host_settings import HostSettings
from percale.policy.host_view import HostStateView
from percale.resources import KINDS, decode_json
from percale.resources.defaults import defaulted


def _lines():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    with (Path(folder) / "verdicts.jsonl").open(encoding="utf-8") as lines:
        scenarios = [json.loads(line) for line in lines]
    known = [each for each in scenarios if all(map(_is_known, each["resources"]))]
    left_out = sum(len(each["cases"]) for each in scenarios) - sum(len(each["cases"]) for each in known)
    if left_out:
        print(f"verdicts: {left_out} cases left out, whose resources are of kinds that do not exist yet")
    return [pytest.param(each, id=each["id"]) for each in known]


def _is_known(document):
    return document["kind"] == EndpointSlice.kind or find_spec(f"percale.resources.{KINDS[document['kind']].module}")


def _resource(document):
    if document["kind"] == EndpointSlice.kind:
        return msgspec.convert(document, EndpointSlice)
    return defaulted(decode_json(json.dumps(document), document["kind"]))


def _by_cluster(scenario, settings):
    """The host as a question about the whole cluster sees it: sets by direct evaluation."""
    cluster = Cluster.of(map(_resource, scenario["resources"]))
    assert not cluster.refusals
    return ClusterHosts(cluster, settings).host(scenario["hostname"])


def _by_host_state(scenario, settings):
    """The host as its agent has it: what the incremental calculation tells the dataplane."""
    calculation = Calculation(scenario["hostname"])
    for resource in map(_resource, scenario["resources"]):
        calculation.update(resource.key, resource)
    calculation.in_sync()
    return HostStateView(HostState().after(calculation.flush()), settings)


def _flow(packet):
    return Flow(
        protocol=packet["protocol"],
        source=ip_address(packet["srcIP"]),
        destination=ip_address(packet["dstIP"]),
        source_port=packet.get("sport", 0),
        destination_port=packet.get("dport", 0),
        icmp_type=packet.get("icmpType"),
        icmp_code=packet.get("icmpCode"),
        conntrack=Conntrack(packet.get("ct", "new")),
    )


def _end(scenario, name, interface):
    if name == "host":
        return HOST
    for document in scenario["resources"]:
        metadata = document["metadata"]
        if f"{document['kind']}:{metadata.get('namespace')}/{metadata['name']}" == name:
            if document["spec"]["node"] == scenario["hostname"]:
                return End(EndpointID("WorkloadEndpoint", metadata["namespace"], metadata["name"]))
            break
    return End.outside(interface or "eth0")


@pytest.mark.parametrize("view", [_by_cluster, _by_host_state])
@pytest.mark.parametrize("scenario", _lines())
def test_packets_are_judged_as_recorded(scenario, view):
    """Every packet gets the recorded verdict, for the recorded reason, by the recorded way."""
    action = scenario.get("felixConfig", {}).get("defaultEndpointToHostAction", "Drop")
    host = view(scenario, HostSettings(endpoint_to_host_action=action))
    for case in scenario["cases"]:
        packet = case["packet"]
        path = judge(
            host,
            _flow(packet),
            _end(scenario, packet["from"], packet.get("inIface")),
            _end(scenario, packet["to"], packet.get("outIface")),
        )
        found = {
            "verdict": path.verdict.value,
            "decider": path.decider and path.decider.to_json(),
            "trace": [entry.to_json() for entry in path.trail],
        }
        assert found == {key: case[key] for key in found}, packet
