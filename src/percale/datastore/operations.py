# SPDX-License-Identifier: Apache-2.0
"""Which operations exist for which kind on which datastore (spec/resources.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from percale.datastore.seams import OperationName
from percale.resources.kinds import KINDS

__all__ = ["ETCD_OPERATIONS", "KUBERNETES_OPERATIONS", "Operations"]

Operations = Mapping[str, frozenset[OperationName]]

_ALL: frozenset[OperationName] = frozenset({"create", "update", "delete", "get", "list", "watch"})
_READ: frozenset[OperationName] = frozenset({"get", "list", "watch"})
_INTERNAL = ("IPAMBlock", "IPAMHandle")

ETCD_OPERATIONS: Operations = MappingProxyType({kind: _ALL for kind in KINDS if kind not in _INTERNAL})
"""Calico's layout over keys and values: everything, for all kinds but IPAM's internal records."""

KUBERNETES_OPERATIONS: Operations = MappingProxyType(
    {
        **ETCD_OPERATIONS,
        # Pods belong to Kubernetes: only their annotations can be changed, or cleared by a delete.
        "WorkloadEndpoint": _ALL - {"create"},
        "Profile": _READ,
        "Node": _READ | {"update"},
        "LiveMigration": _READ,
        "KubernetesNetworkPolicy": frozenset({"list", "watch"}),
        "KubernetesClusterNetworkPolicy": frozenset({"list", "watch"}),
    }
)
"""The Kubernetes API, where some kinds are views of its own objects."""
