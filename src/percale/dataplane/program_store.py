# SPDX-License-Identifier: Apache-2.0
"""The programs, stages and literal sets in use, each kept in the ruleset as long as somebody refers to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from percale.calc.compiled import CompiledPolicy, CompiledProfile, IPSetID, PolicyID
from percale.dataplane.literals import Literal
from percale.dataplane.programs import Body, Direction, ProfileStage, Program, RenderedChain, RuleWriter, Stage
from percale.dataplane.ruleset import Ruleset

__all__ = ["ProgramStore"]


class ProgramStore:
    """Which programs there are; ``settle`` writes the chains of all that changed since the last call.

    Its work grows with the stages that changed, not with the number of endpoints or policies.
    """

    def __init__(self, ruleset: Ruleset, writer: RuleWriter) -> None:
        self._ruleset, self._writer = ruleset, writer
        self._policies: dict[PolicyID, CompiledPolicy] = {}
        self._profiles: dict[str, CompiledProfile] = {}
        self._programs: Counter[Program] = Counter()
        self._stages: Counter[Stage] = Counter()
        self._written: dict[Stage, RenderedChain] = {}
        self._literals: Counter[Literal] = Counter()
        self._stages_of_policy: dict[PolicyID, set[Stage]] = {}
        self._stages_of_profile: dict[str, set[Stage]] = {}
        self._stages_of_set: dict[IPSetID, set[Stage]] = {}
        self._bodies: dict[tuple[PolicyID, Direction], tuple[Body, ...]] = {}
        self._dirty: set[Stage] = set()

    def __len__(self) -> int:
        """How many programs there are."""
        return len(self._programs)

    def put_policy(self, policy: CompiledPolicy) -> None:
        """A policy is new or has new content."""
        self._policies[policy.id] = policy
        self._forget_bodies(policy.id)
        self._dirty |= self._stages_of_policy.get(policy.id, set())

    def remove_policy(self, policy_id: PolicyID) -> None:
        """A policy is gone; no endpoint may refer to it any more."""
        del self._policies[policy_id]
        self._forget_bodies(policy_id)

    def put_profile(self, profile: CompiledProfile) -> None:
        """A profile is new or has new content."""
        self._profiles[profile.name] = profile
        self._dirty |= self._stages_of_profile.get(profile.name, set())

    def remove_profile(self, name: str) -> None:
        """A profile is gone; no endpoint may refer to it any more."""
        del self._profiles[name]

    def set_moved(self, set_id: IPSetID) -> None:
        """An IP set has another kernel set now: rules that look into it must be written anew."""
        stages = self._stages_of_set.get(set_id, set())
        self._dirty |= stages
        for stage in stages:
            if not isinstance(stage, ProfileStage):
                for policy_id in stage.policies:
                    self._forget_bodies(policy_id)

    def acquire(self, program: Program) -> str:
        """One more endpoint uses the program; return the name of its first chain."""
        self._programs[program] += 1
        if self._programs[program] == 1:
            head = self._writer.program(program)
            self._ruleset.put_chain(head.chain, head.rules)
            for stage in program.stages:
                self._acquire_stage(stage)
        return program.chain.name

    def release(self, program: Program) -> None:
        """One endpoint less uses the program."""
        self._programs[program] -= 1
        if not self._programs[program]:
            del self._programs[program]
            self._ruleset.drop_chain(program.chain.name)
            for stage in program.stages:
                self._release_stage(stage)

    def settle(self) -> None:
        """Write the chains of all stages that changed."""
        for stage in sorted(self._dirty):
            old = self._written.get(stage)
            new = self._writer.stage(stage, self._policies, self._profiles, self._bodies_of)
            self._refer(stage, old, new)
            self._written[stage] = new
            if old is None or new.rules != old.rules:
                self._ruleset.put_chain(new.chain, new.rules)
        self._dirty.clear()

    def _acquire_stage(self, stage: Stage) -> None:
        self._stages[stage] += 1
        if self._stages[stage] == 1:
            for owners in self._owners(stage):
                owners.add(stage)
            self._dirty.add(stage)

    def _release_stage(self, stage: Stage) -> None:
        self._stages[stage] -= 1
        if self._stages[stage]:
            return
        del self._stages[stage]
        self._dirty.discard(stage)
        for owners in self._owners(stage):
            owners.discard(stage)
        old = self._written.pop(stage, None)
        if old is not None:
            self._refer(stage, old, None)
            self._ruleset.drop_chain(old.chain.name)

    def _owners(self, stage: Stage) -> list[set[Stage]]:
        if isinstance(stage, ProfileStage):
            return [self._stages_of_profile.setdefault(stage.profile, set())]
        return [self._stages_of_policy.setdefault(policy_id, set()) for policy_id in stage.policies]

    def _refer(self, stage: Stage, old: RenderedChain | None, new: RenderedChain | None) -> None:
        """Move the references of a stage from what it looked into to what it looks into now."""
        before = (old.literals, old.ip_sets) if old else (frozenset[Literal](), frozenset[IPSetID]())
        after = (new.literals, new.ip_sets) if new else (frozenset[Literal](), frozenset[IPSetID]())
        self._acquire_literals(after[0] - before[0])
        self._release_literals(before[0] - after[0])
        for set_id in after[1] - before[1]:
            self._stages_of_set.setdefault(set_id, set()).add(stage)
        for set_id in before[1] - after[1]:
            stages = self._stages_of_set[set_id]
            stages.discard(stage)
            if not stages:
                del self._stages_of_set[set_id]

    def _acquire_literals(self, literals: Iterable[Literal]) -> None:
        for literal in literals:
            self._literals[literal] += 1
            if self._literals[literal] == 1:
                self._ruleset.put_set(literal.set, literal.elements)

    def _release_literals(self, literals: Iterable[Literal]) -> None:
        for literal in literals:
            self._literals[literal] -= 1
            if not self._literals[literal]:
                del self._literals[literal]
                self._ruleset.drop_set(literal.name)

    def _bodies_of(self, policy: CompiledPolicy, direction: Direction) -> tuple[Body, ...]:
        key = policy.id, direction
        bodies = self._bodies.get(key)
        if bodies is None:
            bodies = self._bodies[key] = self._writer.policy_bodies(policy, direction)
        return bodies

    def _forget_bodies(self, policy_id: PolicyID) -> None:
        self._bodies.pop((policy_id, "ingress"), None)
        self._bodies.pop((policy_id, "egress"), None)
