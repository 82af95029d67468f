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
    name: str = written(str)  #: The name, unique within its kind and namespace.
    uid: str = written(str)  #: Given at creation, never used again.
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

    name: str = ""  #: The name, unique within its kind and namespace.
    generate_name: str = ""
    namespace: str = ""  #: The namespace of a namespaced resource; default unless given.
    self_link: str = ""
    uid: str = ""  #: Given at creation, never used again.
    resource_version: str = ""  #: The version that was read; an update of another one is a conflict.
    generation: Int64 = 0
    creation_timestamp: Time = ""  #: When the resource was created.
    deletion_timestamp: Time = ""
    deletion_grace_period_seconds: Int64 | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)  #: What selectors look at.
    annotations: dict[str, str] = msgspec.field(default_factory=dict)  #: Notes of other programs.
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()
