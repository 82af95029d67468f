# SPDX-License-Identifier: Apache-2.0
"""A host's state worked out from scratch by evaluating everything for everything: slow, and without any index."""

from ipaddress import ip_network

from tests.calc.protocol import referred_sets

from percale.calc.cluster import Cluster
from percale.calc.compiled import IPSetKind
from percale.calc.host_state import HostInterfaceEndpoint, HostState, IPSet, Nat, WorkloadInterface
from percale.calc.tiers import policies_by_tier


def whole_state(hostname, resources):
    """The state of a host in a cluster of these resources."""
    resources = {tuple(resource.key): resource for resource in resources}
    cluster = Cluster.of(resources.values())
    local = {each.id: resources[tuple(each.id)] for each in cluster.endpoints() if each.node == hostname}
    matching = {endpoint_id: _matching(cluster, endpoint_id) for endpoint_id in local}
    active = {each.id: each for found in matching.values() for each in found}
    active |= {each.id: each for each in cluster.policies() if each.needed_everywhere}
    profiles = {name: cluster.profile(name) for resource in local.values() for name in resource.spec.profiles}
    sets = {set_id for owner in (*active.values(), *profiles.values()) for set_id in referred_sets(owner)}
    return HostState(
        endpoints={each: _endpoint(cluster, each, local, matching[each]) for each in local},
        policies=active,
        profiles=profiles,
        ip_sets={set_id: _ip_set(cluster, cluster.ip_set(set_id)) for set_id in sets},
        pools=dict(cluster.pools),
    )


def members(cluster, spec):
    """All members of a set, covered ones too."""
    if spec.selector is None:
        slices = cluster.services.slices(spec.service)
        return {each for one in slices for each in (one.nets if spec.kind is IPSetKind.NET else one.port_members)}
    found = set()
    for each in cluster.contributors.values():
        if spec.selector.matches(cluster.labels(each.id)):
            found |= set(each.nets) if spec.kind is IPSetKind.NET else _ports(each, spec)
    return found


def _ports(contributor, spec):
    return {
        f"{net.split('/')[0]},{port.protocol}:{port.port}"
        for net in contributor.nets
        for port in contributor.ports
        if port.name == spec.named_port and (spec.protocol == "any" or spec.protocol == port.protocol)
    }


def _ip_set(cluster, spec):
    found = members(cluster, spec)
    if spec.kind is IPSetKind.NET:
        nets = {ip_network(each) for each in found}
        found = {str(net) for net in nets if not any(_inside(net, other) for other in nets)}
    return IPSet(spec.id, spec.kind, frozenset(found))


def _inside(net, other):
    return net != other and net.version == other.version and net.subnet_of(other)


def _matching(cluster, endpoint_id):
    labels = cluster.labels(endpoint_id)
    return [each for each in cluster.policies() if each.selector.matches(labels)]


def _endpoint(cluster, endpoint_id, local, matching):
    resource, spec = local[endpoint_id], local[endpoint_id].spec
    is_host = endpoint_id.kind == "HostEndpoint"
    policies = policies_by_tier(matching, cluster.tiers, on_host_endpoint=is_host)
    nets = cluster.endpoint(endpoint_id).nets
    if is_host:
        return HostInterfaceEndpoint(
            id=endpoint_id,
            interface=spec.interface_name,
            expected_ips=tuple(net.split("/")[0] for net in nets),
            profiles=spec.profiles,
            tiers=policies.normal,
            untracked_tiers=policies.untracked,
            pre_dnat_tiers=policies.pre_dnat,
            forward_tiers=policies.forward,
        )
    rivals = [
        _rank(other)
        for other in local.values()
        if other.kind == "WorkloadEndpoint" and other.spec.interface_name == spec.interface_name
    ]
    return WorkloadInterface(
        id=endpoint_id,
        interface=spec.interface_name,
        ipv4_nets=tuple(net for net in nets if ":" not in net),
        ipv6_nets=tuple(net for net in nets if ":" in net),
        profiles=spec.profiles,
        tiers=policies.normal,
        mac=spec.mac,
        nats=tuple(Nat(nat.internal_ip, nat.external_ip) for nat in spec.ip_nats),
        active=_rank(resource) == min(rivals),
        sort_key=_rank(resource),
    )


def _rank(resource):
    return resource.spec.orchestrator, f"{resource.namespace}/{resource.spec.pod}", resource.spec.endpoint
