# SPDX-License-Identifier: Apache-2.0
"""Merge patches (RFC 7386) and JSON patches (RFC 6902)."""

import pytest

from percale.cli.patching import PatchFault, json_patched, merged


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": ["c", "d"]}, {"a": ["c", "d"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merging(value, patch, result):
    """The examples of RFC 7386."""
    assert merged(value, patch) == result


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/b", "value": 1}], {"a": [1, 2], "b": 1}),
        ([{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2]}),
        ([{"op": "add", "path": "/a/2", "value": 9}], {"a": [1, 2, 9]}),
        ([{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9]}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "replace", "path": "/a", "value": 3}], {"a": 3}),
        ([{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1, 2], "b": [1, 2]}),
        ([{"op": "move", "from": "/a", "path": "/x~1y"}], {"x/y": [1, 2]}),
        ([{"op": "test", "path": "/a/1", "value": 2}], {"a": [1, 2]}),
    ],
)
def test_operations(operations, result):
    """Each operation of RFC 6902."""
    assert json_patched({"a": [1, 2]}, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/a/3", "value": 9},
        {"op": "add", "path": "/no/where", "value": 9},
        {"op": "remove", "path": "/b"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "replace", "path": "/a/x", "value": 1},
        {"op": "test", "path": "/a/1", "value": 3},
        {"op": "frob", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"path": "/a"},
    ],
)
def test_impossible_operations(operation):
    """What cannot be done is refused, and the value stays as it was."""
    value = {"a": [1, 2]}
    with pytest.raises(PatchFault, match="operation 1 of the patch"):
        json_patched(value, [{"op": "add", "path": "/c", "value": 1}, operation])
    assert value == {"a": [1, 2]}


def test_a_patch_is_a_list():
    """A JSON patch that is no list is refused."""
    with pytest.raises(PatchFault, match="list of operations"):
        json_patched({}, {"op": "add"})
