# SPDX-License-Identifier: Apache-2.0
"""ClusterInformation: facts of the whole cluster; the only one is named ``default`` (spec/resources.md section 13)."""

from __future__ import annotations

from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = ["ClusterInformation", "ClusterInformationSpec"]


class ClusterInformationSpec(Value, frozen=True, kw_only=True):
    """Identity, version and readiness of the datastore; ``datastore_ready`` false makes agents and plugins wait."""

    cluster_guid: str = ""
    cluster_type: str = ""
    calico_version: str = ""
    datastore_ready: bool | None = None
    variant: str = ""


class ClusterInformation(Resource, frozen=True, kw_only=True):
    """Facts of the whole cluster."""

    spec: ClusterInformationSpec = written(ClusterInformationSpec)
