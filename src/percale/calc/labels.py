# SPDX-License-Identifier: Apache-2.0
"""Effective labels: an endpoint's own, then those of its profiles in their order; the first supplier wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["Labels", "effective_labels"]

Labels: TypeAlias = Mapping[str, str]


def effective_labels(own: Labels, profiles: Sequence[str], labels_of: Mapping[str, Labels]) -> Labels:
    """Return the labels that selectors see (spec/policy.md section 2); ``own`` itself where nothing is inherited."""
    merged: dict[str, str] | None = None
    for name in reversed(profiles):
        inherited = labels_of.get(name)
        if inherited:
            if merged is None:
                merged = dict(inherited)
            else:
                merged.update(inherited)
    if merged is None:
        return own
    merged.update(own)
    return merged
