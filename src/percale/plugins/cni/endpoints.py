# SPDX-License-Identifier: Apache-2.0
"""The endpoints and profiles of this plugin's workloads in the datastore (spec/cni.md sections 4 and 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from percale.datastore.seams import Datastore, Write
from percale.errors import AlreadyExists, Conflict, NotFound
from percale.plugins.cni.errors import CniError, Code
from percale.plugins.cni.workload import Workload
from percale.resources import Key, Profile, WorkloadEndpoint
from percale.resources.wep_names import EndpointIdentifiers

__all__ = ["Endpoints"]

_ATTEMPTS = 6
"""How often a write is tried while others change the same endpoint."""

_CLUSTER = Key("ClusterInformation", "", "default")


@dataclass(frozen=True)
class Endpoints:
    """What the plugin reads and writes of the datastore."""

    datastore: Datastore

    def require_ready(self) -> None:
        """Raise CniError unless the datastore is there and open for new endpoints."""
        try:
            ready = self.datastore.get(_CLUSTER).spec.datastore_ready
        except NotFound:
            ready = None
        if not ready:
            raise CniError(
                Code.INTERNAL, "the datastore is not ready", "ClusterInformation 'default' has no datastoreReady: true"
            )

    def find(self, workload: Workload) -> WorkloadEndpoint | None:
        """Return the workload's endpoint whatever its interface is called, None if there is none."""
        identifiers = workload.any_interface
        for endpoint in self._beginning(identifiers, workload.namespace):
            if identifiers.match(endpoint.name):
                return endpoint
        return None

    def of_node(self, node: str) -> Iterator[WorkloadEndpoint]:
        """Yield every endpoint of a node."""
        for endpoint in self._beginning(EndpointIdentifiers(node=node)):
            if endpoint.spec.node == node:
                yield endpoint

    def _beginning(self, identifiers: EndpointIdentifiers, namespace: str = "") -> Iterator[WorkloadEndpoint]:
        found = self.datastore.list("WorkloadEndpoint", namespace=namespace, name=identifiers.prefix(), prefix=True)
        yield from cast("Sequence[WorkloadEndpoint]", found.items)

    def write(self, endpoint: WorkloadEndpoint, profile: Profile | None) -> WorkloadEndpoint:
        """Store an endpoint, new unless it has a version, and its profile unless that exists; return it as stored.

        Raises AlreadyExists, Conflict, or what else became of the endpoint's write.
        """
        verb = "update" if endpoint.metadata.resource_version else "create"
        writes = [Write("create", profile.key, profile)] if profile is not None else []
        outcomes = self.datastore.write_many([*writes, Write(verb, endpoint.key, endpoint)])  # type: ignore[arg-type]
        for outcome in outcomes:
            if outcome.error is not None and not (outcome.key.kind == "Profile" and _exists(outcome.error)):
                raise outcome.error
        return cast("WorkloadEndpoint", outcomes[-1].resource)

    def add_profile(self, endpoint: WorkloadEndpoint, name: str, profile: Profile | None) -> WorkloadEndpoint:
        """Make an endpoint name one more profile, stored if given; raises Conflict if others keep changing it."""
        for attempt in range(_ATTEMPTS):
            if name in endpoint.spec.profiles:
                return endpoint
            spec = endpoint.spec.replace(profiles=(*endpoint.spec.profiles, name))
            try:
                return self.write(endpoint.replace(spec=spec), profile)
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
            endpoint = cast("WorkloadEndpoint", self.datastore.get(endpoint.key))
        raise AssertionError("the last attempt returns or raises")

    def forget(self, workload: Workload) -> WorkloadEndpoint | None:
        """Delete the endpoint of a workload that goes, and return it; None if it is gone, or another container's.

        A pod's endpoint is found by the pod, a plain one by its exact name. Raises Conflict if others keep changing it.
        """
        for attempt in range(_ATTEMPTS):
            endpoint = self.find(workload) if workload.pod else self._exactly(workload)
            if endpoint is None or endpoint.spec.container_id not in ("", workload.container_id):
                return None
            try:
                self.delete(endpoint)
            except NotFound:
                return None
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            return endpoint
        raise AssertionError("the last attempt returns or raises")

    def delete(self, endpoint: WorkloadEndpoint) -> None:
        """Delete an endpoint as it was read; raises NotFound, Conflict."""
        metadata = endpoint.metadata
        self.datastore.delete(endpoint.key, resource_version=metadata.resource_version, uid=metadata.uid)

    def _exactly(self, workload: Workload) -> WorkloadEndpoint | None:
        try:
            key = Key("WorkloadEndpoint", workload.namespace, workload.identifiers.name())
            return cast("WorkloadEndpoint", self.datastore.get(key))
        except NotFound:
            return None


def _exists(error: Exception) -> bool:
    return isinstance(error, AlreadyExists)
