# SPDX-License-Identifier: Apache-2.0
"""Pauses between attempts: they grow to a limit, and half of each is chance."""

import pytest

from percale.datastore import pauses
from percale.datastore.pauses import pause


@pytest.mark.parametrize(("attempt", "longest"), [(0, 0.1), (1, 0.2), (3, 0.8), (4, 1.0), (50, 1.0)])
@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.5), (1.0, 1.0)])
def test_borders(monkeypatch, attempt, longest, chance, share):
    """From half the longest pause to all of it; it doubles until the limit."""
    monkeypatch.setattr(pauses._CHANCE, "random", lambda: chance)
    assert pause(attempt, first_s=0.1, longest_s=1.0) == pytest.approx(longest * share)


def test_two_do_not_come_together():
    """Those who failed together come back at different times."""
    assert len({pause(1) for _ in range(20)}) > 1
