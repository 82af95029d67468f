# SPDX-License-Identifier: Apache-2.0
"""The ``projectcalico.org/v3`` API: kinds, names, defaults, validation, and their JSON and YAML texts.

Each name is imported from its module when it is first used, so that a command pays only for the kinds that it touches.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers only: a star passes on what each module lists in its ``__all__``.
    from percale.resources.bgp_configuration import *  # noqa: F403
    from percale.resources.bgp_filter import *  # noqa: F403
    from percale.resources.bgp_peer import *  # noqa: F403
    from percale.resources.calico_node_status import *  # noqa: F403
    from percale.resources.checks import *  # noqa: F403
    from percale.resources.cluster_information import *  # noqa: F403
    from percale.resources.conditions import *  # noqa: F403
    from percale.resources.defaults import *  # noqa: F403
    from percale.resources.documents import *  # noqa: F403
    from percale.resources.felix_configuration import *  # noqa: F403
    from percale.resources.fields import *  # noqa: F403
    from percale.resources.host_endpoint import *  # noqa: F403
    from percale.resources.ip_pool import *  # noqa: F403
    from percale.resources.ip_reservation import *  # noqa: F403
    from percale.resources.ipam import *  # noqa: F403
    from percale.resources.json_text import *  # noqa: F403
    from percale.resources.kinds import *  # noqa: F403
    from percale.resources.kube_controllers_configuration import *  # noqa: F403
    from percale.resources.live_migration import *  # noqa: F403
    from percale.resources.metadata import *  # noqa: F403
    from percale.resources.network_policy import *  # noqa: F403
    from percale.resources.network_set import *  # noqa: F403
    from percale.resources.node import *  # noqa: F403
    from percale.resources.profile import *  # noqa: F403
    from percale.resources.resource import *  # noqa: F403
    from percale.resources.rules import *  # noqa: F403
    from percale.resources.staged_kubernetes_policy import *  # noqa: F403
    from percale.resources.staged_policy import *  # noqa: F403
    from percale.resources.tier import *  # noqa: F403
    from percale.resources.wep_names import *  # noqa: F403
    from percale.resources.wire import *  # noqa: F403
    from percale.resources.workload_endpoint import *  # noqa: F403
    from percale.resources.yaml_text import *  # noqa: F403

_EXPORTS = {
    "bgp_configuration": "BGPConfiguration BGPConfigurationSpec Community PrefixAdvertisement ServiceIPBlock",
    "bgp_filter": (
        "BGPFilter BGPFilterAddCommunity BGPFilterCommunityMatch BGPFilterOperation BGPFilterPrefixLength "
        "BGPFilterPrependASPath BGPFilterRule BGPFilterSetPriority BGPFilterSpec"
    ),
    "bgp_peer": "BGPPassword BGPPeer BGPPeerSpec SecretKeySelector",
    "calico_node_status": (
        "AgentStatus BGPDaemonStatus BGPSessionStatus CalicoNodeStatus CalicoNodeStatusSpec "
        "CalicoNodeStatusStatus LearnedFrom NodePeer NodeRoute RoutesStatus"
    ),
    "checks": "check ensure",
    "cluster_information": "ClusterInformation ClusterInformationSpec",
    "conditions": "Condition Conditions",
    "defaults": "NAMESPACE_LABEL ORCHESTRATOR_LABEL TIER_LABEL defaulted pool_defaulted tier_defaulted",
    "documents": "MAX_DOCUMENTS MAX_DOCUMENT_BYTES Document DocumentError read_documents read_one",
    "felix_configuration": (
        "BPFConntrackTimeouts FelixConfiguration FelixConfigurationSpec HealthTimeoutOverride ProtoPort "
        "RouteTableIDRange RouteTableRange"
    ),
    "fields": (
        "DSCP ASNumber Duration Flag Int32 Int64 IntOrString Number Port Protocol Time UInt8 UInt16 "
        "UInt32 UInt64 as_number number octet_or_name port port_range"
    ),
    "host_endpoint": "EndpointPort HostEndpoint HostEndpointSpec",
    "ip_pool": "IPPool IPPoolSpec",
    "ip_reservation": "IPReservation IPReservationSpec",
    "ipam": (
        "AllocationAttribute BlockAffinity BlockAffinitySpec IPAMBlock IPAMBlockSpec IPAMConfiguration "
        "IPAMConfigurationSpec IPAMHandle IPAMHandleSpec"
    ),
    "json_text": "decode_json encode_json encode_json_list go_json to_builtins",
    "kinds": "KINDS KindInfo kind_named",
    "kube_controllers_configuration": (
        "AutoHostEndpointConfig ControllersConfig HostEndpointTemplate KubeControllersConfiguration "
        "KubeControllersConfigurationSpec KubeControllersConfigurationStatus LoadBalancerControllerConfig "
        "MigrationControllerConfig NodeControllerConfig ReconcilerConfig"
    ),
    "live_migration": (
        "LiveMigration LiveMigrationSource LiveMigrationSpec LiveMigrationTarget "
        "WorkloadEndpointIdentifier WorkloadIdentifier"
    ),
    "metadata": "ManagedFieldsEntry ObjectMeta OwnerReference",
    "network_policy": "GlobalNetworkPolicy GlobalNetworkPolicySpec NetworkPolicy NetworkPolicySpec",
    "network_set": "GlobalNetworkSet NetworkSet NetworkSetSpec",
    "node": "Node NodeAddress NodeBGPSpec NodeInterface NodeSpec NodeStatus NodeWireguardSpec OrchRef",
    "profile": "DEFAULT_ALLOW_PROFILE Profile ProfileSpec",
    "resource": "API_VERSION Key Resource",
    "rules": "EntityRule HTTPMatch HTTPPath ICMPFields Rule RuleMetadata ServiceAccountMatch ServiceMatch",
    "staged_kubernetes_policy": (
        "IPBlock LabelSelector LabelSelectorRequirement NetworkPolicyEgressRule NetworkPolicyIngressRule "
        "NetworkPolicyPeer NetworkPolicyPort StagedKubernetesNetworkPolicy "
        "StagedKubernetesNetworkPolicySpec"
    ),
    "staged_policy": (
        "StagedGlobalNetworkPolicy StagedGlobalNetworkPolicySpec StagedNetworkPolicy StagedNetworkPolicySpec"
    ),
    "tier": "BUILT_IN_TIERS DEFAULT_TIER Tier TierSpec",
    "wep_names": "EndpointIdentifiers WorkloadEndpointKey endpoint_key veth_name",
    "wire": "member_name wire_name",
    "workload_endpoint": "IPNAT QoSControls WorkloadEndpoint WorkloadEndpointPort WorkloadEndpointSpec",
    "yaml_text": "encode_yaml yaml_list yaml_text",
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names.split()}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'percale.resources' has no attribute {name!r}")
    value = getattr(import_module(f"percale.resources.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
