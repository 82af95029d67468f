# SPDX-License-Identifier: Apache-2.0
"""What is wrong with documents, for programs: JSON with stable keys, and SARIF 2.1.0 (OASIS) for code hosts and CI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from percale import __version__
from percale.errors import Problem

__all__ = ["FORMATS", "json_findings", "sarif_findings"]

Findings: TypeAlias = Callable[[Sequence[Problem]], str]

_DOCUMENT_RULE = "document"
_RULES = {
    "document": "A stream holds resources of known kinds.",
    "fields": "Every field is one of its kind.",
    "json": "A text is JSON.",
    "type": "A value has the type of its field.",
    "yaml": "A text is YAML, and says what it seems to say.",
}


def json_findings(problems: Sequence[Problem]) -> str:
    """Return the facts of each problem in order, and whether the documents are valid."""
    valid = all(problem.warning for problem in problems)
    return _text({"valid": valid, "problems": [_facts(problem) for problem in problems]})


def sarif_findings(problems: Sequence[Problem]) -> str:
    """Return a log with one run; files are named as they were on the command line."""
    rules = sorted({problem.rule or _DOCUMENT_RULE for problem in problems})
    driver = {"name": "percale", "version": __version__, "rules": [_rule(name) for name in rules]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [_result(one) for one in problems]}
    return _text({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]})


FORMATS: dict[str, Findings] = {"json": json_findings, "sarif": sarif_findings}
"""What may stand behind ``validate -o``."""


def _facts(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "resource": problem.subject,
        "field": problem.path,
        "level": _level(problem),
        "rule": problem.rule,
        "message": problem.message,
        "hint": problem.hint,
        "value": problem.value,
    }


def _rule(name: str) -> dict[str, Any]:
    return {"id": name, "shortDescription": {"text": _RULES.get(name, f"A resource keeps the rule {name!r}.")}}


def _result(problem: Problem) -> dict[str, Any]:
    text = ": ".join(filter(None, (problem.subject, problem.path, problem.message)))
    location: dict[str, Any] = {}
    if problem.file:
        location["physicalLocation"] = {"artifactLocation": {"uri": problem.file}} | _region(problem)
    if problem.path:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.path, "kind": "member"}]
    return {
        "ruleId": problem.rule or _DOCUMENT_RULE,
        "level": _level(problem),
        "message": {"text": f"{text} ({problem.hint})" if problem.hint else text},
        "locations": [location] if location else [],
    }


def _region(problem: Problem) -> dict[str, Any]:
    if not problem.line:
        return {}
    return {"region": {"startLine": problem.line} | ({"startColumn": problem.column} if problem.column else {})}


def _level(problem: Problem) -> str:
    return "warning" if problem.warning else "error"


def _text(value: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode() + "\n"
