# SPDX-License-Identifier: Apache-2.0
"""GC: removing what the runtime does not know any more of one network on this host (spec/cni.md section 1.4)."""

from __future__ import annotations

import logging

from percale.errors import PercaleError
from percale.ipam import Ipam
from percale.plugins.cni import attachment
from percale.plugins.cni.call import Call
from percale.plugins.cni.endpoints import Endpoints
from percale.resources import WorkloadEndpoint

__all__ = ["collect"]

log = logging.getLogger(__name__)

_ORCHESTRATORS = ("cni", "k8s")


def collect(call: Call, endpoints: Endpoints, ipam: Ipam) -> None:
    """Remove endpoints and addresses of this network and node that are not among the valid attachments.

    Goes on after a failure and raises the first one in the end.
    """
    failures = [
        failure
        for endpoint in list(endpoints.of_node(call.node))
        if _is_unknown(endpoint, call) and (failure := _remove(endpoint, endpoints)) is not None
    ]
    failures += [failure for handle in _unknown_handles(call, ipam) if (failure := _release(handle, ipam)) is not None]
    if failures:
        raise failures[0]


def _is_unknown(endpoint: WorkloadEndpoint, call: Call) -> bool:
    spec = endpoint.spec
    ours = spec.orchestrator in _ORCHESTRATORS and bool(spec.container_id) and call.network.name in spec.profiles
    # A workload has one endpoint, named by its first interface; any interface of the container keeps it.
    return ours and all(spec.container_id != known.container_id for known in call.network.valid_attachments)


def _remove(endpoint: WorkloadEndpoint, endpoints: Endpoints) -> PercaleError | OSError | None:
    log.info("garbage collected: endpoint=%s", endpoint.key)
    try:
        endpoints.delete(endpoint)
        attachment.remove_from_host(endpoint.spec.interface_name)
    except (PercaleError, OSError) as error:
        return error
    return None


def _unknown_handles(call: Call, ipam: Ipam) -> list[str]:
    """Return the handles of this network and node whose container the runtime does not know."""
    prefix = f"{call.network.name}."
    known = {f"{prefix}{attachment.container_id}" for attachment in call.network.valid_attachments}
    found = {
        item.canonical_handle
        for block in ipam.blocks()
        for item in block.attributes
        if item.canonical_handle and (item.secondary or {}).get("node") == call.node
    }
    return sorted(handle for handle in found if handle.startswith(prefix) and handle not in known)


def _release(handle: str, ipam: Ipam) -> PercaleError | None:
    log.info("garbage collected: handle=%s", handle)
    try:
        ipam.release_by_handle(handle)
    except PercaleError as error:
        return error
    return None
