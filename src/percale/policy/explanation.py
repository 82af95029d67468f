# SPDX-License-Identifier: Apache-2.0
"""The explanation as a value: its JSON form with stable keys, and the text that is made from the same facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from percale.policy.flow import Flow, has_ports, protocol_name, service_text
from percale.policy.near_miss import NearMiss
from percale.policy.route import Terminal
from percale.policy.verdict import Judgement, Verdict

__all__ = ["Explanation", "Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A judgement in the words of the cluster: ``at`` which endpoint of which ``node``, and ``by`` what."""

    node: str
    judgement: Judgement
    at: str
    by: str

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {"node": self.node, "at": self.at, "by": self.by, **self.judgement.to_json()}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a flow is allowed or denied.

    ``findings`` are all judgements in order, on the source's host and then on the destination's, up to the first
    denial. ``near`` is the rule that nearly allowed a denied flow, ``remedies`` what to try.
    """

    verdict: Verdict
    flow: Flow
    source: Terminal
    destination: Terminal
    findings: tuple[Finding, ...]
    near: NearMiss | None = None
    remedies: tuple[str, ...] = ()

    @property
    def decider(self) -> Finding | None:
        """The finding that gave the verdict; None where nothing judged the flow."""
        return next((each for each in reversed(self.findings) if each.judgement.action != "log"), None)

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON values with stable keys; what does not apply is null or empty."""
        return {
            "verdict": self.verdict.value,
            "flow": {
                "protocol": protocol_name(self.flow.protocol),
                "icmpType": self.flow.icmp_type,
                "icmpCode": self.flow.icmp_code,
                "conntrack": self.flow.conntrack.value,
                "source": _terminal_json(self.source, self.flow.source_port),
                "destination": _terminal_json(self.destination, self.flow.destination_port),
            },
            "decider": self.decider and self.decider.to_json(),
            "path": [each.to_json() for each in self.findings],
            "near": self.near and self.near.to_json(),
            "try": list(self.remedies),
        }

    def __str__(self) -> str:
        lines = [f"{self.verdict.value.upper()}  {self._flow_text()}"]
        for each in self._told():
            lines += [f"  at    {each.at}", f"  by    {each.by}"]
        if not self.findings:
            lines.append("  by    nothing: no policy judges this flow")
        if self.near:
            lines.append(f"  near  {self.near}")
        return "\n".join(lines + [f"  try   {each}" for each in self.remedies])

    def _told(self) -> tuple[Finding, ...]:
        """What a person wants to read: the denial, or each of the permissions."""
        if self.verdict is Verdict.DENY and self.decider:
            return (self.decider,)
        return self.findings

    def _flow_text(self) -> str:
        service = service_text(self.flow.protocol, self.flow.icmp_type, self.flow.icmp_code)
        name = self.destination.name
        if has_ports(self.flow.protocol):
            name = f"[{name}]:{self.flow.destination_port}" if ":" in name else f"{name}:{self.flow.destination_port}"
        return f"{service}  {self.source.name} → {name}"


def _terminal_json(terminal: Terminal, port: int) -> dict[str, Any]:
    return {
        "name": terminal.name,
        "endpoint": str(terminal.endpoint.id) if terminal.endpoint else None,
        "node": terminal.node or None,
        "address": str(terminal.address),
        "port": port or None,
    }
