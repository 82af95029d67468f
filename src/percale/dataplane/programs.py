# SPDX-License-Identifier: Apache-2.0
"""Rule programs: the compiled policy of one direction for one ordered list of tiers, policies and profiles.

A program is a chain that jumps through its *stages*, one chain per tier and per profile. Inside a stage *allow* is
``accept``, *deny* ends the packet and *pass* is ``return``, which leads to the next stage; after the last one the
program denies. Endpoints with equal lists share a program, programs with an equal stage share its chain, and all are
named by what they stand for, so that a policy's new content changes rules in place (spec/dataplane.md section 5.1).

A policy stands in its tier's chain, or, once several tiers hold it, in a chain of its own to which they jump; not one
that may pass, for a chain that is jumped to cannot make its caller return.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal as Word
from typing import NamedTuple, TypeAlias

from percale.calc.compiled import Action, CompiledPolicy, CompiledProfile, CompiledRule, IPSetID, PolicyID
from percale.calc.host_state import WorkloadInterface
from percale.dataplane.config import DataplaneConfig, DenyAction
from percale.dataplane.literals import Literal
from percale.dataplane.match import DESTINATION, port_between, protocol_is
from percale.dataplane.names import hashed, shortened
from percale.dataplane.rules import SetNames, ip_sets_of, matches_of
from percale.netlink.nftables.expressions import ACCEPT, DROP, RETURN, Expression, Log, Reject, jump
from percale.netlink.nftables.objects import Chain, Rule

__all__ = [
    "Body",
    "Direction",
    "PolicyStage",
    "ProfileStage",
    "Program",
    "RenderedChain",
    "RuleWriter",
    "Stage",
    "TierStage",
    "may_stand_alone",
    "program_of",
    "rules_of",
]

Direction: TypeAlias = Word["ingress", "egress"]

_UDP, _IPIP = 17, 4
_LOG_INFO = 6
_SHORT_KINDS = {
    "NetworkPolicy": "np",
    "GlobalNetworkPolicy": "gnp",
    "StagedNetworkPolicy": "snp",
    "StagedGlobalNetworkPolicy": "sgnp",
    "StagedKubernetesNetworkPolicy": "sknp",
}


class TierStage(NamedTuple):
    """The policies of one tier in one direction, staged ones included, in order."""

    direction: Direction
    tier: str
    default_action: str
    policies: tuple[PolicyID, ...]

    @property
    def chain(self) -> Chain:
        """The chain that holds the stage."""
        return _stage_chain(self, "t", f"tier {self.tier} {self.direction}: {', '.join(map(str, self.policies))}")


class ProfileStage(NamedTuple):
    """One profile in one direction."""

    direction: Direction
    profile: str

    @property
    def chain(self) -> Chain:
        """The chain that holds the stage."""
        return _stage_chain(self, "p", f"profile {self.profile} {self.direction}")


class PolicyStage(NamedTuple):
    """One policy in one direction, for the tiers that jump to it instead of holding its rules themselves."""

    direction: Direction
    policy: PolicyID

    @property
    def chain(self) -> Chain:
        """The chain that holds the policy's rules."""
        return _stage_chain(self, "q", f"policy {self.policy} {self.direction}")


Stage: TypeAlias = TierStage | ProfileStage | PolicyStage


@lru_cache(maxsize=16384)
def _stage_chain(stage: Stage, letter: str, comment: str) -> Chain:
    return Chain(hashed(f"{letter}{stage.direction[0]}", *stage), comment=shortened(comment))


class Program(NamedTuple):
    """A direction and the stages that judge a packet in turn."""

    direction: Direction
    stages: tuple[TierStage | ProfileStage, ...]

    @property
    def chain(self) -> Chain:
        """The chain at which the program begins."""
        return _program_chain(self)


@lru_cache(maxsize=16384)
def _program_chain(program: Program) -> Chain:
    return Chain(hashed(f"r{program.direction[0]}", *program.stages), comment=f"program {program.direction}")


def program_of(endpoint: WorkloadInterface, direction: Direction) -> Program:
    """The program that judges an endpoint's packets of one direction."""
    tiers = tuple(
        TierStage(direction, tier.name, tier.default_action, policies)
        for tier in endpoint.tiers
        if (policies := tier.ingress if direction == "ingress" else tier.egress)
    )
    return Program(direction, tiers + tuple(ProfileStage(direction, profile) for profile in endpoint.profiles))


class Body(NamedTuple):
    """A rule without its chain."""

    expressions: tuple[Expression, ...]
    comment: str = ""
    literals: tuple[Literal, ...] = ()


class RenderedChain(NamedTuple):
    """A chain with its rules, and the sets that they look into."""

    chain: Chain
    rules: tuple[Rule, ...]
    literals: frozenset[Literal] = frozenset()
    ip_sets: frozenset[IPSetID] = frozenset()


