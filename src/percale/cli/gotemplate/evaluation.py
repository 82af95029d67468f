# SPDX-License-Identifier: Apache-2.0
"""Evaluating a template's tree over values."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from percale.cli.go_text import go_text
from percale.cli.gotemplate.fields import ABSENT, member
from percale.cli.gotemplate.functions import FUNCTIONS, is_true
from percale.cli.gotemplate.lexer import TemplateError
from percale.cli.gotemplate.parser import (
    Block,
    Body,
    Jump,
    Literal,
    Node,
    Output,
    Pipeline,
    Reference,
    Text,
    Use,
    parse,
)

__all__ = ["render"]

_NOTHING: Any = object()
_MAX_DEPTH = 200
"""How deep templates may use each other; more is an endless recursion."""


def render(template: str, value: Any, functions: Mapping[str, Callable[..., Any]]) -> str:
    """Return the text that a template makes of a value; raises TemplateError.

    ``functions`` are added to Go's own and calicoctl's.
    """
    known = {**FUNCTIONS, **functions}
    body, defined = parse(template, known)
    evaluation = _Evaluation(defined, known, [{"$": value}])
    evaluation.body(body, value)
    return "".join(evaluation.printed)


class _JumpError(Exception):
    """A ``break`` or ``continue`` on its way to its ``range``."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


class _Evaluation:
    """What was printed so far, and the variables in scopes from the outermost to the innermost."""

    def __init__(
        self, defined: Mapping[str, Body], functions: Mapping[str, Callable[..., Any]], scopes: list[dict[str, Any]]
    ) -> None:
        self.printed: list[str] = []
        self._defined = defined
        self._functions = functions
        self._scopes = scopes
        self._depth = 0

    def body(self, nodes: Body, dot: Any) -> None:
        self._scopes.append({})
        try:
            for node in nodes:
                self._node(node, dot)
        finally:
            self._scopes.pop()

    def _node(self, node: Node, dot: Any) -> None:
        match node:
            case Text(text):
                self.printed.append(text)
            case Output(pipeline):
                value = self._value(pipeline, dot)
                if not pipeline.variables:
                    self.printed.append(go_text(value))
            case Block(word="range"):
                self._range(node, dot)
            case Block():
                self._choice(node, dot)
            case Jump(word):
                raise _JumpError(word)
            case Use():
                self._use(node, dot)

    def _choice(self, block: Block, dot: Any) -> None:
        self._scopes.append({})
        try:
            value = self._value(block.pipeline, dot)
            if is_true(value):
                self.body(block.body, value if block.word == "with" else dot)
            else:
                self.body(block.otherwise, dot)
        finally:
            self._scopes.pop()

    def _range(self, block: Block, dot: Any) -> None:
        values = self._value(block.pipeline, dot, sets=False)
        pairs = list(_pairs(values, block.pipeline.line))
        if not pairs:
            self.body(block.otherwise, dot)
            return
        names = block.pipeline.variables
        for key, item in pairs:
            # With one variable it takes the item, with two the first takes the index or key.
            self._scopes.append(dict(zip(names, (key, item) if len(names) == 2 else (item,), strict=False)))
            try:
                self.body(block.body, item)
            except _JumpError as jump:
                if jump.word == "break":
                    break
            finally:
                self._scopes.pop()

    def _use(self, node: Use, dot: Any) -> None:
        if node.name not in self._defined:
            raise TemplateError(node.line, f'template "{node.name}" not defined')
        if self._depth >= _MAX_DEPTH:
            raise TemplateError(node.line, "exceeded maximum template depth")
        value = None if node.pipeline is None else self._value(node.pipeline, dot)
        self._depth += 1
        scopes, self._scopes = self._scopes, [{"$": value}]
        try:
            self.body(self._defined[node.name], value)
        finally:
            self._depth -= 1
            self._scopes = scopes

    def _value(self, pipeline: Pipeline, dot: Any, *, sets: bool = True) -> Any:
        value = _NOTHING
        for command in pipeline.commands:
            value = self._command(command, dot, value, pipeline.line)
        if sets:
            for name in pipeline.variables:
                self._set(name, value, pipeline)
        return value

    def _set(self, name: str, value: Any, pipeline: Pipeline) -> None:
        if pipeline.declares:
            self._scopes[-1][name] = value
            return
        scope = next((scope for scope in reversed(self._scopes) if name in scope), None)
        if scope is None:
            raise TemplateError(pipeline.line, f'undefined variable "{name}"')
        scope[name] = value

    def _command(self, command: tuple[Literal | Reference, ...], dot: Any, piped: Any, line: int) -> Any:
        first, *others = command
        name = first.base if isinstance(first, Reference) and isinstance(first.base, str) else ""
        if name not in self._functions:
            if others or piped is not _NOTHING:
                raise TemplateError(line, f"can't give argument to non-function {name or 'value'}")
            return self._operand(first, dot)
        arguments = [self._operand(each, dot) for each in others]
        if piped is not _NOTHING:
            arguments.append(piped)
        return self._call(name, arguments, line)

    def _call(self, name: str, arguments: list[Any], line: int) -> Any:
        function = self._functions[name]
        wanted = _wanted(function)
        if not wanted[0] <= len(arguments) <= wanted[1]:
            least = "at least " if wanted[1] == sys.maxsize else ""
            text = f"wrong number of args for {name}: want {least}{wanted[0]} got {len(arguments)}"
            raise TemplateError(line, f'executing "get" at <{name}>: {text}')
        try:
            return function(*arguments)
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            raise TemplateError(line, f'executing "get" at <{name}>: error calling {name}: {error}') from error

    def _operand(self, operand: Literal | Reference, dot: Any) -> Any:
        if isinstance(operand, Literal):
            return operand.value
        value = self._base(operand, dot)
        for number, name in enumerate(operand.fields):
            found = member(value, name)
            if found is ABSENT:
                path = "".join(f".{each}" for each in operand.fields[: number + 1])
                kind = "nil" if value is None else type(value).__name__
                raise TemplateError(
                    operand.line, f'executing "get" at <{path}>: can\'t evaluate field {name} in type {kind}'
                )
            value = found
        return value

    def _base(self, operand: Reference, dot: Any) -> Any:
        base = operand.base
        if isinstance(base, Pipeline):
            return self._value(base, dot)
        if base == ".":
            return dot
        if base in self._functions:
            return self._call(base, [], operand.line)
        for scope in reversed(self._scopes):
            if base in scope:
                return scope[base]
        raise TemplateError(operand.line, f'undefined variable "{base}"')


def _pairs(values: Any, line: int) -> Iterable[tuple[Any, Any]]:
    """What ``range`` goes over: index or key, and item."""
    if values is None:
        return ()
    if isinstance(values, Mapping):
        return sorted(values.items())
    if isinstance(values, list | tuple):
        return enumerate(values)
    if isinstance(values, int) and not isinstance(values, bool):
        return ((number, number) for number in range(values))
    raise TemplateError(line, f'executing "get": range can\'t iterate over {go_text(values)}')


def _wanted(function: Callable[..., Any]) -> tuple[int, int]:
    """The least and the greatest number of arguments that a function takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return len(parameters) - 1, sys.maxsize
    return len(parameters), len(parameters)
