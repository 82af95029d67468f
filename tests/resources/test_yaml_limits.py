# SPDX-License-Identifier: Apache-2.0
"""The limits of what is read from YAML: the last accepted and the first refused of each."""

import pytest

from percale.resources.yaml_nodes import MAX_DEPTH, NodeParser


def problems(text):
    parser = NodeParser(text)
    parser.parse()
    return [problem.message for problem in parser.problems]


@pytest.mark.parametrize(("depth", "refused"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True)])
def test_nesting_has_a_limit(depth, refused):
    """Lists within lists are read down to the limit, and no deeper."""
    assert bool(problems("[" * depth + "x" + "]" * depth)) is refused


@pytest.mark.parametrize(("limit", "refused"), [(9, False), (8, True)])
def test_values_behind_aliases_count(monkeypatch, limit, refused):
    """Each use of an alias counts as all of its values: a list of an anchor with three and an alias of it, 9 in all."""
    monkeypatch.setattr("percale.resources.yaml_nodes.MAX_NODES", limit)
    found = problems("[&a [x, y, z], *a]")
    assert bool(found) is refused
