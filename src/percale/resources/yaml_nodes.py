# SPDX-License-Identifier: Apache-2.0
"""YAML text to nodes: the C parser's events, Calico's meaning of scalars, and limits (spec/cli.md section 5)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import yaml
from yaml._yaml import CParser

from percale.errors import Problem
from percale.resources.nodes import Member, Node
from percale.resources.scalars import fits_json, resolved, text_of

__all__ = ["MAX_DEPTH", "MAX_NODES", "NodeParser"]

MAX_DEPTH = 100
"""How deep lists and mappings may be nested."""
MAX_NODES = 2_000_000
"""How many values a document may have after its aliases are followed."""

_CORE = "tag:yaml.org,2002:"
_UNREADABLE = "error converting YAML to JSON: yaml: "
_TWICE = f"{_UNREADABLE}unmarshal errors:"
_RESOLVED_TAGS = {_CORE + name for name in ("null", "bool", "int", "float", "timestamp")}


class NodeParser:
    """Turns the text of one document into nodes; what is wrong on the way is collected in ``problems``.

    A syntax error ends the document; all other faults (a key twice, an alias without anchor) leave a usable rest.
    """

    def __init__(self, text: str, *, first_line: int = 1) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._offset = first_line
        self._anchors: dict[str, Node | None] = {}
        self._path: list[str] = []

    def parse(self) -> Node | None:
        """Return the root of the first document, None when there is no content or a syntax error."""
        try:
            self._events = CParser(self._text)
            root = self._document()
            self._cite_duplicates_together()
            return root
        except (yaml.YAMLError, _LimitError) as error:
            self._path.clear()  # the end of all reading belongs to a line, not to a field
            self._give_up(error)
        return None

    def _give_up(self, error: yaml.YAMLError | _LimitError) -> None:
        match error:
            case _LimitError():
                self._problem(error.line, error.column, error.what, error.remedy)
            case yaml.MarkedYAMLError():
                self._syntax_error(error)
            case yaml.reader.ReaderError():
                line = self._offset + self._text.count("\n", 0, max(self._text.find(chr(error.character)), 0))
                what = f"character #x{error.character:04x} is not allowed in YAML"
                self._problem(line, 1, what, "remove it", f"{_UNREADABLE}control characters are not allowed")
            case _:
                self._problem(self._offset, 1, f"not readable as YAML: {error}", "")

    def _document(self) -> Node | None:
        self._next()
        if isinstance(self._events.peek_event(), yaml.StreamEndEvent):
            return None
        self._next()
        root = self._node(self._next(), 0)
        self._next()  # the end of the document, before which there may be what does not belong to the root
        return root

    def _next(self) -> Any:
        return self._events.get_event()

    def _node(self, event: Any, depth: int) -> Node:
        line, column = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line, column)
        if depth > MAX_DEPTH:
            raise _LimitError(line, column, f"nested deeper than {MAX_DEPTH} levels", "write it flatter")
        if event.anchor:
            self._anchors[event.anchor] = None
        build: Callable[[Any, int], Node] = _BUILDERS[type(event)].__get__(self)
        node = build(event, depth)
        if node.weight > MAX_NODES:
            what = f"more than {MAX_NODES} values after aliases are followed"
            raise _LimitError(line, column, what, "use fewer aliases")
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, line: int, column: int) -> Node:
        found = self._anchors.get(event.anchor)
        if found is not None:
            return found
        if event.anchor in self._anchors:
            what, hint = f"anchor {event.anchor!r} contains itself", "write the value out"
            calico = f"anchor '{event.anchor}' value contains itself"
        else:
            what, hint = f"alias *{event.anchor} has no anchor", f"define &{event.anchor} before"
            calico = f"unknown anchor '{event.anchor}' referenced"
        self._problem(line, column, what, hint, _UNREADABLE + calico)
        return Node(None, line, column)

    def _scalar(self, event: Any, depth: int) -> Node:
        line, column = self._place(event)
        text: str = event.value
        if event.tag == _CORE + "binary":
            return Node(self._binary(text, line, column), line, column)
        if event.tag in _RESOLVED_TAGS or (event.tag is None and event.implicit[0]):
            value = resolved(text)
            if not fits_json(value):
                self._problem(
                    line,
                    column,
                    f"{text} has no form in JSON",
                    f"write a number, or quote it: '{text}'",
                    f"error converting YAML to JSON: json: unsupported value: {_go_infinity(value)}",
                )
                value = text
            return Node(value, line, column, None if isinstance(value, str) else text)
        return Node(text, line, column)

    def _binary(self, text: str, line: int, column: int) -> str:
        try:
            return base64.b64decode(text, validate=False).decode(errors="replace")
        except ValueError:  # also binascii.Error
            calico = f"{_UNREADABLE}!!binary value contains invalid base64 data"
            self._problem(line, column, "!!binary is not base64", "write the text without the tag", calico)
            return ""

    def _sequence(self, event: Any, depth: int) -> Node:
        items: list[Node] = []
        node = Node(items, *self._place(event))
        while not isinstance(following := self._next(), yaml.SequenceEndEvent):
            self._path.append(f"[{len(items)}]")
            item = self._node(following, depth + 1)
            self._path.pop()
            items.append(item)
            node.weight += item.weight
        return node

    def _mapping(self, event: Any, depth: int) -> Node:
        members: dict[str, Member] = {}
        merged: list[Node] = []
        node = Node(members, *self._place(event))
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            key = self._node(key_event, depth + 1)
            self._path.append(f".{key.value}")
            value = self._node(self._next(), depth + 1)
            self._path.pop()
            node.weight += key.weight + value.weight
            if _is_merge(key_event):
                merged += value.value if isinstance(value.value, list) else [value]
                continue
            name = self._key(key)
            if name in members:
                self._duplicate(name, key, members[name].line)
            else:
                members[name] = Member(value, key.line, key.column)
        for source in merged:
            self._merge(source, members)
        return node

    def _merge(self, source: Node, members: dict[str, Member]) -> None:
        if not isinstance(source.value, dict):
            calico = f"{_UNREADABLE}map merge requires map or sequence of maps as the value"
            what = "<< needs a mapping or a list of mappings"
            self._problem(source.line, source.column, what, "check the alias", calico)
            return
        for name, member in source.value.items():
            members.setdefault(name, member)

    def _key(self, key: Node) -> str:
        if isinstance(key.value, str):
            return key.value
        if key.value is None or isinstance(key.value, list | dict):
            self._problem(key.line, key.column, "a key must be a text", "give the member a name")
            return ""
        name = text_of(key.value)
        if name != key.text:
            self._problem(
                key.line,
                key.column,
                f"the unquoted key {key.text} becomes the text {name!r}",
                f"write '{key.text}' in quotes to keep it",
                warning=True,
            )
        return name

    def _duplicate(self, name: str, key: Node, first: int) -> None:
        self._problem(
            key.line,
            key.column,
            f"{name!r} stands twice; it was already set in line {first}",
            "keep one of the two lines",
            f'{_TWICE}\n  line {key.line - self._offset + 1}: key "{name}" already set in map',
            path=f".{name}",
        )

    def _cite_duplicates_together(self) -> None:
        """Make the first key that stands twice cite all of them, as Calico's reader does."""
        numbers = [number for number, problem in enumerate(self.problems) if problem.calico_reason.startswith(_TWICE)]
        if len(numbers) > 1:
            told = (self.problems[number].calico_reason.removeprefix(_TWICE) for number in numbers)
            self.problems[numbers[0]] = self.problems[numbers[0]].replace(calico_reason=_TWICE + "".join(told))

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + self._offset, mark.column + 1) if mark else (self._offset, 1)
        what = error.problem or "not YAML"
        context = f" {error.context}" if error.context else ""
        at_tab = mark is not None and self._text[mark.index : mark.index + 1] == "\t"
        hint = "indent with blanks, not with a tab" if at_tab else "check indentation and quotes"
        self._problem(
            line,
            column,
            f"not readable as YAML: {what}{context}",
            hint,
            f"{_UNREADABLE}{_go_place(error)}{what}",
        )

    def _place(self, event: Any) -> tuple[int, int]:
        mark = event.start_mark
        return mark.line + self._offset, mark.column + 1

    def _problem(
        self,
        line: int,
        column: int,
        message: str,
        hint: str,
        calico: str = "",
        *,
        path: str = "",
        warning: bool = False,
    ) -> None:
        self.problems.append(
            Problem(
                path="".join([*self._path, path]).removeprefix("."),
                message=message,
                hint=hint,
                rule="yaml",
                line=line,
                column=column,
                calico_reason=calico,
                warning=warning,
            )
        )


class _LimitError(Exception):
    """The text asks for more than we are ready to read."""

    def __init__(self, line: int, column: int, what: str, remedy: str) -> None:
        self.line, self.column, self.what, self.remedy = line, column, what, remedy
        super().__init__(what)


_BUILDERS: dict[type, Any] = {
    yaml.ScalarEvent: NodeParser._scalar,
    yaml.SequenceStartEvent: NodeParser._sequence,
    yaml.MappingStartEvent: NodeParser._mapping,
}


def _is_merge(event: Any) -> bool:
    return (
        isinstance(event, yaml.ScalarEvent)
        and event.value == "<<"
        and (event.implicit[0] or event.tag == _CORE + "merge")
    )


def _go_place(error: yaml.MarkedYAMLError) -> str:
    """Where Go's parser sees the fault: in the document, by its context if that has begun, and not always right."""
    marks = [mark for mark in (error.context_mark, error.problem_mark) if mark is not None and mark.line]
    line = marks[0].line + isinstance(error, yaml.scanner.ScannerError) if marks else 0
    return f"line {line}: " if line else ""


def _go_infinity(value: Any) -> str:
    return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
