# SPDX-License-Identifier: Apache-2.0
"""Explain: a flow between any two ends of a cluster, judged by the host of each, with the reason and what to try."""

from __future__ import annotations

from percale.calc.cluster import Cluster
from percale.policy.cluster_view import ClusterHosts, HostOfCluster
from percale.policy.directory import Directory
from percale.policy.engine import Miss
from percale.policy.explanation import Explanation, Finding
from percale.policy.flow import Flow
from percale.policy.host_path import judge
from percale.policy.host_settings import HostSettings
from percale.policy.near_miss import nearest_miss
from percale.policy.question import Question, parse_question
from percale.policy.reason_text import place_text, reason_text
from percale.policy.remedy import remedies
from percale.policy.route import Route, route
from percale.policy.verdict import Judgement, Stage, Verdict

__all__ = ["Explainer", "explain"]


class Explainer:
    """Explains flows of a cluster that does not change meanwhile; what questions have in common is worked out once."""

    def __init__(self, hosts: ClusterHosts) -> None:
        self.hosts = hosts
        self.cluster = hosts.cluster
        self.directory = Directory(hosts.cluster)

    def explain(self, question: Question | str) -> Explanation:
        """Return the verdict on a flow and why; raises ValidationError for a question that cannot be answered."""
        asked = parse_question(question) if isinstance(question, str) else question
        way = route(asked, self.hosts, self.directory)
        findings: list[Finding] = []
        for leg in way.legs:
            misses: list[Miss] = []
            path = judge(leg.host, way.flow, leg.source, leg.destination, misses)
            findings += (_finding(entry, leg.host) for entry in path.trail)
            if path.verdict is Verdict.DENY:
                return self._denial(way, findings, misses)
        return Explanation(Verdict.ALLOW, way.flow, way.source, way.destination, tuple(findings))

    def _denial(self, way: Route, findings: list[Finding], misses: list[Miss]) -> Explanation:
        decider = findings[-1].judgement
        flow = _judged(way.flow, decider)
        # Only a rule that was tried at the same endpoint, stage and direction could have prevented this denial.
        place = decider.endpoint, decider.stage, decider.direction
        near = nearest_miss((miss for miss in misses if miss.place == place), flow, self.cluster)
        advice = remedies(decider, near, flow, self.cluster)
        return Explanation(Verdict.DENY, way.flow, way.source, way.destination, tuple(findings), near, advice)


def explain(cluster: Cluster, question: Question | str, settings: HostSettings | None = None) -> Explanation:
    """Return the verdict on one flow and why; raises ValidationError for a question that cannot be answered.

    For several questions about the same cluster an `Explainer` is quicker.
    """
    return Explainer(ClusterHosts(cluster, settings)).explain(question)


def _finding(judgement: Judgement, host: HostOfCluster) -> Finding:
    return Finding(host.node, judgement, place_text(judgement, host), reason_text(judgement, host))


def _judged(flow: Flow, decider: Judgement) -> Flow:
    return flow.before_dnat() if decider.stage in (Stage.UNTRACKED, Stage.PRE_DNAT) else flow
