# SPDX-License-Identifier: Apache-2.0
"""The ``projectcalico.org/v3`` API: kinds, names, defaults, validation, and their JSON and YAML texts.

Each name is imported from its module when it is first used, so that a command pays only for the kinds that it touches.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers only: a star passes on what each module lists in its ``__all__``.
    from percale.resources.cluster_information import *  # noqa: F403
    from percale.resources.conditions import *  # noqa: F403
    from percale.resources.host_endpoint import *  # noqa: F403
    from percale.resources.ip_pool import *  # noqa: F403
    from percale.resources.json_text import *  # noqa: F403
    from percale.resources.kinds import *  # noqa: F403
    from percale.resources.metadata import *  # noqa: F403
    from percale.resources.network_policy import *  # noqa: F403
    from percale.resources.network_set import *  # noqa: F403
    from percale.resources.node import *  # noqa: F403
    from percale.resources.profile import *  # noqa: F403
    from percale.resources.resource import *  # noqa: F403
    from percale.resources.rules import *  # noqa: F403
    from percale.resources.tier import *  # noqa: F403
    from percale.resources.wire import *  # noqa: F403
    from percale.resources.workload_endpoint import *  # noqa: F403

_EXPORTS = {
    "cluster_information": "ClusterInformation ClusterInformationSpec",
    "conditions": "Condition Conditions",
    "host_endpoint": "EndpointPort HostEndpoint HostEndpointSpec",
    "ip_pool": "IPPool IPPoolSpec",
    "json_text": "decode_json encode_json encode_json_list go_json to_builtins",
    "kinds": "KINDS KindInfo kind_named",
    "metadata": "ManagedFieldsEntry ObjectMeta OwnerReference",
    "network_policy": "GlobalNetworkPolicy GlobalNetworkPolicySpec NetworkPolicy NetworkPolicySpec",
    "network_set": "GlobalNetworkSet NetworkSet NetworkSetSpec",
    "node": "Node NodeAddress NodeBGPSpec NodeInterface NodeSpec NodeStatus NodeWireguardSpec OrchRef",
    "profile": "DEFAULT_ALLOW_PROFILE Profile ProfileSpec",
    "resource": "API_VERSION Key Resource",
    "rules": "EntityRule HTTPMatch HTTPPath ICMPFields Rule RuleMetadata ServiceAccountMatch ServiceMatch",
    "tier": "BUILT_IN_TIERS DEFAULT_TIER Tier TierSpec",
    "wire": "member_name wire_name",
    "workload_endpoint": "IPNAT QoSControls WorkloadEndpoint WorkloadEndpointPort WorkloadEndpointSpec",
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
