# SPDX-License-Identifier: Apache-2.0
"""The recorded verdicts of Calico's own rules, walked through ours: from resources to rendered rules to packets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from percale.calc.calculation import Calculation
from percale.calc.services import EndpointSlice
from percale.dataplane.config import DataplaneConfig, HostAction
from percale.dataplane.packet import Packet
from percale.dataplane.twin import TwinDataplane
from percale.resources import decode_json
from percale.resources.defaults import defaulted


def _scenarios():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    with (Path(folder) / "verdicts.jsonl").open(encoding="utf-8") as lines:
        scenarios = [json.loads(line) for line in lines]
    programmed = [each for each in scenarios if not any(map(_is_host_endpoint, each["resources"]))]
    left_out = sum(len(each["cases"]) for each in scenarios) - sum(len(each["cases"]) for each in programmed)
    print(f"verdicts: {left_out} cases left out, whose scenario has host endpoints, which are not programmed")
    return [pytest.param(each, id=each["id"]) for each in programmed]


def _is_host_endpoint(document):
    return document["kind"] == "HostEndpoint"


def _resource(document):
    if document["kind"] == EndpointSlice.kind:
        return msgspec.convert(document, EndpointSlice)
    return defaulted(decode_json(json.dumps(document), document["kind"]))


class Host:
    """The scenario's host as a twin, and where its endpoints' interfaces are."""

    def __init__(self, scenario):
        action = (scenario.get("felixConfig") or {}).get("defaultEndpointToHostAction", "Drop")
        self.hostname = scenario["hostname"]
        self.twin = TwinDataplane(DataplaneConfig(endpoint_to_host_action=HostAction(action.capitalize())))
        self.twin.add_route("0.0.0.0/0", "eth0")
        self.twin.add_route("::/0", "eth0")
        calculation = Calculation(self.hostname)
        self.interfaces = {}
        for resource in map(_resource, scenario["resources"]):
            calculation.update(resource.key, resource)
            if resource.key.kind == "WorkloadEndpoint":
                name = f"WorkloadEndpoint:{resource.key.namespace}/{resource.key.name}"
                local = resource.spec.node == self.hostname
                self.interfaces[name] = resource.spec.interface_name if local else ""
        for interface in filter(None, self.interfaces.values()):
            self.twin.network.set_link(interface)
        calculation.in_sync()
        assert self.twin.apply(calculation.flush()).ok

    def interface(self, name, other):
        if name == "host":
            return ""
        return self.interfaces.get(name) or other

    def walk(self, asked):
        packet = Packet(
            asked["srcIP"],
            asked["dstIP"],
            asked["protocol"],
            asked.get("sport", 0),
            asked.get("dport", 0),
            asked.get("icmpType", 0),
            asked.get("icmpCode", 0),
            self.interface(asked["from"], asked.get("inIface", "eth0")),
            self.interface(asked["to"], asked.get("outIface", "eth0")),
            asked.get("ct", "new"),
        )
        return self.twin.walk(packet)


@pytest.mark.parametrize("scenario", _scenarios())
def test_rendered_rules_give_the_recorded_verdicts(scenario):
    """Each packet fares in our rules as it fared in Calico's."""
    host = Host(scenario)
    for case in scenario["cases"]:
        walk = host.walk(case["packet"])
        assert ("allow" if walk.allowed else "deny") == case["verdict"], f"{case}\n{walk}"
