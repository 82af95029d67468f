# SPDX-License-Identifier: Apache-2.0
"""Verdicts and the judgements that lead to them, as values with a stable JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from percale.calc.compiled import PolicyID
from percale.calc.host_state import EndpointID

__all__ = ["Direction", "Judgement", "Reason", "Stage", "Verdict", "rule_name"]


class Verdict(StrEnum):
    """What happens to a packet; ``allow`` means that policy does not drop it."""

    ALLOW = "allow"
    DENY = "deny"


class Direction(StrEnum):
    """Which way a packet crosses an endpoint: ingress is into the workload or the host."""

    INGRESS = "ingress"
    EGRESS = "egress"


class Stage(StrEnum):
    """The classes of policies that an endpoint has (spec/policy.md section 3)."""

    UNTRACKED = "untracked"
    PRE_DNAT = "preDNAT"
    FORWARD = "forward"
    NORMAL = "normal"


class Reason(StrEnum):
    """Why a packet was judged without a rule that matched it (spec/policy.md sections 5 and 6)."""

    END_OF_TIER = "end-of-tier"
    NO_PROFILE_MATCH = "no-profile-match"
    CONNTRACK_ESTABLISHED = "conntrack-established"
    CONNTRACK_INVALID = "conntrack-invalid"
    FAILSAFE = "failsafe"
    ENCAP_FROM_WORKLOAD = "encap-from-workload"
    ENDPOINT_TO_HOST_DROP = "endpoint-to-host-drop"
    ENDPOINT_TO_HOST_ACCEPT = "endpoint-to-host-accept"
    ICMPV6_TO_HOST = "icmpv6-to-host"
    UNKNOWN_ENDPOINT = "unknown-endpoint"
    INACTIVE_ENDPOINT = "inactive-endpoint"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judgement on a packet's way: a rule that matched it, or a ``reason`` without a rule.

    ``action`` is ``allow``, ``deny``, ``pass`` or ``log``, and empty where a check let the packet go on or accepted it
    outright. A rule belongs to ``policy`` or to ``profile``; ``rule`` counts from 0. Where the packet was not judged at
    an endpoint, ``endpoint``, ``stage`` and ``direction`` are None.
    """

    action: str = ""
    reason: Reason | None = None
    endpoint: EndpointID | None = None
    stage: Stage | None = None
    direction: Direction | None = None
    tier: str = ""
    policy: PolicyID | None = None
    profile: str = ""
    rule: int | None = None

    @property
    def rule_name(self) -> str:
        """The rule as ``Kind namespace/name rule N``; empty where no rule judged."""
        return "" if self.rule is None else rule_name(self.policy, self.profile, self.rule)

    def to_json(self) -> dict[str, str | int]:
        """Return the judgement as JSON values, without what is not set."""
        owner = str(self.policy) if self.policy else f"Profile:{self.profile}" if self.profile else ""
        values = {
            "action": self.action,
            "reason": self.reason and self.reason.value,
            "endpoint": self.endpoint and str(self.endpoint),
            "stage": self.stage and self.stage.value,
            "direction": self.direction and self.direction.value,
            "tier": self.tier,
            "policy": owner,
            "rule": self.rule,
        }
        return {key: value for key, value in values.items() if value is not None and value != ""}


def rule_name(policy: PolicyID | None, profile: str, rule: int) -> str:
    """Return a rule's name as ``Kind namespace/name rule N``; N counts from 0, as in ``spec.ingress[N]``."""
    if policy is None:
        return f"Profile {profile} rule {rule}"
    name = f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name
    return f"{policy.kind} {name} rule {rule}"
