# SPDX-License-Identifier: Apache-2.0
"""The programs and stages in use, each kept in the ruleset as long as somebody refers to it."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from percale.calc.compiled import CompiledPolicy, CompiledProfile, IPSetID, PolicyID
from percale.dataplane.literal_store import LiteralStore
from percale.dataplane.programs import (
    Body,
    Direction,
    PolicyStage,
    ProfileStage,
    Program,
    RenderedChain,
    RuleWriter,
    Stage,
    TierStage,
    may_stand_alone,
    rules_of,
)
from percale.dataplane.rules import ip_sets_of
from percale.dataplane.ruleset import Ruleset
from percale.netlink.nftables.objects import Chain

__all__ = ["ProgramStore"]

_NOTHING = RenderedChain(Chain(""), ())
_Half: TypeAlias = tuple[Direction, PolicyID]


class ProgramStore:
    """Which programs there are; ``settle`` writes the chains of all that changed since the last call.

    Its work grows with the stages that changed, not with the number of endpoints or policies.
    """

    def __init__(self, ruleset: Ruleset, writer: RuleWriter) -> None:
        self._ruleset, self._writer = ruleset, writer
        self._literals = LiteralStore(ruleset)
        self._policies: dict[PolicyID, CompiledPolicy] = {}
        self._profiles: dict[str, CompiledProfile] = {}
        self._programs: Counter[Program] = Counter()
        self._stages: Counter[TierStage | ProfileStage] = Counter()
        self._written: dict[Stage, RenderedChain] = {}
        self._tiers_of: dict[_Half, set[TierStage]] = {}
        self._stages_of_set: dict[IPSetID, set[Stage]] = {}
        self._bodies: dict[_Half, tuple[Body, ...]] = {}
        self._alone: set[_Half] = set()
        self._changed: set[_Half] = set()
        self._recounted: set[_Half] = set()
        self._dirty: set[Stage] = set()

    def __len__(self) -> int:
        """How many programs there are."""
        return len(self._programs)

    def put_policy(self, policy: CompiledPolicy) -> None:
        """A policy is new or has new content."""
        self._policies[policy.id] = policy
        self._changed.update(_halves(policy.id))

    def remove_policy(self, policy_id: PolicyID) -> None:
        """A policy is gone; no endpoint may refer to it any more."""
        del self._policies[policy_id]
        self._changed.update(_halves(policy_id))

    def put_profile(self, profile: CompiledProfile) -> None:
        """A profile is new or has new content."""
        self._profiles[profile.name] = profile
        stages = (ProfileStage("ingress", profile.name), ProfileStage("egress", profile.name))
        self._dirty.update(stage for stage in stages if stage in self._stages)

    def remove_profile(self, name: str) -> None:
        """A profile is gone; no endpoint may refer to it any more."""
        del self._profiles[name]

    def set_moved(self, set_id: IPSetID) -> None:
        """An IP set has another kernel set now: rules that look into it must be written anew."""
        for stage in self._stages_of_set.get(set_id, ()):
            self._dirty.add(stage)
            if not isinstance(stage, ProfileStage):
                self._changed.update(half for half in _halves_of(stage) if self._looks_into(half, set_id))

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
        for half in self._changed:
            self._bodies.pop(half, None)
        retired = [stage for half in self._changed | self._recounted for stage in self._settle_half(half)]
        for stage in sorted(self._dirty, key=lambda stage: stage.chain.name):
            self._write(stage)
        for stage in retired:
            self._erase(stage)
        for touched in (self._changed, self._recounted, self._dirty):
            touched.clear()

    def _settle_half(self, half: _Half) -> list[PolicyStage]:
        """Decide where a policy's rules stand, and which stages must be written for it; return a stage that ends."""
        policy, tiers, stage = self._policies.get(half[1]), self._tiers_of.get(half, ()), PolicyStage(*half)
        shared = len(tiers) >= self._writer.config.share_policies_from
        alone = shared and policy is not None and may_stand_alone(policy, half[0])
        was_alone = half in self._alone
        if alone != was_alone:
            (self._alone.add if alone else self._alone.discard)(half)
        if alone != was_alone or (half in self._changed and not alone):
            self._dirty.update(tiers)
        if alone and (half in self._changed or not was_alone):
            self._dirty.add(stage)
        if alone or not was_alone:
            return []
        self._dirty.discard(stage)
        return [stage]

    def _acquire_stage(self, stage: TierStage | ProfileStage) -> None:
        self._stages[stage] += 1
        if self._stages[stage] == 1:
            self._dirty.add(stage)
            if isinstance(stage, TierStage):
                for half in _halves_of(stage):
                    self._tiers_of.setdefault(half, set()).add(stage)
                    self._recounted.add(half)

    def _release_stage(self, stage: TierStage | ProfileStage) -> None:
        self._stages[stage] -= 1
        if self._stages[stage]:
            return
        del self._stages[stage]
        self._dirty.discard(stage)
        self._erase(stage)
        if isinstance(stage, TierStage):
            for half in _halves_of(stage):
                self._tiers_of[half].discard(stage)
                if not self._tiers_of[half]:
                    del self._tiers_of[half]
                    # No stage holds these rules, so nobody would tell when a set that they look into moves.
                    self._bodies.pop(half, None)
                self._recounted.add(half)

    def _write(self, stage: Stage) -> None:
        old, new = self._written.get(stage), self._rendered(stage)
        self._refer(stage, old or _NOTHING, new)
        self._written[stage] = new
        if old is None or new.rules != old.rules:
            self._ruleset.put_chain(new.chain, new.rules)

    def _erase(self, stage: Stage) -> None:
        old = self._written.pop(stage, None)
        if old is not None:
            self._refer(stage, old, _NOTHING)
            self._ruleset.drop_chain(old.chain.name)

    def _rendered(self, stage: Stage) -> RenderedChain:
        match stage:
            case ProfileStage():
                return self._writer.profile(stage, self._profiles[stage.profile])
            case PolicyStage(direction, policy_id):
                return self._writer.policy(stage, self._policies[policy_id], self._bodies_of((direction, policy_id)))
            case TierStage():
                held = (
                    (self._policies[half[1]], None if half in self._alone else self._bodies_of(half))
                    for half in _halves_of(stage)
                )
                return self._writer.tier(stage, list(held))

    def _refer(self, stage: Stage, old: RenderedChain, new: RenderedChain) -> None:
        """Move the references of a stage from what it looked into to what it looks into now."""
        self._literals.acquire(new.literals - old.literals)
        self._literals.release(old.literals - new.literals)
        for set_id in new.ip_sets - old.ip_sets:
            self._stages_of_set.setdefault(set_id, set()).add(stage)
        for set_id in old.ip_sets - new.ip_sets:
            self._stages_of_set[set_id].discard(stage)
            if not self._stages_of_set[set_id]:
                del self._stages_of_set[set_id]

    def _looks_into(self, half: _Half, set_id: IPSetID) -> bool:
        policy = self._policies.get(half[1])
        return policy is not None and any(set_id in ip_sets_of(rule) for rule in rules_of(policy, half[0]))

    def _bodies_of(self, half: _Half) -> tuple[Body, ...]:
        bodies = self._bodies.get(half)
        if bodies is None:
            bodies = self._bodies[half] = self._writer.policy_bodies(self._policies[half[1]], half[0])
        return bodies


def _halves(policy_id: PolicyID) -> tuple[_Half, _Half]:
    return ("ingress", policy_id), ("egress", policy_id)


def _halves_of(stage: TierStage | PolicyStage) -> list[_Half]:
    if isinstance(stage, PolicyStage):
        return [(stage.direction, stage.policy)]
    return [(stage.direction, policy_id) for policy_id in stage.policies]
