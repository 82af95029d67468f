# SPDX-License-Identifier: Apache-2.0
"""LiveMigration: a workload on its way to another host; internal (spec/resources.md section 15)."""

from __future__ import annotations

from percale.resources.resource import Resource
from percale.resources.value import Value, written

__all__ = [
    "LiveMigration",
    "LiveMigrationSource",
    "LiveMigrationSpec",
    "LiveMigrationTarget",
    "WorkloadEndpointIdentifier",
    "WorkloadIdentifier",
]


class WorkloadIdentifier(Value, frozen=True, kw_only=True):
    """A workload on a host."""

    hostname: str = ""
    orchestrator_id: str = ""
    workload_id: str = ""


class WorkloadEndpointIdentifier(Value, frozen=True, kw_only=True):
    """An endpoint of a workload on a host."""

    hostname: str = ""
    orchestrator_id: str = ""
    workload_id: str = ""
    endpoint_id: str = ""


class LiveMigrationSource(Value, frozen=True, kw_only=True):
    """What moves: a whole workload or one endpoint."""

    workload: WorkloadIdentifier | None = None
    workload_endpoint: WorkloadEndpointIdentifier | None = None


class LiveMigrationTarget(Value, frozen=True, kw_only=True):
    """Where it moves to: endpoints by selector, or one endpoint."""

    selector: str | None = None
    workload_endpoint: WorkloadEndpointIdentifier | None = None


class LiveMigrationSpec(Value, frozen=True, kw_only=True):
    """From where to where."""

    source: LiveMigrationSource | None = None
    target: LiveMigrationTarget | None = None


class LiveMigration(Resource, frozen=True, kw_only=True):
    """A workload on its way to another host."""

    spec: LiveMigrationSpec = written(LiveMigrationSpec)
