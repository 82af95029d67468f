# SPDX-License-Identifier: Apache-2.0
"""Words for tests of the dataplane: rules, policies, endpoints, and packets in one line each."""

from __future__ import annotations

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
    EndpointUpdate,
    InSync,
    IPSet,
    IPSetUpdate,
    PolicyUpdate,
    Pool,
    PoolUpdate,
    ProfileUpdate,
    TierPolicies,
    WorkloadInterface,
)
from percale.dataplane.packet import Packet
from percale.selectors import parse

EVERYTHING = parse("all()")
OPEN = "open"


def ports(*wanted):
    """Port ranges from numbers and (first, last) pairs."""
    return tuple(PortRange(*one) if isinstance(one, tuple) else PortRange(one, one) for one in wanted)


def rule(action=Action.ALLOW, src=None, dst=None, **criteria):
    """A rule; src and dst are the fields of its sides."""
    return CompiledRule(action, source=RuleSide(**(src or {})), destination=RuleSide(**(dst or {})), **criteria)


def allow(src=None, dst=None, **criteria):
    return rule(Action.ALLOW, src, dst, **criteria)


def deny(src=None, dst=None, **criteria):
    return rule(Action.DENY, src, dst, **criteria)


def pass_(src=None, dst=None, **criteria):
    return rule(Action.PASS, src, dst, **criteria)


def log(src=None, dst=None, **criteria):
    return rule(Action.LOG, src, dst, **criteria)


def policy(name, ingress=None, egress=None, *, tier="default", staged=False):
    """A policy; a direction that is None is not governed."""
    kind = "StagedGlobalNetworkPolicy" if staged else "GlobalNetworkPolicy"
    return CompiledPolicy(
        PolicyID(kind, "", name),
        tier,
        None,
        EVERYTHING,
        None if ingress is None else tuple(ingress),
        None if egress is None else tuple(egress),
        staged=staged,
    )


def profile(name=OPEN, ingress=None, egress=None):
    """A profile; one that is not told otherwise allows everything."""
    return CompiledProfile(
        name,
        (allow(),) if ingress is None else tuple(ingress),
        (allow(),) if egress is None else tuple(egress),
    )


def tier(*policies, name="default", default_action="Deny"):
    """The policies of a tier that select an endpoint."""
    return TierPolicies(
        name,
        default_action,
        tuple(one.id for one in policies if one.ingress is not None),
        tuple(one.id for one in policies if one.egress is not None),
    )


def endpoint(name, *nets, tiers=(), profiles=(OPEN,), interface="", **fields):
    """An endpoint ``NAME`` on interface ``caliNAME``."""
    return WorkloadInterface(
        EndpointID("WorkloadEndpoint", "default", name),
        interface or f"cali{name}",
        tuple(net for net in nets if ":" not in net),
        tuple(net for net in nets if ":" in net),
        tuple(profiles),
        tuple(tiers),
        **{"sort_key": ("k8s", f"default/{name}", "eth0"), **fields},
    )


def ip_set(set_id, *members):
    """An IP set; members with a comma make it one of (address, protocol, port)."""
    kind = IPSetKind.IP_PORT if any("," in member for member in members) else IPSetKind.NET
    return IPSet(set_id, kind, frozenset(members))


_UPDATES = {
    IPSet: IPSetUpdate,
    CompiledPolicy: PolicyUpdate,
    CompiledProfile: ProfileUpdate,
    WorkloadInterface: EndpointUpdate,
    Pool: PoolUpdate,
}
_ORDER = tuple(_UPDATES)


def updates(*things):
    """The messages that tell of IP sets, policies, profiles, endpoints and pools, in the protocol's order."""
    ordered = sorted(things, key=lambda thing: _ORDER.index(type(thing)))
    return [_UPDATES[type(thing)](thing) for thing in ordered]


def snapshot(*things):
    """The messages of a complete first snapshot; the profile ``open`` is always in it."""
    return [*updates(profile(), *things), InSync()]


def tcp(source, destination, port=80, **fields):
    return Packet(source, destination, 6, destination_port=port, **fields)


def udp(source, destination, port=53, **fields):
    return Packet(source, destination, 17, destination_port=port, **fields)


def ping(source, destination, type_=8, code=0, **fields):
    protocol = 58 if ":" in destination else 1
    return Packet(source, destination, protocol, icmp_type=type_, icmp_code=code, **fields)
