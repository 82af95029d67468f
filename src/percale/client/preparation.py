# SPDX-License-Identifier: Apache-2.0
"""From what a caller wrote to what is stored: defaults, checks, metadata (spec/validation.md section 1)."""

from __future__ import annotations

from typing import Literal, TypeVar

from percale.client.prechecks import AFTER_CONTENT, CREATE, UPDATE, check_identity, check_singleton
from percale.client.view import View
from percale.errors import Conflict, ValidationError
from percale.resources import ObjectMeta, Resource

__all__ = ["as_people_write", "prepared", "taking_over"]

R = TypeVar("R", bound=Resource)


def prepared(operation: Literal["create", "update"], resource: R, old: Resource | None, view: View) -> R:
    """Return the resource as it will be stored, or raise the error that refuses it.

    ``old`` is the stored resource, where an update knows it. Nothing is written.
    """
    from percale.resources import check
    from percale.resources.defaults import defaulted
    from percale.resources.typed import typed

    resource = typed(resource)
    for precheck in (CREATE if operation == "create" else UPDATE).get(resource.kind, ()):
        precheck(resource, old, view)
    resource = defaulted(resource)
    problems = [problem for problem in check(resource, operation=operation) if not problem.warning]
    if problems:
        raise ValidationError(problems)
    for precheck in AFTER_CONTENT.get(resource.kind, ()):
        precheck(resource, old, view)
    check_singleton(operation, resource)
    check_identity(operation, resource)
    return resource


def as_people_write(resource: R, *, keep_version: bool = False) -> R:
    """Return the resource with only those metadata that a person decides (spec/cli.md section 6)."""
    given = resource.metadata
    version = given.resource_version if keep_version else ""
    return resource.replace(
        metadata=ObjectMeta(
            name=given.name,
            namespace=given.namespace,
            labels=given.labels,
            annotations=given.annotations,
            resource_version=version,
        )
    )


def taking_over(resource: R, stored: Resource) -> R:
    """Return the resource with the stored metadata, but its own labels and annotations.

    Raises Conflict if it was written for another version than the stored one.
    """
    given = resource.metadata
    if given.resource_version not in ("", stored.metadata.resource_version):
        raise Conflict(*_identity(resource), current=stored)
    metadata = stored.metadata.replace(labels=given.labels, annotations=given.annotations)
    return resource.replace(metadata=metadata)


def _identity(resource: Resource) -> tuple[str, str, str]:
    key = resource.key
    return key.kind, key.name, key.namespace
