# SPDX-License-Identifier: Apache-2.0
"""Whether a datastore is ready to be followed: neither locked nor emptied (spec/resources.md, ClusterInformation)."""

from __future__ import annotations

from percale.datastore.seams import SyncerUpdate
from percale.resources import ClusterInformation, Key

__all__ = ["is_about_readiness", "unreadiness"]

_CLUSTER = Key(ClusterInformation.kind, "", "default")


def is_about_readiness(update: SyncerUpdate) -> bool:
    """Whether an update is that of the resource which says so."""
    return update.key == _CLUSTER


def unreadiness(update: SyncerUpdate) -> str:
    """Return why a datastore whose ClusterInformation is so is not to be followed; empty if it is."""
    cluster = update.resource
    if not isinstance(cluster, ClusterInformation):
        return "the datastore has no ClusterInformation: it was emptied, or is being restored; what is programmed stays"
    if cluster.spec.datastore_ready is False:
        return "the datastore is locked (percale datastore migrate unlock ends that); what is programmed stays"
    return ""
