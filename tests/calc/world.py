# SPDX-License-Identifier: Apache-2.0
"""Short words for resources of a test cluster, on host ``n1`` unless said otherwise."""

from percale.resources import (
    EntityRule,
    GlobalNetworkPolicy,
    GlobalNetworkPolicySpec,
    GlobalNetworkSet,
    HostEndpoint,
    HostEndpointSpec,
    NetworkSetSpec,
    ObjectMeta,
    Profile,
    ProfileSpec,
    Rule,
    WorkloadEndpoint,
    WorkloadEndpointPort,
    WorkloadEndpointSpec,
    defaulted,
)


def workload(pod, address="", *, node="n1", namespace="ns1", profiles=(), ports=(), labels=None, **spec):
    """A workload endpoint with one address, or none; labelled ``app=<pod>`` unless ``labels`` are given."""
    named = tuple(WorkloadEndpointPort(name=name, protocol="TCP", port=port) for name, port in ports)
    spec = WorkloadEndpointSpec(
        orchestrator="k8s",
        node=node,
        pod=pod,
        endpoint="eth0",
        interface_name=f"cali{pod}",
        ip_networks=(address,) if address else (),
        profiles=tuple(profiles),
        ports=named,
        **spec,
    )
    metadata = ObjectMeta(name=f"{node}-k8s-{pod}-eth0", namespace=namespace, labels=labels or {"app": pod})
    return defaulted(WorkloadEndpoint(metadata=metadata, spec=spec))


def host_endpoint(name, *addresses, node="n1", **labels):
    """A host endpoint of eth0 with expected addresses."""
    spec = HostEndpointSpec(node=node, interface_name="eth0", expected_ips=addresses)
    return HostEndpoint(metadata=ObjectMeta(name=name, labels=labels), spec=spec)


def network_set(name, *nets, **labels):
    """A global network set."""
    return GlobalNetworkSet(metadata=ObjectMeta(name=name, labels=labels), spec=NetworkSetSpec(nets=nets))


def policy(name, selector, source="", **spec):
    """A global policy that allows ingress, from members of ``source`` only if given."""
    rule = Rule(action="Allow", source=EntityRule(selector=source))
    spec = GlobalNetworkPolicySpec(selector=selector, ingress=(rule,), **spec)
    return defaulted(GlobalNetworkPolicy(metadata=ObjectMeta(name=name), spec=spec))


def profile(name, *rules, **labels):
    """A profile with ingress rules."""
    return Profile(metadata=ObjectMeta(name=name), spec=ProfileSpec(ingress=rules, labels_to_apply=labels))
