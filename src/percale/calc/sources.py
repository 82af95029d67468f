# SPDX-License-Identifier: Apache-2.0
"""Sources: policies and profiles of the cluster, compiled when their rules are first needed.

Most policies of a large cluster select nothing on one host; of those an agent needs the selector and no more.
"""

from __future__ import annotations

from pyroaring import BitMap

from percale.calc.compile import (
    Compilation,
    PolicyResource,
    compile_policy,
    compile_profile,
    is_needed_everywhere,
    policy_selector,
)
from percale.calc.compiled import CompiledPolicy, CompiledProfile, PolicyID
from percale.calc.labels import Labels
from percale.resources.checks import ensure
from percale.resources.profile import Profile

__all__ = ["PolicySource", "ProfileSource"]


class PolicySource:
    """A policy with its effective selector; raises SelectorError when that cannot be made.

    ``slots`` are those of the policy index that it matches, kept up to date by the index.
    """

    __slots__ = ("_compilation", "_resource", "id", "selector", "slots")

    def __init__(self, policy_id: PolicyID, resource: PolicyResource) -> None:
        self.id = policy_id
        self.selector = policy_selector(resource)
        self.slots = BitMap()
        self._resource = resource
        self._compilation: Compilation[CompiledPolicy] | None = None

    @property
    def is_active(self) -> bool:
        """Whether something in the policy index needs it."""
        return bool(self.slots) or is_needed_everywhere(self._resource)

    @property
    def compilation(self) -> Compilation[CompiledPolicy]:
        """The compiled form and its IP sets; raises ValidationError where the policy breaks a rule of its fields."""
        if self._compilation is None:
            _ensure_valid(self._resource)
            self._compilation = compile_policy(self._resource, self.id, self.selector)
        return self._compilation


class ProfileSource:
    """A profile and the labels it gives to endpoints; raises ValidationError where it breaks a rule of its fields.

    It is judged at once, because an invalid one gives no labels either, and labels count for every endpoint.
    """

    __slots__ = ("_compilation", "_resource", "labels", "name")

    def __init__(self, resource: Profile) -> None:
        _ensure_valid(resource)
        self.name = resource.name
        self.labels: Labels = resource.spec.labels_to_apply
        self._resource = resource
        self._compilation: Compilation[CompiledProfile] | None = None

    @property
    def compilation(self) -> Compilation[CompiledProfile]:
        """The compiled form and its IP sets; raises SelectorError where it has none."""
        if self._compilation is None:
            self._compilation = compile_profile(self._resource)
        return self._compilation


def _ensure_valid(stored: PolicyResource | Profile) -> None:
    """Apply the rules that Calico's agent applies to what it reads (spec/calculation.md R2), before the first use."""
    ensure(stored, operation="validate", people=False, schema=False)
