# SPDX-License-Identifier: Apache-2.0
"""A call together with what the Kubernetes API knows of its pod, namespace and node (spec/cni.md section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from percale.plugins.cni.call import Call
from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.kubernetes import KubernetesApi, api_of, pod_networks
from percale.plugins.cni.pod import pod_of

__all__ = ["informed", "uninformed"]

_USE_POD_CIDR = {"usepodcidr": False, "usepodcidripv6": True}


def informed(call: Call) -> Call:
    """Return the call with what the API says, as far as the configuration wants it; raises CniError."""
    network = call.network
    wants_policy, wants_labels = network.policy.type == "k8s", bool(network.kubernetes.kubeconfig)
    if wants_policy or wants_labels:
        call = _with_objects(call, _api(call), with_pod=wants_policy)
    if _names_pod_networks(call):
        found = pod_networks(_api(call), network.kubernetes.node_name or call.node)
        call = replace(call, text=_with_pod_networks(call, found))
    return call


def uninformed(call: Call) -> Call:
    """Return a call that takes a workload away: whatever the API says, the same has to go."""
    return replace(call, text=_with_pod_networks(call, ("0.0.0.0/0", "::/0"))) if _names_pod_networks(call) else call


def _names_pod_networks(call: Call) -> bool:
    return call.network.ipam.type == "host-local" and b"usepodcidr" in call.text.lower()


def _api(call: Call) -> KubernetesApi:
    api = api_of(call.network)
    if api is None:
        raise CniError(Code.INTERNAL, "the configuration names no Kubernetes API", "kubernetes.kubeconfig is missing")
    return api


def _with_objects(call: Call, api: KubernetesApi, *, with_pod: bool) -> Call:
    namespace = api.namespace(call.workload.namespace)
    labels = (namespace.get("metadata") or {}).get("labels") or {}
    call = replace(call, namespace_labels=labels)
    if not with_pod or not call.workload.pod:
        return call
    document = api.pod(call.workload.namespace, call.workload.pod)
    pod = pod_of(namespace, document, call.network.feature_control)
    network = msgspec.structs.replace(call.network, ipam=pod.settings(call.network.ipam))
    return replace(call, pod=pod, network=network)


def _with_pod_networks(call: Call, networks: Sequence[str]) -> bytes:
    """Return the configuration with ``usePodCidr`` replaced by the first of the networks of that family."""
    conf = msgspec.json.decode(call.text)

    def replaced(range_: dict[str, Any]) -> dict[str, Any]:
        is_ipv6 = _USE_POD_CIDR.get(str(range_.get("subnet", "")).lower())
        if is_ipv6 is None:
            return range_
        found = next((network for network in networks if (":" in network) is is_ipv6), None)
        if found is None:
            raise CniError(Code.INTERNAL, f"node {call.node} has no pod network for {range_['subnet']}")
        return range_ | {"subnet": found}

    ipam = replaced(conf["ipam"])
    ranges = [[replaced(item) for item in group] for group in ipam.get("ranges") or ()]
    return msgspec.json.encode(conf | {"ipam": ipam | ({"ranges": ranges} if ranges else {})})
