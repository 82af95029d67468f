# SPDX-License-Identifier: Apache-2.0
"""What may have been meant by a word that is not known."""

import pytest

from percale.resources.spelling import closest, meant

KNOWN = {"tier": "Tier", "tiers": "Tier", "blocksize": "blockSize"}


@pytest.mark.parametrize(
    ("word", "question"),
    [("teir", "did you mean 'Tier'?"), ("BLOCKSIZ", "did you mean 'blockSize'?"), ("policy", ""), ("", "")],
)
def test_meant(word, question):
    """The likeliest word is asked for in its own spelling, in whatever letters the other one was written."""
    assert meant(word, KNOWN) == question


def test_closest():
    """The likeliest word comes first, and no more come than are wanted."""
    assert closest("teirs", KNOWN) == ["tiers", "tier"]
    assert closest("teirs", KNOWN, most=1) == ["tiers"]
