# SPDX-License-Identifier: Apache-2.0
"""Names of workload endpoints: four identifiers joined by dashes (spec/validation.md section 6).

::

    node-1   k8s   my-pod    eth0
    node--1 - k8s - my--pod - eth0       a dash inside an identifier is doubled
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from percale.errors import Problem, ValidationError
from percale.resources.wire import wire_name

if TYPE_CHECKING:
    from percale.resources.workload_endpoint import WorkloadEndpointSpec

__all__ = ["EndpointIdentifiers", "WorkloadEndpointKey", "endpoint_key", "veth_name"]

_THIRD = {"k8s": "pod", "cni": "container_id", "libnetwork": "orchestrator"}
_SHORTEST_FULL_NAME = 7  # four segments of one letter and three dashes
_HASH_LENGTH = 11  # "cali" and eleven digits fill the fifteen characters of an interface name
# What Go's url.PathEscape leaves alone besides letters, digits and "-_.~".
_PATH_SAFE = "$&+:=@"


class WorkloadEndpointKey(NamedTuple):
    """How an agent identifies a workload endpoint, in status reports and between its parts."""

    host: str
    orchestrator: str
    workload: str
    endpoint: str

    @property
    def path(self) -> str:
        """The key as a path below ``/calico/v1``."""
        orchestrator, workload, endpoint = (
            part.replace("%", "%25").replace("/", "%2f") for part in (self.orchestrator, self.workload, self.endpoint)
        )
        return f"/calico/v1/host/{self.host}/workload/{orchestrator}/{workload}/endpoint/{endpoint}"

    @property
    def status_file(self) -> str:
        """The name of the agent's status file for the endpoint."""
        return " ".join(quote(part, safe=_PATH_SAFE) for part in (self.orchestrator, self.workload, self.endpoint))


class EndpointIdentifiers(NamedTuple):
    """What a workload endpoint's name is made of; the orchestrator decides which member is the third segment.

    ``k8s`` takes ``pod``, ``cni`` takes ``container_id``, ``libnetwork`` repeats itself, all others take ``workload``.
    """

    node: str = ""
    orchestrator: str = ""
    endpoint: str = ""
    workload: str = ""
    pod: str = ""
    container_id: str = ""

    @classmethod
    def of(cls, spec: WorkloadEndpointSpec) -> EndpointIdentifiers:
        """Return the identifiers of a workload endpoint."""
        return cls(spec.node, spec.orchestrator, spec.endpoint, spec.workload, spec.pod, spec.container_id)

    @classmethod
    def parse(cls, name: str) -> EndpointIdentifiers:
        """Return the identifiers that a full or partial name holds.

        Raises ValidationError for an empty name and for more than four segments.
        """
        segments = _split(name)
        if not name or len(segments) > 4:
            raise _refused("name", name, "is not the name of a workload endpoint")
        found = {"node": segments[0]}
        if len(segments) > 1:
            found["orchestrator"] = segments[1]
            # For libnetwork the third segment replaces the orchestrator, even when it is empty.
            last_two = (_THIRD.get(segments[1], "workload"), "endpoint")
            found.update(zip(last_two, segments[2:], strict=False))
        return cls(**found)

    @property
    def fields(self) -> tuple[str, str, str, str]:
        """The names of the members that make the four segments, in their order."""
        return "node", "orchestrator", _THIRD.get(self.orchestrator, "workload"), "endpoint"

    def name(self) -> str:
        """Return the full name. Raises ValidationError naming the first identifier that is empty or ends in a dash."""
        segments = self._segments()
        if len(segments) < 4:
            field = self.fields[len(segments)]
            raise _refused(field, "", "is required to make the name of the endpoint", "field should be assigned")
        return "-".join(segments)

    def prefix(self) -> str:
        """Return what all names with these identifiers begin with; the full name when all are given.

        An endpoint whose identifiers go on with a doubled dash has the same beginning: filter with ``match``.
        Raises ValidationError when the node is empty or an identifier begins or ends with a dash.
        """
        segments = self._segments()
        if not segments:
            raise _refused("node", "", "is required to look for endpoints")
        return "-".join(segments) if len(segments) == 4 else "-".join(segments) + "-"

    def match(self, name: str) -> bool:
        """Report whether a full name agrees with every identifier given. Raises ValidationError without a node."""
        if not self.node:
            raise _refused("node", "", "is required to compare names of endpoints")
        segments = _split(name)
        if len(name.encode()) < _SHORTEST_FULL_NAME or len(segments) != 4:
            return False
        given = (getattr(self, field) for field in self.fields)
        return all(not value or value == segment for value, segment in zip(given, segments, strict=True))

    def _segments(self) -> list[str]:
        """The segments up to the first empty identifier."""
        segments = []
        for field in self.fields:
            value: str = getattr(self, field)
            if not value:
                break
            if value.startswith("-") or value.endswith("-"):
                verb = "begin" if value.startswith("-") else "end"
                reason = f"field must not {verb} with a '-'"
                raise _refused(field, value, "must not begin or end with a dash", reason)
            segments.append(value.replace("-", "--"))
        return segments


def endpoint_key(namespace: str, name: str) -> WorkloadEndpointKey:
    """Return the agent's key of an endpoint.

    Raises ValidationError unless namespace and all four segments are there.
    """
    segments = _split(name)
    if not namespace:
        raise _refused("namespace", namespace, "is required")
    if len(name.encode()) < _SHORTEST_FULL_NAME or len(segments) != 4:
        raise _refused("name", name, "is not the full name of a workload endpoint")
    node, orchestrator, third, endpoint = segments
    return WorkloadEndpointKey(node, orchestrator, f"{namespace}/{third}", endpoint)


def veth_name(namespace: str, pod: str, prefix: str = "cali") -> str:
    """Return the host's interface name for a Kubernetes pod: the prefix and a digest of namespace and name."""
    from hashlib import sha1

    digest = sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()
    return prefix + digest[:_HASH_LENGTH]


def _split(name: str) -> list[str]:
    """Cut a name at single dashes; pairs are taken from the left and stand for one dash of the segment."""
    segments, start, at = [], 0, 1  # a dash at the very beginning separates nothing
    while (at := name.find("-", at)) >= 0:
        if name.startswith("--", at):
            at += 2
            continue
        segments.append(name[start:at])
        start = at = at + 1
    segments.append(name[start:])
    return [segment.replace("--", "-") for segment in segments]


def _refused(field: str, value: str, why: str, reason: str = "") -> ValidationError:
    path = f"spec.{wire_name(field)}" if field in EndpointIdentifiers._fields else f"metadata.{field}"
    problem = Problem(
        path=path,
        message=f"{value!r} {why}" if value else why,
        value=value if value or field != "node" else None,
        rule="endpoint name",
        calico_name=wire_name(field),
        calico_reason=reason or why,
    )
    return ValidationError([problem])
