# SPDX-License-Identifier: Apache-2.0
"""Short words for the resources that tests write."""

from __future__ import annotations

from percale.resources import (
    IPPool,
    IPPoolSpec,
    NetworkPolicy,
    NetworkPolicySpec,
    NetworkSet,
    NetworkSetSpec,
    ObjectMeta,
    Tier,
    TierSpec,
    WorkloadEndpoint,
    WorkloadEndpointSpec,
)


def network_set(name, *nets, namespace="ns1", **metadata):
    return NetworkSet(metadata=ObjectMeta(name=name, namespace=namespace, **metadata), spec=NetworkSetSpec(nets=nets))


def policy(name, tier="default", namespace="ns1"):
    return NetworkPolicy(metadata=ObjectMeta(name=name, namespace=namespace), spec=NetworkPolicySpec(tier=tier))


def tier(name, order=10):
    return Tier(metadata=ObjectMeta(name=name), spec=TierSpec(order=order))


def pool(name, cidr, **spec):
    return IPPool(metadata=ObjectMeta(name=name), spec=IPPoolSpec(cidr=cidr, **spec))


def endpoint(pod, *addresses, node="n-1", namespace="ns1"):
    spec = WorkloadEndpointSpec(
        node=node, orchestrator="k8s", pod=pod, endpoint="eth0", interface_name=f"cali{pod}", ip_networks=addresses
    )
    return WorkloadEndpoint(metadata=ObjectMeta(namespace=namespace), spec=spec)
