# SPDX-License-Identifier: Apache-2.0
"""Pieces to a tree: text, outputs, and the blocks ``if``, ``with``, ``range`` and ``define``."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from percale.cli.gotemplate.lexer import Piece, TemplateError, Token, pieces

__all__ = ["Block", "Body", "Jump", "Literal", "Node", "Output", "Pipeline", "Reference", "Text", "Use", "parse"]


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is printed as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, boolean or ``nil``."""

    value: Any


@dataclass(frozen=True, slots=True)
class Reference:
    """A function by name, a variable, ``.`` or a pipeline in parentheses, and the fields taken from it."""

    base: str | Pipeline
    fields: tuple[str, ...]
    line: int


Operand: TypeAlias = Literal | Reference


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given the value of the one before as its last argument; ``variables`` take the value."""

    commands: tuple[tuple[Operand, ...], ...]
    variables: tuple[str, ...] = ()
    declares: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """An action that prints its value, or only sets a variable."""

    pipeline: Pipeline


@dataclass(slots=True)
class Block:
    """``if``, ``with`` or ``range``: a body, and another one for nothing."""

    word: str
    pipeline: Pipeline
    body: Body = field(default_factory=list)
    otherwise: Body = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Jump:
    """``break`` or ``continue``."""

    word: str


@dataclass(frozen=True, slots=True)
class Use:
    """``template "name" value``."""

    name: str
    pipeline: Pipeline | None
    line: int


Node: TypeAlias = Text | Output | Block | Jump | Use
Body: TypeAlias = "list[Node]"

_CONSTANTS = {"true": True, "false": False, "nil": None}
_KEYWORDS = {"if", "with", "range", "else", "end", "define", "block", "template", "break", "continue"}


def parse(text: str, functions: Collection[str]) -> tuple[Body, dict[str, Body]]:
    """Return the tree of a template, and the trees that it defines by name; raises TemplateError."""
    parser = _Parser(pieces(text), functions)
    body, _ = parser.body(())
    return body, parser.defined


class _Parser:
    def __init__(self, source: Iterator[Piece], functions: Collection[str]) -> None:
        self.defined: dict[str, Body] = {}
        self._source = source
        self._functions = functions
        self._line = 1

    def body(self, ends: Collection[str]) -> tuple[Body, _Words]:
        """Nodes up to an ``end`` or ``else`` that belongs to the block around, and the words of that action."""
        nodes: Body = []
        for piece in self._source:
            self._line = piece.line
            if piece.tokens is None:
                if piece.text:
                    nodes.append(Text(piece.text))
                continue
            words = _Words(piece.tokens, piece.line, self._functions)
            keyword = words.keyword()
            if keyword in ends:
                return nodes, words
            if keyword in ("end", "else"):
                raise TemplateError(piece.line, f"unexpected {{{{{keyword}}}}}")
            node = self._node(keyword, words)
            if node is not None:
                nodes.append(node)
        if ends:
            raise TemplateError(self._line, "unexpected EOF")
        return nodes, _Words((), self._line, self._functions)

    def _node(self, keyword: str, words: _Words) -> Node | None:
        match keyword:
            case "if" | "with" | "range":
                return self._block(keyword, words)
            case "define":
                name = words.name()
                self.defined[name], _ = self.body(("end",))
                return None
            case "block":
                name, pipeline = words.name(), words.pipeline()
                self.defined[name], _ = self.body(("end",))
                return Use(name, pipeline, words.line)
            case "template":
                name = words.name()
                return Use(name, words.pipeline() if words.more() else None, words.line)
            case "break" | "continue":
                return Jump(keyword)
            case _:
                return Output(words.pipeline())

    def _block(self, keyword: str, words: _Words) -> Block:
        block = Block(keyword, words.pipeline())
        block.body, last = self.body(("end", "else"))
        if last.word == "else":
            chained = last.keyword()
            if chained in ("if", "with"):
                block.otherwise = [self._block(chained, last)]
            else:
                block.otherwise, _ = self.body(("end",))
        return block


class _Words:
    """The tokens of one action, read from the left; ``word`` is its first keyword."""

    def __init__(self, tokens: tuple[Token, ...], line: int, functions: Collection[str]) -> None:
        self.line = line
        self.word = ""
        self._tokens = list(tokens)[::-1]
        self._functions = functions

    def keyword(self) -> str:
        """Take the keyword that comes next; empty where none does."""
        self._skip()
        if not self._tokens or self._tokens[-1].text not in _KEYWORDS:
            return ""
        word = self._tokens.pop().text
        self.word = self.word or word
        return word

    def more(self) -> bool:
        self._skip()
        return bool(self._tokens)

    def name(self) -> str:
        self._skip()
        if not self._tokens or self._tokens[-1].kind not in ("string", "raw"):
            raise TemplateError(self.line, "expected the quoted name of a template")
        return str(_literal(self._tokens.pop()))

    def pipeline(self, closing: str = "") -> Pipeline:
        self._skip()
        line = self._tokens[-1].line if self._tokens else self.line
        variables, declares = self._variables()
        commands = [self._command(closing)]
        while self._tokens and self._tokens[-1].text == "|":
            self._tokens.pop()
            commands.append(self._command(closing))
        if closing and not (self._tokens and self._tokens.pop().text == closing):
            raise TemplateError(line, "unclosed left paren")
        if not closing and self._tokens:
            raise TemplateError(line, f"unexpected {self._tokens[-1].text!r} in command")
        if not all(commands):
            raise TemplateError(line, "missing value for command")
        return Pipeline(tuple(commands), variables, declares, line)

    def _variables(self) -> tuple[tuple[str, ...], bool]:
        """The variables in front of ``:=`` or ``=``, and whether they are declared."""
        ahead = [token for token in self._tokens[::-1] if token.kind != "space"][:4]
        texts = [token.text for token in ahead]
        for count in (1, 2):
            if len(texts) >= 2 * count and texts[2 * count - 1] in (":=", "="):
                names = tuple(texts[0 : 2 * count - 1 : 2])
                if all(name.startswith("$") for name in names) and texts[1] in (":=", "=", ","):
                    for _ in range(2 * count):
                        self._skip()
                        self._tokens.pop()
                    return names, texts[2 * count - 1] == ":="
        return (), False

    def _command(self, closing: str) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        self._skip()
        while self._tokens and self._tokens[-1].text not in ("|", closing):
            operands.append(self._operand())
            self._skip()
        return tuple(operands)

    def _operand(self) -> Operand:
        token = self._tokens.pop()
        if token.text == "(":
            return Reference(self.pipeline(")"), self._fields(), token.line)
        match token.kind:
            case "string" | "raw" | "char" | "number":
                return Literal(_literal(token))
            case "word" if token.text in _CONSTANTS:
                return Literal(_CONSTANTS[token.text])
            case "word":
                if token.text not in self._functions:
                    raise TemplateError(token.line, f'function "{token.text}" not defined')
                return Reference(token.text, (), token.line)
            case "variable":
                return Reference(token.text, self._fields(), token.line)
            case "field":
                return Reference(".", (token.text[1:], *self._fields()), token.line)
            case "dot":
                return Reference(".", (), token.line)
            case _:
                raise TemplateError(token.line, f"unexpected {token.text!r} in operand")

    def _fields(self) -> tuple[str, ...]:
        fields = []
        while self._tokens and self._tokens[-1].kind == "field":
            fields.append(self._tokens.pop().text[1:])
        return tuple(fields)

    def _skip(self) -> None:
        while self._tokens and self._tokens[-1].kind == "space":
            self._tokens.pop()


def _literal(token: Token) -> Any:
    if token.kind == "raw":
        return token.text[1:-1]
    try:
        value = ast.literal_eval(token.text)
    except (ValueError, SyntaxError):
        problem = "illegal number syntax" if token.kind == "number" else "invalid syntax"
        raise TemplateError(token.line, f'{problem}: "{token.text}"') from None
    return ord(value) if token.kind == "char" else value
