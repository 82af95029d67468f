# SPDX-License-Identifier: Apache-2.0
"""ClusterInformation: facts of the whole cluster; the only one is named ``default`` (spec/resources.md section 13)."""

from __future__ import annotations

from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = ["ClusterInformation", "ClusterInformationSpec"]


class ClusterInformationSpec(Value, frozen=True, kw_only=True):
    """Identity, version and readiness of the datastore; ``datastore_ready`` false makes agents and plugins wait."""

    cluster_guid: str = ""  #: The cluster's identity, made at its first start: a UUID as 32 hexadecimal digits.
    cluster_type: str = ""  #: What the cluster consists of: a list of words joined by commas, such as k8s,bgp.
    calico_version: str = ""  #: The release of Calico that last initialised the cluster.
    #: Whether the datastore may be used; false, as during a migration, makes agents and plugins wait.
    datastore_ready: bool | None = None
    variant: str = ""  #: The edition of Calico that last initialised the cluster.


class ClusterInformation(Resource, frozen=True, kw_only=True):
    """Facts of the whole cluster."""

    spec: ClusterInformationSpec = written(ClusterInformationSpec)
