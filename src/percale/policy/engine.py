# SPDX-License-Identifier: Apache-2.0
"""One endpoint, one direction: tiers in order, then profiles (spec/policy.md section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from percale.calc.compiled import Action, CompiledPolicy, CompiledProfile, CompiledRule, PolicyID
from percale.calc.host_state import EndpointID, TierPolicies
from percale.calc.membership import Membership
from percale.policy.flow import Flow
from percale.policy.match import matches
from percale.policy.verdict import Direction, Judgement, Reason, Stage, Verdict

__all__ = ["Evaluation", "Miss", "Place", "Rulebook"]


class Rulebook(Protocol):
    """Where policies, profiles and the members of IP sets are looked up."""

    @property
    def sets(self) -> Membership:
        """The IP sets that the rules refer to."""

    def policy(self, policy_id: PolicyID) -> CompiledPolicy:
        """Return a policy that an endpoint's tiers list."""

    def profile(self, name: str) -> CompiledProfile:
        """Return a profile; one that does not exist is a stand-in that denies everything."""


class Place(NamedTuple):
    """Where a packet is judged: an endpoint, the class of its policies, and the direction."""

    endpoint: EndpointID
    stage: Stage
    direction: Direction


class Miss(NamedTuple):
    """A rule that was tried and did not match, and whose it is."""

    place: Place
    tier: str
    policy: PolicyID | None
    profile: str
    rule: CompiledRule


_WORDS = {Action.ALLOW: "allow", Action.DENY: "deny", Action.PASS: "pass", Action.LOG: "log"}
_VERDICTS = {Action.ALLOW: Verdict.ALLOW, Action.DENY: Verdict.DENY}


@dataclass(slots=True)
class Evaluation:
    """One flow on its way through rules: collects the judgements, and the missed rules where a list is given for them.

    Each method returns None where nothing decided.
    """

    rulebook: Rulebook
    flow: Flow
    trail: list[Judgement] = field(default_factory=list)
    misses: list[Miss] | None = None

    def tiers_then_profiles(self, place: Place, tiers: Sequence[TierPolicies], profiles: Iterable[str]) -> Verdict:
        """Judge by the normal class, which always decides."""
        return self.tiers(place, tiers) or self.profiles(place, profiles)

    def tiers(self, place: Place, tiers: Sequence[TierPolicies]) -> Verdict | None:
        """Judge by tiers in order."""
        for tier in tiers:
            policies = tier.ingress if place.direction is Direction.INGRESS else tier.egress
            enforced = [policy for policy in map(self.rulebook.policy, policies) if not policy.staged]
            if not enforced:
                continue  # the tier does not govern this direction
            action = self._first_action(place, tier.name, enforced)
            if action in _VERDICTS:
                return _VERDICTS[action]
            if action is None and tier.default_action != "Pass":
                self.note(place, Reason.END_OF_TIER, "deny", tier=tier.name)
                return Verdict.DENY
        return None

    def profiles(self, place: Place, names: Iterable[str]) -> Verdict:
        """Judge by profiles in order; a packet that none of them allows is denied."""
        for name in names:
            profile = self.rulebook.profile(name)
            rules = profile.ingress if place.direction is Direction.INGRESS else profile.egress
            action = self._action(place, rules, profile=name)
            if action in _VERDICTS:
                return _VERDICTS[action]
        self.note(place, Reason.NO_PROFILE_MATCH, "deny")
        return Verdict.DENY

    def note(self, place: Place | None, reason: Reason, action: str = "", *, tier: str = "") -> None:
        """Add a judgement that no rule gave."""
        endpoint, stage, direction = place or (None, None, None)
        self.trail.append(Judgement(action, reason, endpoint, stage, direction, tier))

    def _first_action(self, place: Place, tier: str, policies: Iterable[CompiledPolicy]) -> Action | None:
        for policy in policies:
            rules = policy.ingress if place.direction is Direction.INGRESS else policy.egress
            action = self._action(place, rules or (), tier=tier, policy=policy.id)
            if action is not None:
                return action
        return None

    def _action(
        self,
        place: Place,
        rules: Iterable[CompiledRule],
        *,
        tier: str = "",
        policy: PolicyID | None = None,
        profile: str = "",
    ) -> Action | None:
        flow, sets = self.flow, self.rulebook.sets
        for rule in rules:
            if matches(rule, flow, sets):
                self.trail.append(Judgement(_WORDS[rule.action], None, *place, tier, policy, profile, rule.index))
                if rule.action is not Action.LOG:
                    return rule.action
            elif self.misses is not None:
                self.misses.append(Miss(place, tier, policy, profile, rule))
        return None
