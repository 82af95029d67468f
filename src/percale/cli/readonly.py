# SPDX-License-Identifier: Apache-2.0
"""What the command line does not write, although the datastore would take it (spec/cli.md section 6)."""

from __future__ import annotations

from typing import Literal

from percale.cli.targets import Target
from percale.errors import AlreadyExists, NotSupported
from percale.resources import DEFAULT_ALLOW_PROFILE

__all__ = ["Verb", "check_writable"]

Verb = Literal["create", "apply", "replace", "delete"]
"""The ways to write."""

_KUBERNETES_PREFIX = "knp.default."
_OPERATIONS = {"create": "create or apply", "apply": "apply", "replace": "apply or replace", "delete": "delete"}


class _ProfileIsProvided(AlreadyExists):
    """The profile that always exists cannot be created."""

    @property
    def calico_text(self) -> str:
        name = self.name
        reason = f'{name} already exists. The profile "{name}" is default provided by Calico'
        return f"resource already exists: {name} with error: {reason}"


def check_writable(verb: Verb, target: Target) -> None:
    """Raise PercaleError for ClusterInformation, policies that Kubernetes keeps, and the profile that allows all."""
    kind = target.info.kind
    if kind == "ClusterInformation":
        reason = "resource is readonly" if verb == "apply" else ""
        raise NotSupported(_OPERATIONS[verb], kind, reason=reason)
    if kind == "NetworkPolicy" and target.name.startswith(_KUBERNETES_PREFIX):
        operation = _OPERATIONS["replace" if verb == "apply" else verb]
        reason = "kubernetes network policies must be managed through the kubernetes API"
        raise NotSupported(operation, kind, target.name, target.namespace, reason=reason)
    if kind == "Profile" and target.name == DEFAULT_ALLOW_PROFILE:
        if verb == "create":
            raise _ProfileIsProvided(kind, target.name)
        operation = "Delete" if verb == "delete" else "Update"
        reason = f'The profile "{target.name}" is a default provided by Calico and cannot be {operation.lower()}d'
        raise NotSupported(operation, target.name, reason=reason)
