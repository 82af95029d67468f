# SPDX-License-Identifier: Apache-2.0
"""How long to wait before something that failed is tried again: never the same for two that failed together."""

from __future__ import annotations

import random

__all__ = ["pause"]

_CHANCE = random.Random()


def pause(attempt: int, *, first_s: float = 0.05, longest_s: float = 2.0) -> float:
    """Return seconds: ``first_s`` doubled with each attempt up to ``longest_s``, half of it by chance."""
    longest: float = min(longest_s, first_s * 2**attempt)
    return longest * (0.5 + _CHANCE.random() / 2)
