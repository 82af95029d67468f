# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed: functions of any bytes, which return or fail an assertion, whatever they are given."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import inspect

from percale.errors import PercaleError, ValidationError
from percale.resources import KINDS, check, decode_json, defaulted, encode_json, encode_yaml, nodes, read_documents
from percale.resources.plain_yaml import plain_document
from percale.resources.yaml_nodes import NodeParser
from percale.selectors import SelectorError, parse

__all__ = ["TARGETS"]

_KINDS = [info.kind for info in KINDS.values()]
_WORDS = (
    "", "default", "a", "A", "-", "all()", "has(a)", "a == 'b'", "a ==", "192.0.2.0/24", "192.0.2.1", "2001:db8::/64",
    "10.0.0.300/8", "TCP", "UDP", "ICMP", "Allow", "Deny", "allow", "Pass", "Ingress", "Egress", "80", "80:90", "90:80",
    "eth0", "cali1", "n1", "k8s", "n1-k8s-p-eth0", "projectcalico.org/name", "Always", "CrossSubnet", "Never", "1m30s",
    "x" * 64, "x" * 260, "é", "\0", "\n", "node.n1", "kns.default", "02:00:00:00:00:01", "%s", "{}", "64512", "1.10",
    "2026-01-02T03:04:05Z",
)  # fmt: skip
_LABELS: tuple[dict[str, str], ...] = (
    {},
    {"a": "b"},
    {"a": ""},
    {"role": "db", "x": "y"},
    {"a": "x-y-z", "k8s-app": "a"},
)
_NUMBERS = (0, 1, -1, 4, 6, 8, 26, 32, 33, 80, 128, 255, 256, 65535, 65536, 2**31, 2**32, 2**63 - 1, -(2**63), 10**18)


def documents(data: bytes) -> None:
    """A stream is read and checked, or refused with a sentence for each fault."""
    try:
        found = read_documents(data, file="f.yaml")
    except ValidationError as error:
        _hears(error)
        return
    for document in found:
        assert all(str(problem) for problem in document.check())
        assert encode_yaml(document.resource)


def plain(data: bytes) -> None:
    """What the short way through YAML reads, the real parser reads in the same way and without a word."""
    text = data.decode(errors="replace")
    found = plain_document(text)
    if found is not None:
        parser = NodeParser(text)
        root = parser.parse()
        assert root is not None
        assert not parser.problems
        assert repr(nodes.plain(root)) == repr(found)


def selectors(data: bytes) -> None:
    """What can be parsed has a canonical text that means the same."""
    try:
        selector = parse(data.decode(errors="replace"))
    except SelectorError as error:
        _hears(error)
        return
    again = parse(str(selector))
    assert all(again.matches(labels) == selector.matches(labels) for labels in _LABELS)


def stored(data: bytes) -> None:
    """What can be decoded is stored again without loss; the first byte chooses the kind."""
    kind = _KINDS[data[0] % len(_KINDS)] if data else _KINDS[0]
    try:
        resource = decode_json(data[1:], kind)
    except ValidationError as error:
        _hears(error)
        return
    assert decode_json(encode_json(resource), kind) == resource


def checks(data: bytes) -> None:
    """A resource with any content that its types permit is judged, always the same way, in words."""
    feed = _Feed(data)
    info = KINDS[feed.of(_KINDS)]
    try:
        resource = defaulted(feed.value(inspect.type_info(info.type)))
    except ValueError:
        return
    problems = check(resource, operation=feed.of(("create", "update", "validate")))
    assert all(str(problem) for problem in problems)
    assert isinstance(ValidationError(problems).calico_text, str)
    json.dumps([problem.message for problem in problems])


def _hears(error: PercaleError | SelectorError) -> None:
    """A refusal says something, to people and in Calico's words."""
    assert str(error)
    assert isinstance(error, SelectorError) or isinstance(error.calico_text, str)


class _Feed:
    """Takes decisions from bytes; when they are used up, each answer is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def of(self, choices: Any) -> Any:
        return choices[self.byte() % len(choices)]

    def text(self) -> str:
        choice = self.byte()
        if choice < 200:
            return str(_WORDS[choice % len(_WORDS)])
        end = self._at + choice - 200
        text = self._data[self._at : end].decode("latin-1")
        self._at = end
        return text

    def value(self, wanted: inspect.Type, depth: int = 0) -> Any:
        match wanted:
            case inspect.Metadata(extra=extra) if (extra or {}).get("type"):
                return self._special(str((extra or {})["type"]))
            case inspect.Metadata():
                return self.value(wanted.type, depth)
            case inspect.StructType():
                return self._struct(wanted.cls, depth)
            case inspect.UnionType():
                options = [option for option in wanted.types if not isinstance(option, inspect.NoneType)]
                return self.value(options[0], depth)
            case inspect.VarTupleType():
                return tuple(self.value(wanted.item_type, depth + 1) for _ in range(self.byte() % 4))
            case inspect.DictType():
                return {self.text(): self.value(wanted.value_type, depth + 1) for _ in range(self.byte() % 4)}
            case inspect.IntType():
                low, high = wanted.ge, wanted.le
                number = self.of(_NUMBERS)
                return max(number if high is None else min(number, int(high)), -(2**63) if low is None else int(low))
            case inspect.BoolType():
                return bool(self.byte() & 1)
            case _:
                return self.text()

    def _special(self, name: str) -> Any:
        if name == "Flag":
            return bool(self.byte() & 1)
        if name == "Number" or (name not in {"Duration", "Time"} and self.byte() & 1):
            return self.of(_NUMBERS)
        return self.text()

    def _struct(self, owner: type, depth: int) -> Any:
        fields = _fields(owner)
        count = self.byte() % (1 + min(len(fields), 8)) if depth else len(fields) if len(fields) < 4 else 8
        chosen = fields if count == len(fields) else [self.of(fields) for _ in range(count)]
        return owner(**{field.name: self.value(field.type, depth + 1) for field in chosen})


@cache
def _fields(owner: type) -> tuple[inspect.Field, ...]:
    wanted = inspect.type_info(owner)
    assert isinstance(wanted, inspect.StructType)
    return wanted.fields


TARGETS: dict[str, Callable[[bytes], None]] = {
    "documents": documents,
    "plain": plain,
    "selectors": selectors,
    "stored": stored,
    "checks": checks,
}
