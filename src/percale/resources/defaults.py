# SPDX-License-Identifier: Apache-2.0
"""What the client fills in before a resource is written (spec/resources.md, the defaults of each kind)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from percale.errors import ValidationError
from percale.resources.resource import Resource

__all__ = ["NAMESPACE_LABEL", "ORCHESTRATOR_LABEL", "TIER_LABEL", "defaulted", "pool_defaulted", "tier_defaulted"]

R = TypeVar("R", bound=Resource)

TIER_LABEL = "projectcalico.org/tier"
NAMESPACE_LABEL = "projectcalico.org/namespace"
ORCHESTRATOR_LABEL = "projectcalico.org/orchestrator"


def defaulted(resource: R, *, schema: bool = True) -> R:
    """Return the resource as it is stored: names, labels, defaults of the client and, with ``schema``, of the schema.

    With the Kubernetes datastore the API server applies the schema's defaults itself.
    """
    fill = _CLIENT.get(resource.kind)
    if fill:
        resource = fill(resource)
    fill = _SCHEMA.get(resource.kind) if schema else None
    return fill(resource) if fill else resource


def _labelled(resource: R, **labels: str) -> R:
    wanted = {_LABELS[name]: value for name, value in labels.items()}
    current = resource.metadata.labels
    if all(current.get(key) == value for key, value in wanted.items()):
        return resource
    return resource.with_metadata(labels={**current, **wanted})


_LABELS = {"tier": TIER_LABEL, "namespace": NAMESPACE_LABEL, "orchestrator": ORCHESTRATOR_LABEL}


def _workload_endpoint(resource: Any) -> Any:
    spec = resource.spec
    if not resource.name:
        from percale.resources.wep_names import EndpointIdentifiers

        with suppress(ValidationError):  # the name stays empty; check() says which identifier is missing
            resource = resource.with_metadata(name=EndpointIdentifiers.of(spec).name())
    return _labelled(resource, namespace=resource.namespace, orchestrator=spec.orchestrator)


def _policy(resource: Any) -> Any:
    spec = resource.spec
    types = spec.types
    if getattr(spec, "staged_action", "") == "Delete":
        types = ()
    elif not types:
        types = (("Ingress",) if spec.ingress or not spec.egress else ()) + (("Egress",) if spec.egress else ())
    if types != spec.types:
        resource = resource.replace(spec=spec.replace(types=types))
    return _labelled(resource, tier=spec.tier or "default")


def _policy_schema(resource: Any) -> Any:
    spec = resource.spec
    changes: dict[str, Any] = {} if spec.tier else {"tier": "default"}
    return _staged_schema(resource.replace(spec=spec.replace(**changes)) if changes else resource)


def _staged_schema(resource: Any) -> Any:
    if getattr(resource.spec, "staged_action", "Set"):
        return resource
    return resource.replace(spec=resource.spec.replace(staged_action="Set"))


def tier_defaulted(resource: Any) -> Any:
    """Return a tier with order and default action filled in, as on writing and on listing."""
    return _filled(resource, order=1_000_000, default_action="Deny")


def pool_defaulted(resource: Any) -> Any:
    """Return a pool with all defaults filled in, as on writing and on reading old objects."""
    from percale.resources.addresses import parse_network

    spec = resource.spec
    network = parse_network(spec.cidr)
    if network is None:
        return resource
    if network.masked == network and spec.cidr != str(network):
        resource = resource.replace(spec=spec.replace(cidr=str(network)))
    return _filled(
        resource,
        node_selector="all()",
        block_size=26 if network.version == 4 else 122,
        allowed_uses=("Workload", "Tunnel"),
        assignment_mode="Automatic",
        ipip_mode="Never",
        vxlan_mode="Never",
    )


def _felix(resource: Any) -> Any:
    legacy = resource.spec.bpf_connect_time_load_balancing_enabled
    if legacy is not None:
        spec = resource.spec.replace(
            bpf_connect_time_load_balancing="Enabled" if legacy else "Disabled",
            bpf_host_networked_nat_without_ctlb="Disabled",
        )
        resource = resource.replace(spec=spec)
    return _filled(
        resource,
        floating_ips="Disabled",
        bpf_connect_time_load_balancing="TCP",
        bpf_host_networked_nat_without_ctlb="Enabled",
    )


def _felix_schema(resource: Any) -> Any:
    return _filled(resource, nftables_mode="Auto", nftables_flow_table_offload="Disabled")


def _controllers(resource: Any) -> Any:
    resource = _filled(resource, prometheus_metrics_port=9094)
    controllers = resource.spec.controllers
    node, balancer = controllers.node, controllers.load_balancer
    if node is not None and node.leak_grace_period is None:
        controllers = controllers.replace(node=node.replace(leak_grace_period="15m0s"))
    if balancer is not None and not balancer.assign_ips:
        controllers = controllers.replace(load_balancer=balancer.replace(assign_ips="AllServices"))
    return resource.replace(spec=resource.spec.replace(controllers=controllers))


def _controllers_schema(resource: Any) -> Any:
    resource = _filled(resource, health_checks="Enabled")
    controllers = resource.spec.controllers
    migration = controllers.migration
    if migration is None or migration.policy_name_migrator:
        return resource
    controllers = controllers.replace(migration=migration.replace(policy_name_migrator="Enabled"))
    return resource.replace(spec=resource.spec.replace(controllers=controllers))


def _bgp_schema(resource: Any) -> Any:
    return _filled(resource, log_severity_screen="Info", service_load_balancer_aggregation="Enabled")


def _filled(resource: Any, **values: Any) -> Any:
    """The resource with members of its spec set where they are absent; an explicit empty text or zero of an optional
    member stays."""
    spec = resource.spec
    changes = {}
    for name, value in values.items():
        current = getattr(spec, name)
        if current is None or (current in ("", (), 0) and _default_of(spec, name) is not None):
            changes[name] = value
    return resource.replace(spec=spec.replace(**changes)) if changes else resource


def _default_of(spec: Any, name: str) -> Any:
    return spec.__struct_defaults__[spec.__struct_fields__.index(name)]


_POLICIES = ("NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy")
_CLIENT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_POLICIES, _policy),
    "WorkloadEndpoint": _workload_endpoint,
    "Tier": tier_defaulted,
    "IPPool": pool_defaulted,
    "FelixConfiguration": _felix,
    "KubeControllersConfiguration": _controllers,
}
_SCHEMA: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_POLICIES, _policy_schema),
    "StagedKubernetesNetworkPolicy": _staged_schema,
    "FelixConfiguration": _felix_schema,
    "KubeControllersConfiguration": _controllers_schema,
    "BGPConfiguration": _bgp_schema,
}
