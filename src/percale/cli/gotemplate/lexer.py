# SPDX-License-Identifier: Apache-2.0
"""The text of a template as pieces: plain text, and actions as lists of tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Piece", "TemplateError", "Token", "pieces"]


class TemplateError(Exception):
    """The template cannot be read or evaluated; the text is Go's, as far as Go's is known."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"template: get:{line}: {message}")


class Token(NamedTuple):
    """One token of an action; ``kind`` is the name of its group in the pattern below."""

    kind: str
    text: str
    line: int


class Piece(NamedTuple):
    """Plain text, or (with ``tokens``) an action."""

    text: str
    tokens: tuple[Token, ...] | None
    line: int


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<raw>`[^`]*`)
    | (?P<char>'(?:[^'\\\n]|\\.)+')
    | (?P<field>\.[A-Za-z_]\w*)
    | (?P<variable>\$\w*)
    | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+))
    | (?P<word>[A-Za-z_]\w*)
    | (?P<sign>:=|[=|(),])
    | (?P<dot>\.)""",
    re.VERBOSE,
)
_OPEN, _CLOSE = "{{", "}}"


def pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of a template in order; raises TemplateError."""
    position, trimmed = 0, False
    while (start := text.find(_OPEN, position)) >= 0:
        begin = start + len(_OPEN)
        trim = text[begin : begin + 1] == "-" and text[begin + 1 : begin + 2].isspace()
        yield _plain(text, position, start, trimmed, trim)
        begin += trim
        line = text.count("\n", 0, start) + 1
        position = _comment_end(text, begin, line) or 0
        if not position:
            tokens, position = _tokens(text, begin, line)
            yield Piece(text[begin:position], tokens, line)
        trimmed = text[position - 1] == "-"
        position += len(_CLOSE)
    yield _plain(text, position, len(text), trimmed, False)


def _plain(text: str, start: int, end: int, trim_start: bool, trim_end: bool) -> Piece:
    plain = text[start:end]
    plain = plain.lstrip() if trim_start else plain
    return Piece(plain.rstrip() if trim_end else plain, None, text.count("\n", 0, start) + 1)


def _comment_end(text: str, begin: int, line: int) -> int | None:
    """Where the braces stand that close a comment; None where there is no comment."""
    rest = text[begin:].lstrip()
    if not rest.startswith("/*"):
        return None
    end = text.find("*/", begin)
    close = text.find(_CLOSE, end)
    if end < 0 or close < 0 or text[end + 2 : close].strip() not in ("", "-"):
        raise TemplateError(line, "unclosed comment")
    return close


def _tokens(text: str, position: int, line: int) -> tuple[tuple[Token, ...], int]:
    """The tokens of an action, and where the braces stand that close it."""
    tokens: list[Token] = []
    while not _closes(text, position):
        match = _TOKEN.match(text, position)
        if match is None:
            raise TemplateError(line, _unreadable(text, position))
        token = Token(match.lastgroup or "", match[0], line)
        if token.kind == "dot" and match.end() == len(text):
            raise TemplateError(line, f"illegal number syntax: {_go_quoted(token.text)}")
        tokens.append(token)
        line += token.text.count("\n")
        position = match.end()
    return tuple(tokens), position + (text[position] == "-")


def _closes(text: str, position: int) -> bool:
    trims = text.startswith("-" + _CLOSE, position) and text[position - 1].isspace()
    return text.startswith(_CLOSE, position) or trims


def _unreadable(text: str, position: int) -> str:
    if position >= len(text):
        return "unclosed action"
    if text[position] in "\"'`":
        return "unterminated quoted string"
    return f"unexpected {text[position]!r} in command"


def _go_quoted(text: str) -> str:
    return f'"{text}"'
