# SPDX-License-Identifier: Apache-2.0
"""What Calico's client checks around the content of a single resource (spec/validation.md sections 5.2 and 6.3).

What needs other resources, or the stored one, is the client's: ``percale.client``.
"""

from __future__ import annotations

from percale.errors import Problem, ValidationError
from percale.resources.checks.site import Site
from percale.resources.resource import Resource

__all__ = ["after", "before"]


def before(resource: Resource, operation: str) -> list[Problem]:
    """Return the problems that Calico's client finds before it looks at the content."""
    if resource.kind == "WorkloadEndpoint" and operation != "validate":
        return _endpoint_name(resource)
    return []


def after(resource: Resource) -> list[Problem]:
    """Return the problems that Calico's client finds after it has looked at the content."""
    found: list[Problem] = []
    if resource.kind == "BGPConfiguration":
        from percale.resources.checks.bgp import default_only

        default_only(Site(resource, found))
    elif resource.kind == "KubeControllersConfiguration":
        from percale.resources.checks.nodes import distinct_templates

        distinct_templates(Site(resource, found))
    return found


def _endpoint_name(resource: Resource) -> list[Problem]:
    from percale.resources.wep_names import EndpointIdentifiers

    try:
        wanted = EndpointIdentifiers.of(resource.spec).name()
    except ValidationError as error:
        return list(error.problems)
    if resource.name == wanted:
        return []
    return [
        Problem(
            path="metadata.name",
            message=f"{resource.name!r} is not the name that the spec gives this endpoint",
            hint=f"write {wanted}, or leave the name out",
            rule="endpoint name",
            value=resource.name,
            calico_name="Name",
            calico_reason=(
                "the WorkloadEndpoint name does not match the primary identifiers assigned in the Spec:"
                f" expected name {wanted}"
            ),
        )
    ]
