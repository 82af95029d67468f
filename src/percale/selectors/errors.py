# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the text of a selector."""

from __future__ import annotations

from percale.errors import PercaleError

_EXCERPT = 60
"""Longest piece of the user's text that a message quotes, in characters."""


class SelectorError(PercaleError, ValueError):
    """The input's fault: the text is not a selector.

    ``text`` is the whole text, ``offset`` the place in it, in characters from 0; ``reason`` says what was expected
    there and what was found, ``hint`` what to write instead (may be empty).
    """

    def __init__(self, text: str, offset: int, reason: str, hint: str = "") -> None:
        self.text, self.offset, self.reason, self.hint = text, offset, reason, hint
        super().__init__(text, offset, reason, hint)

    def __str__(self) -> str:
        sentence = f"{self.reason} (character {self.offset + 1} of {_excerpt(self.text, self.offset)})"
        return f"{sentence}: {self.hint}" if self.hint else sentence


def _excerpt(text: str, offset: int) -> str:
    if len(text) <= _EXCERPT:
        return repr(text)
    start = max(0, min(offset - _EXCERPT // 2, len(text) - _EXCERPT))
    end = start + _EXCERPT
    return ("…" if start else "") + repr(text[start:end]) + ("…" if end < len(text) else "")
