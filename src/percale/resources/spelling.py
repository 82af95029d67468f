# SPDX-License-Identifier: Apache-2.0
"""What may have been meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["closest", "meant"]


def closest(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the known words that are most like a word, the likeliest first."""
    from difflib import get_close_matches  # slow to import; only the unlucky pay

    return get_close_matches(word, list(known), n=most)


def meant(word: str, known: Mapping[str, str]) -> str:
    """Return the question whether the likeliest word is meant, or ""; ``known`` has each behind its small letters."""
    close = closest(word.lower(), known, most=1)
    return f"did you mean {known[close[0]]!r}?" if close else ""
