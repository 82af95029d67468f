# SPDX-License-Identifier: Apache-2.0
"""The directory: from what people call an endpoint to the endpoint, and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import islice

from percale.calc.cluster import Cluster
from percale.calc.contributors import Contributor
from percale.calc.host_state import EndpointID
from percale.errors import Problem, ValidationError
from percale.resources.spelling import closest
from percale.resources.wep_names import endpoint_key

__all__ = ["Directory", "spoken_name"]

_LIBNETWORK = "libnetwork"
_COMPARED = 2000
"""How many names with the right first letter are compared with a wrong one; the comparison is slow."""


class Directory:
    """Finds the endpoints of a cluster that does not change while it is asked.

    A workload endpoint goes by its own name or its workload's (the pod's, the VM's), behind its namespace or, where
    only one namespace has it, alone. A host endpoint goes by its name, and comes first.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def endpoint(self, name: str) -> Contributor:
        """Return the endpoint of this name; raises ValidationError where there is none, or more than one."""
        found = self._exact(name) or self._called(name)
        if len(found) == 1:
            return self._cluster.endpoint(found[0])
        if found:
            several = ", ".join(sorted(f"{each.namespace}/{each.name}" for each in found))
            raise _refused(name, f"{name!r} may be any of several endpoints", f"write one of {several}")
        close = self._close(name)
        hint = f"did you mean {' or '.join(close)}" if close else "an endpoint without addresses does not count"
        raise _refused(name, f"no endpoint is called {name!r}", hint)

    def _exact(self, name: str) -> tuple[EndpointID, ...]:
        namespace, slash, own = name.partition("/")
        exact = EndpointID("WorkloadEndpoint", namespace, own) if slash else EndpointID("HostEndpoint", "", name)
        return (exact,) if exact in self._cluster.contributors else ()

    def _called(self, name: str) -> tuple[EndpointID, ...]:
        namespace, _, own = name.rpartition("/")
        by_full_name = (each for each in self._by_workload.get(_workload(own), ()) if each.name == own)
        found = self._by_workload.get(own) or tuple(by_full_name)
        return tuple(each for each in found if each.namespace == namespace) if namespace else found

    def _close(self, name: str) -> list[str]:
        namespace, slash, own = name.rpartition("/")
        similar = islice((each for each in self._by_workload if each[:1] == own[:1]), _COMPARED)
        return [f"{namespace}{slash}{each}" for each in closest(own, similar) if self._called(each)]

    @cached_property
    def _by_workload(self) -> Mapping[str, tuple[EndpointID, ...]]:
        # Made for the first question that does not give an endpoint's full name.
        found: dict[str, tuple[EndpointID, ...]] = {}
        for each in self._cluster.endpoints():
            if each.id.kind == "WorkloadEndpoint":
                workload = _workload(each.id.name)
                found[workload] = (*found.get(workload, ()), each.id)
        return found


def spoken_name(endpoint_id: EndpointID) -> str:
    """Return what people call an endpoint: ``namespace/workload``, or a host endpoint's name."""
    if endpoint_id.kind != "WorkloadEndpoint":
        return endpoint_id.name
    return f"{endpoint_id.namespace}/{_workload(endpoint_id.name)}"


def _workload(name: str) -> str:
    """The workload in an endpoint's name; the name itself where no plugin made it."""
    segments = name.split("-")
    if "" in segments:  # a doubled dash stands for one inside a segment
        try:
            key = endpoint_key("-", name)
        except ValidationError:
            return name
        segments = [key.host, key.orchestrator, key.workload.partition("/")[2], key.endpoint]
    if len(segments) != 4:
        return name
    # Docker's plugin knows no workload: what stands in its place is the same word for all endpoints.
    return segments[3 if segments[1] == _LIBNETWORK else 2]


def _refused(name: str, message: str, hint: str) -> ValidationError:
    return ValidationError([Problem(path="", message=message, hint=hint, value=name)])
