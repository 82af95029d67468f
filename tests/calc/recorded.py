# SPDX-License-Identifier: Apache-2.0
"""The format of the recorded calculation states: resources in, a host's state out (topic calc-states)."""

import json
from dataclasses import fields

import msgspec

from percale.calc.compiled import RuleSide
from percale.calc.host_state import WorkloadInterface
from percale.calc.services import EndpointSlice
from percale.resources import decode_json, defaulted

POLICY_KINDS = {"NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy"}
KINDS = POLICY_KINDS | {
    "StagedKubernetesNetworkPolicy",
    "EndpointSlice",
    "GlobalNetworkSet",
    "HostEndpoint",
    "NetworkSet",
    "Profile",
    "Tier",
    "WorkloadEndpoint",
}


def read(document):
    """The resource that a document spells, with the defaults of writing filled in."""
    kind = document["kind"]
    if kind == "EndpointSlice":
        return msgspec.convert(document, EndpointSlice)
    return defaulted(decode_json(json.dumps(document), kind))


def governed(resource):
    """The directions that a policy governs, None for any other resource."""
    if resource.kind == "StagedKubernetesNetworkPolicy":
        return resource.spec.policy_types or ("Ingress",)
    return resource.spec.types if resource.kind in POLICY_KINDS else None


def described(state):
    """A host's state in the words of the recorded ones."""
    return {
        "endpoints": {str(each.id): _endpoint(each) for each in state.endpoints.values()},
        "policies": {str(each.id): _policy(each, state) for each in state.policies.values()},
        "profiles": {each.name: _rules(each, state) for each in state.profiles.values()},
    }


def _endpoint(endpoint):
    found = {
        "interface": endpoint.interface,
        "profiles": list(endpoint.profiles),
        "tiers": _tiers(endpoint.tiers),
    }
    if isinstance(endpoint, WorkloadInterface):
        return found | {"ipv4": list(endpoint.ipv4_nets), "ipv6": list(endpoint.ipv6_nets)}
    return found | {
        "expectedIPv4": [address for address in endpoint.expected_ips if ":" not in address],
        "expectedIPv6": [address for address in endpoint.expected_ips if ":" in address],
        "untrackedTiers": _tiers(endpoint.untracked_tiers),
        "preDNATTiers": _tiers(endpoint.pre_dnat_tiers),
        "forwardTiers": _tiers(endpoint.forward_tiers),
    }


def _tiers(tiers):
    return [
        {
            "name": tier.name,
            "defaultAction": tier.default_action,
            "ingress": list(map(str, tier.ingress)),
            "egress": list(map(str, tier.egress)),
        }
        for tier in tiers
    ]


def _policy(policy, state):
    found = _rules(policy, state) | {"selector": policy.selector.canonical, "tier": policy.tier}
    if policy.untracked:
        found["untracked"] = True
    if policy.pre_dnat:
        found["preDNAT"] = True
    return found


def _rules(owner, state):
    return {
        "ingress": [_rule(rule, state) for rule in owner.ingress or ()],
        "egress": [_rule(rule, state) for rule in owner.egress or ()],
    }


def _rule(rule, state):
    found = {
        "action": str(rule.action),
        "ipVersion": rule.ip_version,
        "protocol": rule.protocol if rule.protocol is None else str(rule.protocol),
        "notProtocol": rule.not_protocol if rule.not_protocol is None else str(rule.not_protocol),
        "icmp": _icmp(rule.icmp),
        "notICMP": _icmp(rule.not_icmp),
        "http": None if rule.http is None else json.loads(msgspec.json.encode(rule.http)),
        "annotations": dict(rule.annotations) or None,
    }
    found |= _side(rule.source, "src", state) | _side(rule.destination, "dst", state)
    return {name: value for name, value in found.items() if value is not None}


def _icmp(icmp):
    return icmp and {name: value for name, value in icmp._asdict().items() if value is not None}


_NAMES = {
    "nets": "Nets",
    "ports": "Ports",
    "ip_sets": "IPSets",
    "named_port_sets": "NamedPortSets",
    "ip_port_sets": "IPPortSets",
}


def _side(side, prefix, state):
    found = {}
    for field in fields(RuleSide):
        negated, name = field.name.startswith("not_"), _NAMES[field.name.removeprefix("not_")]
        values = getattr(side, field.name)
        if name == "Ports":
            values = [str(port.first) if port.first == port.last else f"{port.first}:{port.last}" for port in values]
        elif name != "Nets":
            values = [sorted(state.ip_sets[set_id].members) for set_id in values]
        if values:
            found[f"not{prefix.title()}{name}" if negated else f"{prefix}{name}"] = list(values)
    return found
