# SPDX-License-Identifier: Apache-2.0
"""What the command line does not write, although the datastore would take it (spec/cli.md section 6)."""

from __future__ import annotations

from typing import Literal

from percale.cli.targets import Target
from percale.errors import NotSupported

__all__ = ["Verb", "check_writable"]

Verb = Literal["create", "apply", "replace", "delete"]
"""The ways to write."""

_KUBERNETES_PREFIX = "knp.default."
_OPERATIONS = {"create": "create or apply", "apply": "apply", "replace": "apply or replace", "delete": "delete"}


def check_writable(verb: Verb, target: Target) -> None:
    """Raise PercaleError for ClusterInformation, and for policies that Kubernetes keeps."""
    kind = target.info.kind
    if kind == "ClusterInformation":
        reason = "resource is readonly" if verb == "apply" else ""
        raise NotSupported(_OPERATIONS[verb], kind, reason=reason)
    if kind == "NetworkPolicy" and target.name.startswith(_KUBERNETES_PREFIX):
        operation = _OPERATIONS["replace" if verb == "apply" else verb]
        reason = "kubernetes network policies must be managed through the kubernetes API"
        raise NotSupported(operation, kind, target.name, target.namespace, reason=reason)
