# SPDX-License-Identifier: Apache-2.0
"""What every resource says about itself: Kubernetes' ObjectMeta (spec/resources.md section 1)."""

from __future__ import annotations

from typing import Any

import msgspec

from percale.resources.fields import Int64, Time
from percale.resources.value import Value, written

__all__ = ["ManagedFieldsEntry", "ObjectMeta", "OwnerReference"]


class OwnerReference(Value, frozen=True, kw_only=True):
    """The object that owns this one; kept, but without effect outside Kubernetes."""

    api_version: str = written(str)
    kind: str = written(str)
    name: str = written(str)
    uid: str = written(str)
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ManagedFieldsEntry(Value, frozen=True, kw_only=True):
    """Who manages which fields; kept, but without effect outside Kubernetes."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: Time | None = None
    fields_type: str = ""
    fields_v1: dict[str, Any] | None = None
    subresource: str = ""


class ObjectMeta(Value, frozen=True, kw_only=True):
    """Name, namespace, labels and the bookkeeping of one resource."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    self_link: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Int64 = 0
    creation_timestamp: Time = ""
    deletion_timestamp: Time = ""
    deletion_grace_period_seconds: Int64 | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()
