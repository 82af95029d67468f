# SPDX-License-Identifier: Apache-2.0
"""What to try when a flow is denied and should not be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from percale.calc.cluster import Cluster
from percale.policy.flow import Flow, has_ports, protocol_name, service_text
from percale.policy.near_miss import Criterion, NearMiss
from percale.policy.verdict import Judgement, Reason

__all__ = ["remedies"]

_TOO_FAR = 3
"""A rule that fails by so many criteria was meant for something else: changing it is no advice."""

_FIXED = {
    Reason.CONNTRACK_INVALID: "look for a route that only one direction of the connection takes",
    Reason.ENCAP_FROM_WORKLOAD: "set allowIPIPPacketsFromWorkloads or allowVXLANPacketsFromWorkloads",
    Reason.ENDPOINT_TO_HOST_DROP: "set defaultEndpointToHostAction to Return or Accept in FelixConfiguration",
    Reason.UNKNOWN_ENDPOINT: "create the workload endpoint of this interface",
    Reason.INACTIVE_ENDPOINT: "remove the endpoint that is left over from an earlier workload",
}


def remedies(decider: Judgement, near: NearMiss | None, flow: Flow, cluster: Cluster) -> tuple[str, ...]:
    """Return what would let a denied flow through, the smallest change first."""
    if decider.reason in _FIXED:
        return (_FIXED[decider.reason],)
    return tuple(_remedies(decider, near, flow, cluster))


def _remedies(decider: Judgement, near: NearMiss | None, flow: Flow, cluster: Cluster) -> Iterator[str]:
    if decider.profile and not cluster.profile(decider.profile).exists:
        yield f"create the profile {decider.profile}, or take it off the endpoint"
        return
    if near and len(near.failed) < _TOO_FAR:
        changes = dict.fromkeys(_change(each, near.failed, flow, cluster) for each in near.failed)
        yield f"{near.name}: {', and '.join(changes)}"
    if decider.reason is None:
        yield f"narrow {decider.rule_name}, or allow this flow before it"
    elif near is None or len(near.failed) >= _TOO_FAR:
        port = f" to port {flow.destination_port}" if has_ports(flow.protocol) else ""
        yield f"add a rule to a policy that selects this endpoint: allow {service_text(flow.protocol)}{port}"
    if decider.reason is Reason.NO_PROFILE_MATCH:
        yield "give the endpoint a profile that allows the flow"


def _change(failed: Criterion, together: Iterable[Criterion], flow: Flow, cluster: Cluster) -> str:
    """What would make one criterion hold, with the others of its kind on the same side."""
    address, port = flow.source, flow.source_port
    if failed.side == "destination":
        address, port = flow.destination, flow.destination_port
    side = f"the {failed.side}"
    match failed.field:
        case "selector" if cluster.endpoint_of_address(address) is None:
            return f"widen {side}, or put {address} into a network set that it selects"
        case "selector":
            same = [each for each in together if (each.side, each.field) == (failed.side, failed.field)]
            peer = "client" if failed.side == "source" else "server"
            labels = ",".join(each.label for each in same)
            return f"widen {side}" + (f", or label the {peer} {labels}" if all(each.label for each in same) else "")
        case "services" | "notSelector":
            return f"widen {side}"
        case "ports":
            return f"add port {port} to {side} ports"
        case "nets":
            return f"add {address}/{address.max_prefixlen} to {side} nets"
        case "notPorts" | "notNets":
            return f"take {port if failed.field == 'notPorts' else address} out of {side} {failed.field}"
        case "protocol" | "notProtocol":
            return f"let it match protocol {protocol_name(flow.protocol)}"
        case "ipVersion":
            return f"add the same rule for IP version {flow.ip_version}"
        case _:
            return f"let it match {service_text(flow.protocol, flow.icmp_type, flow.icmp_code)}"
