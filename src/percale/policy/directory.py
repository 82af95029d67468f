# SPDX-License-Identifier: Apache-2.0
"""The directory: from what people call an endpoint to the endpoint, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property

from percale.calc.cluster import Cluster
from percale.calc.contributors import Contributor
from percale.calc.host_state import EndpointID
from percale.errors import Problem, ValidationError
from percale.resources.wep_names import endpoint_key

__all__ = ["Directory", "spoken_name"]

_LIBNETWORK = "libnetwork"


class Directory:
    """Finds the endpoints of a cluster that does not change while it is asked.

    A workload endpoint goes by its own name or its workload's (the pod's, the VM's), behind its namespace or, where
    only one namespace has it, alone. A host endpoint goes by its name, and comes first.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def endpoint(self, name: str) -> Contributor:
        """Return the endpoint of this name; raises ValidationError where there is none, or more than one."""
        found = self._exact(name) or self._spoken.get(name, ())
        if len(found) == 1:
            return self._cluster.endpoint(found[0])
        if found:
            several = ", ".join(sorted(f"{each.namespace}/{each.name}" for each in found))
            raise _refused(name, f"{name!r} may be any of several endpoints", f"write one of {several}")
        close = get_close_matches(name, self._spoken, n=3)
        hint = f"did you mean {' or '.join(close)}" if close else "an endpoint without addresses does not count"
        raise _refused(name, f"no endpoint is called {name!r}", hint)

    def _exact(self, name: str) -> tuple[EndpointID, ...]:
        namespace, slash, own = name.partition("/")
        exact = EndpointID("WorkloadEndpoint", namespace, own) if slash else EndpointID("HostEndpoint", "", name)
        return (exact,) if exact in self._cluster.contributors else ()

    @cached_property
    def _spoken(self) -> Mapping[str, tuple[EndpointID, ...]]:
        # Only full names are found without this: it is made for the first question that needs it.
        found: dict[str, set[EndpointID]] = defaultdict(set)
        for each in self._cluster.endpoints():
            spoken = spoken_name(each.id)
            for name in (spoken, spoken.rpartition("/")[2], each.id.name):
                found[name].add(each.id)
        return {name: tuple(ids) for name, ids in found.items()}


def spoken_name(endpoint_id: EndpointID) -> str:
    """Return what people call an endpoint: ``namespace/workload``, or a host endpoint's name."""
    if endpoint_id.kind != "WorkloadEndpoint":
        return endpoint_id.name
    try:
        key = endpoint_key(endpoint_id.namespace, endpoint_id.name)
    except ValidationError:
        return f"{endpoint_id.namespace}/{endpoint_id.name}"  # a name that no plugin made
    # Docker's plugin knows no workload: what it calls one is the same word for all endpoints.
    return f"{endpoint_id.namespace}/{key.endpoint}" if key.orchestrator == _LIBNETWORK else key.workload


def _refused(name: str, message: str, hint: str) -> ValidationError:
    return ValidationError([Problem(path="", message=message, hint=hint, value=name)])
