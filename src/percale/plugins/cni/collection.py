# SPDX-License-Identifier: Apache-2.0
"""GC: removing what the runtime does not know any more of one network on this host (spec/cni.md section 1.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container
from typing import TypeVar

from percale.errors import PercaleError
from percale.ipam import Ipam
from percale.plugins.cni import attachment
from percale.plugins.cni.call import Call
from percale.plugins.cni.endpoints import Endpoints
from percale.resources import WorkloadEndpoint

__all__ = ["collect"]

T = TypeVar("T")
U = TypeVar("U")
log = logging.getLogger(__name__)

_ORCHESTRATORS = ("cni", "k8s")


def collect(call: Call, endpoints: Endpoints, ipam: Ipam) -> None:
    """Remove endpoints and addresses of this network and node that are not among the valid attachments.

    Goes on after a failure and raises the first one in the end.
    """
    known = {valid.container_id for valid in call.network.valid_attachments}
    lost = {container: handle for container, handle in _handles(call, ipam).items() if container not in known}
    failures = [
        _attempt(_remove, endpoint, endpoints)
        for endpoint in list(endpoints.of_node(call.node))
        if endpoint.spec.container_id not in known and _is_of_network(endpoint, call, lost)
    ]
    failures += [_attempt(_release, handle, ipam) for handle in lost.values()]
    for failure in filter(None, failures):
        raise failure


def _handles(call: Call, ipam: Ipam) -> dict[str, str]:
    """Return the handles of this network and node, by container."""
    prefix = f"{call.network.name}."
    owners = (owner for block in ipam.blocks() for owner in block.attributes if owner.canonical_handle)
    found = {owner.canonical_handle for owner in owners if (owner.secondary or {}).get("node") == call.node}
    return {handle.removeprefix(prefix): handle for handle in found if handle and handle.startswith(prefix)}


def _is_of_network(endpoint: WorkloadEndpoint, call: Call, containers: Container[str]) -> bool:
    """Report whether an endpoint is of this network: by its profile, or by its container's address."""
    spec = endpoint.spec
    named = call.network.name in spec.profiles or spec.container_id in containers
    return spec.orchestrator in _ORCHESTRATORS and bool(spec.container_id) and named


def _remove(endpoint: WorkloadEndpoint, endpoints: Endpoints) -> None:
    log.info("garbage collected: endpoint=%s", endpoint.key)
    endpoints.delete(endpoint)
    attachment.remove_from_host(endpoint.spec.interface_name)


def _release(handle: str, ipam: Ipam) -> None:
    log.info("garbage collected: handle=%s", handle)
    ipam.release_by_handle(handle)


def _attempt(action: Callable[[T, U], None], first: T, second: U) -> PercaleError | OSError | None:
    try:
        action(first, second)
    except (PercaleError, OSError) as error:
        return error
    return None
