# SPDX-License-Identifier: Apache-2.0
"""What the compiled form means: a flow's verdict, the way that led to it, and the rule that nearly matched.

Each name is imported from its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from percale.policy.cluster_view import ClusterHosts
    from percale.policy.explain import Explainer
    from percale.policy.explanation import Explanation, Finding
    from percale.policy.flow import Conntrack, Flow
    from percale.policy.host_path import HOST, End, HostPath, HostView, judge
    from percale.policy.host_settings import FailsafePort, HostSettings
    from percale.policy.host_view import HostStateView
    from percale.policy.match import Check, checks, matches
    from percale.policy.near_miss import Criterion, NearMiss
    from percale.policy.question import Party, Question, parse_question
    from percale.policy.verdict import Direction, Judgement, Reason, Stage, Verdict

_EXPORTS = {
    "cluster_view": "ClusterHosts",
    "explain": "Explainer",
    "explanation": "Explanation Finding",
    "flow": "Conntrack Flow",
    "host_path": "HOST End HostPath HostView judge",
    "host_settings": "FailsafePort HostSettings",
    "host_view": "HostStateView",
    "match": "Check checks matches",
    "near_miss": "Criterion NearMiss",
    "question": "Party Question parse_question",
    "verdict": "Direction Judgement Reason Stage Verdict",
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names.split()}

__all__ = [
    "HOST",
    "Check",
    "ClusterHosts",
    "Conntrack",
    "Criterion",
    "Direction",
    "End",
    "Explainer",
    "Explanation",
    "FailsafePort",
    "Finding",
    "Flow",
    "HostPath",
    "HostSettings",
    "HostStateView",
    "HostView",
    "Judgement",
    "NearMiss",
    "Party",
    "Question",
    "Reason",
    "Stage",
    "Verdict",
    "checks",
    "judge",
    "matches",
    "parse_question",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'percale.policy' has no attribute {name!r}")
    value = getattr(import_module(f"percale.policy.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
