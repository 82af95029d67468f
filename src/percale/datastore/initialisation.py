# SPDX-License-Identifier: Apache-2.0
"""Making an empty datastore ready (spec/storage-etcd.md section 4); idempotent, and safe while others do the same."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from percale.datastore.seams import Datastore
from percale.errors import AlreadyExists, Conflict, NotFound, PercaleError
from percale.resources import (
    BUILT_IN_TIERS,
    ClusterInformation,
    ClusterInformationSpec,
    Key,
    ObjectMeta,
    Tier,
    TierSpec,
)

__all__ = ["initialise"]

_ATTEMPTS = 5
_PAUSE_S = 1.0
_CLUSTER = Key("ClusterInformation", "", "default")


def initialise(datastore: Datastore, *, version: str = "", cluster_type: str = "") -> None:
    """Create what is missing; every step is tried, then the first error is raised."""
    steps: list[Callable[[], None]] = [lambda: _announce_cluster(datastore, version, cluster_type)]
    steps += [lambda name=name: _create_tier(datastore, name) for name in BUILT_IN_TIERS]  # type: ignore[misc]
    errors = []
    for step in steps:
        try:
            step()
        except PercaleError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _create_tier(datastore: Datastore, name: str) -> None:
    order, action = BUILT_IN_TIERS[name]
    tier = Tier(metadata=ObjectMeta(name=name), spec=TierSpec(order=order, default_action=action))
    try:
        datastore.get(tier.key)
    except NotFound:
        try:
            datastore.create(tier)
        except AlreadyExists:
            return


def _announce_cluster(datastore: Datastore, version: str, cluster_type: str) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            _create_or_complete(datastore, version, cluster_type)
        except (AlreadyExists, Conflict):
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _create_or_complete(datastore: Datastore, version: str, cluster_type: str) -> None:
    try:
        cluster = datastore.get(_CLUSTER)
    except NotFound:
        spec = ClusterInformationSpec(datastore_ready=None)
        empty = ClusterInformation(metadata=ObjectMeta(name="default"), spec=spec)
        datastore.create(empty.replace(spec=_completed(spec, version, cluster_type)))
        return
    spec = _completed(cluster.spec, version, cluster_type)
    if spec != cluster.spec:
        datastore.update(cluster.replace(spec=spec))


def _completed(spec: ClusterInformationSpec, version: str, cluster_type: str) -> ClusterInformationSpec:
    types = [part for part in spec.cluster_type.split(",") if part]
    types += [part for part in cluster_type.split(",") if part and part not in types]
    return spec.replace(
        cluster_guid=spec.cluster_guid or uuid.uuid4().hex,
        cluster_type=",".join(types),
        calico_version=version or spec.calico_version,
        # A datastore that somebody has locked on purpose stays locked.
        datastore_ready=True if spec.datastore_ready is None else spec.datastore_ready,
    )
