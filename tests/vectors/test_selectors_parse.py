# SPDX-License-Identifier: Apache-2.0
"""Parsing, canonical text, identity, restrictions and normalisation as Calico does them (topic selectors-parse)."""

import json
import os
from pathlib import Path

import pytest

from percale.selectors import SelectorError, normalise, parse


def _cases():
    folder = os.environ.get("PERCALE_VECTORS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip("PERCALE_VECTORS is not set"))]
    with (Path(folder) / "selectors-parse.jsonl").open(encoding="utf-8") as lines:
        return [pytest.param(json.loads(line), id=f"line {number}") for number, line in enumerate(lines, 1)]


def _as_recorded(restriction):
    flags = {name: True for name in ("present", "absent") if getattr(restriction, name)}
    return flags if restriction.values is None else flags | {"values": set(restriction.values)}


def _answer(text):
    try:
        selector = parse(text)
    except SelectorError:
        return {"ok": False}
    restrictions = {key: _as_recorded(restriction) for key, restriction in selector.restrictions().items()}
    return {"ok": True, "canonical": selector.canonical, "uid": selector.uid, "restrictions": restrictions}


def _expected(case):
    if not case["ok"]:
        return {"ok": False}
    restrictions = {
        key: restriction | ({"values": set(restriction["values"])} if "values" in restriction else {})
        for key, restriction in case["restrictions"].items()
    }
    return {"ok": True, "canonical": case["canonical"], "uid": case["uid"], "restrictions": restrictions}


@pytest.mark.parametrize("case", _cases())
def test_text_is_read_as_calico_reads_it(case):
    """A text parses or not, and its selector has the recorded canonical text, identity and restrictions."""
    assert _answer(case["selector"]) == _expected(case)


@pytest.mark.parametrize("case", _cases())
def test_text_is_normalised_as_calico_normalises_it(case):
    """The normalised text is the recorded one."""
    assert normalise(case["selector"]) == case["normalised"]
