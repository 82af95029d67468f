# SPDX-License-Identifier: Apache-2.0
"""Selectors against labels as Calico evaluates them (topic selectors-eval)."""

import json
import os
from pathlib import Path

import pytest

from percale.selectors import parse


def _cases():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    with (Path(folder) / "selectors-eval.jsonl").open(encoding="utf-8") as lines:
        return [pytest.param(json.loads(line), id=f"line {number}") for number, line in enumerate(lines, 1)]


@pytest.mark.parametrize("case", _cases())
def test_labels_match_as_recorded(case):
    """The selector matches the labels, or does not, as recorded."""
    assert parse(case["selector"]).matches(case["labels"]) is case["match"]
