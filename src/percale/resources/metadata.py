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

    api_version: str = written(str)  #: The API and version of the owner's kind.
    kind: str = written(str)  #: The kind of the owner.
    name: str = written(str)  #: The name of the owner.
    uid: str = written(str)  #: The owner's uid: it tells an owner from a later one of the same name.
    controller: bool | None = None  #: Whether the owner is the one that controls this resource; at most one does.
    #: Whether the owner stays until this resource is gone, when both are deleted in the foreground.
    block_owner_deletion: bool | None = None


class ManagedFieldsEntry(Value, frozen=True, kw_only=True):
    """Who manages which fields; kept, but without effect outside Kubernetes."""

    manager: str = ""  #: The program that manages the fields.
    operation: str = ""  #: How it came to manage them: Apply or Update.
    api_version: str = ""  #: The version of the kind for which the names of the fields hold.
    time: Time | None = None  #: When the entry last changed.
    fields_type: str = ""  #: The form of fieldsV1; always FieldsV1.
    fields_v1: dict[str, Any] | None = None  #: The fields, as a tree of objects.
    subresource: str = ""  #: The part of the resource that was written, such as status; empty for the resource itself.


class ObjectMeta(Value, frozen=True, kw_only=True):
    """Name, namespace, labels and the bookkeeping of one resource."""

    name: str = ""  #: The name, unique within its kind and namespace; a workload endpoint's is computed from its spec.
    #: Kept, but no name is made of it; on a pod's endpoint it is what the pod's name was made of.
    generate_name: str = ""
    namespace: str = ""  #: The namespace of a namespaced resource; the command line takes default where it is absent.
    self_link: str = ""  #: An address of the resource in older releases of Kubernetes; left out on writing and reading.
    uid: str = ""  #: An identity that is given at creation and never used again, unlike a name.
    #: The version that was read; an update of another version is a conflict. Absent at creation.
    resource_version: str = ""
    generation: Int64 = 0  #: How often the wanted state was changed; kept, and counted by Kubernetes only.
    creation_timestamp: Time = ""  #: When the resource was created.
    deletion_timestamp: Time = ""  #: When the resource was asked to go; it stays while it has finalizers.
    #: The seconds that the resource has from then on to end by itself.
    deletion_grace_period_seconds: Int64 | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)  #: Names and values at which selectors look.
    #: Names and values of any length, for other programs; selectors do not look at them.
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    #: The objects that own this one; in Kubernetes it goes when all of them are gone.
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()  #: Programs that have work to do before the resource may go.
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()  #: Who manages which fields; Kubernetes' bookkeeping.
