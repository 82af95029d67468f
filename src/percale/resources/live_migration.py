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

    hostname: str = ""  #: The host on which the workload runs.
    orchestrator_id: str = ""  #: The orchestrator of the workload.
    workload_id: str = ""  #: The workload within its orchestrator, with its namespace.


class WorkloadEndpointIdentifier(Value, frozen=True, kw_only=True):
    """An endpoint of a workload on a host."""

    hostname: str = ""  #: The host on which the workload runs.
    orchestrator_id: str = ""  #: The orchestrator of the workload.
    workload_id: str = ""  #: The workload within its orchestrator, with its namespace.
    endpoint_id: str = ""  #: The interface within the workload.


class LiveMigrationSource(Value, frozen=True, kw_only=True):
    """What moves: a whole workload or one endpoint."""

    workload: WorkloadIdentifier | None = None  #: The workload that moves, with all its endpoints.
    workload_endpoint: WorkloadEndpointIdentifier | None = None  #: The one endpoint that moves.


class LiveMigrationTarget(Value, frozen=True, kw_only=True):
    """Where it moves to: endpoints by selector, or one endpoint."""

    selector: str | None = None  #: The endpoints that take over, by their labels.
    workload_endpoint: WorkloadEndpointIdentifier | None = None  #: The one endpoint that takes over.


class LiveMigrationSpec(Value, frozen=True, kw_only=True):
    """From where to where."""

    source: LiveMigrationSource | None = None  #: What moves, and from where.
    target: LiveMigrationTarget | None = None  #: What takes over, and where.


class LiveMigration(Resource, frozen=True, kw_only=True):
    """A workload on its way to another host."""

    spec: LiveMigrationSpec = written(LiveMigrationSpec)