@dataclass(frozen=True, slots=True)
class RuleWriter:
    """Writes policies, profiles and programs as chains.

    ``set_names`` tells where the members of an IP set are.
    """

    config: DataplaneConfig
    set_names: SetNames

    @property
    def deny(self) -> tuple[Expression, ...]:
        """How a packet is denied."""
        return (Reject(),) if self.config.deny_action is DenyAction.REJECT else (DROP,)

    def program(self, program: Program) -> RenderedChain:
        """The head of a program: the encapsulation guard, a jump to each stage, and the final denial."""
        guard = tuple(self._encapsulation_guard()) if program.direction == "egress" else ()
        stages = tuple((jump(stage.chain.name),) for stage in program.stages)
        name = program.chain.name
        return RenderedChain(program.chain, tuple(Rule(name, line) for line in (*guard, *stages, self.deny)))

    def profile(self, stage: ProfileStage, profile: CompiledProfile) -> RenderedChain:
        """A profile's chain."""
        rules = profile.ingress if stage.direction == "ingress" else profile.egress
        bodies = self._bodies(rules, f"profile {profile.name}", ("profile", "", profile.name), "")
        return _rendered(stage.chain, list(bodies), rules)

    def policy(self, stage: PolicyStage, policy: CompiledPolicy, bodies: Sequence[Body]) -> RenderedChain:
        """The chain of a policy that stands alone."""
        return _rendered(stage.chain, bodies, rules_of(policy, stage.direction))

    def tier(self, stage: TierStage, policies: Sequence[tuple[CompiledPolicy, Sequence[Body] | None]]) -> RenderedChain:
        """A tier's chain: its policies, each with its rules or, without any, as a jump to its own chain."""
        enforced = [(policy, held) for policy, held in policies if not policy.staged]
        bodies: list[Body] = []
        rules: list[CompiledRule] = []
        for policy, held in enforced:
            if held is None:
                bodies.append(
                    Body((jump(PolicyStage(stage.direction, policy.id).chain.name),), shortened(str(policy.id)))
                )
            else:
                bodies.extend(held)
                rules.extend(rules_of(policy, stage.direction))
        if enforced and stage.default_action != "Pass":
            bodies.append(Body(self.deny, shortened(f"end of tier {stage.tier}")))
        return _rendered(stage.chain, bodies, rules)

    def policy_bodies(self, policy: CompiledPolicy, direction: Direction) -> tuple[Body, ...]:
        """The rules of a policy in one direction."""
        return tuple(self._bodies(rules_of(policy, direction), str(policy.id), policy.id, policy.tier))

    def _bodies(
        self, rules: Sequence[CompiledRule], owner: str, identity: tuple[str, ...], tier: str
    ) -> Iterator[Body]:
        for rule in rules:
            action = self._action(rule.action, identity, tier)
            notes = "".join(f"; {key}={value}" for key, value in rule.annotations.items())
            comment = shortened(f"{owner} rule {rule.index}{notes}")
            disjoint = rule.action is Action.LOG
            for found in matches_of(rule, self.set_names, self.config.versions, disjoint=disjoint):
                yield Body(found.match + action, comment, found.literals)

    def _action(self, action: Action, identity: tuple[str, ...], tier: str) -> tuple[Expression, ...]:
        match action:
            case Action.ALLOW:
                return (ACCEPT,)
            case Action.DENY:
                return self.deny
            case Action.PASS:
                return (RETURN,)
            case Action.LOG:
                return (Log(self._log_prefix(identity, tier), _LOG_INFO),)

    def _log_prefix(self, identity: tuple[str, ...], tier: str) -> str:
        """The configured prefix with ``%t`` tier, ``%k`` short kind, ``%n`` name, ``%p`` namespace/name filled in."""
        kind, namespace, name = identity
        words = {
            "%t": tier,
            "%k": _SHORT_KINDS.get(kind, kind),
            "%n": name,
            "%p": f"{namespace}/{name}" if namespace else name,
        }
        prefix = self.config.log_prefix
        for word, value in words.items():
            prefix = prefix.replace(word, value)
        return prefix.encode()[:127].decode(errors="ignore")

    def _encapsulation_guard(self) -> Iterator[tuple[Expression, ...]]:
        """Workloads must not forge the cluster's own tunnels (spec/policy.md section 6)."""
        if not self.config.allow_vxlan:
            port = self.config.vxlan_port
            yield (*protocol_is(_UDP), *port_between(DESTINATION, port, port), *self.deny)
        if not self.config.allow_ipip:
            yield (*protocol_is(_IPIP), *self.deny)


def _rendered(chain: Chain, bodies: Sequence[Body], rules: Sequence[CompiledRule]) -> RenderedChain:
    return RenderedChain(
        chain,
        tuple(Rule(chain.name, body.expressions, body.comment) for body in bodies),
        frozenset(literal for body in bodies for literal in body.literals),
        frozenset[IPSetID]().union(*map(ip_sets_of, rules)),
    )


def may_stand_alone(policy: CompiledPolicy, direction: Direction) -> bool:
    """Whether the policy's rules may stand in a chain of their own."""
    rules = rules_of(policy, direction)
    return bool(rules) and not policy.staged and all(rule.action is not Action.PASS for rule in rules)


def rules_of(policy: CompiledPolicy, direction: Direction) -> tuple[CompiledRule, ...]:
    """The policy's rules in one direction; none where it does not govern it."""
    return (policy.ingress if direction == "ingress" else policy.egress) or ()
