# SPDX-License-Identifier: Apache-2.0
"""Patches: merging one JSON value into another (RFC 7386), and lists of operations (RFC 6902)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["PatchFault", "json_patched", "merged"]


class PatchFault(ValueError):
    """The patch cannot be applied; the text says which operation and why."""


def merged(value: Any, patch: Any) -> Any:
    """Return a value with a patch merged in: null removes a member, lists are replaced."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), item)
    return result


def json_patched(value: Any, operations: Any) -> Any:
    """Return a value after a list of operations, all of them or none; raises PatchFault."""
    if not isinstance(operations, list):
        raise PatchFault("a JSON patch is a list of operations")
    result = copy.deepcopy(value)
    for number, operation in enumerate(operations):
        try:
            result = _OPERATIONS[operation["op"]](result, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise PatchFault(f"operation {number} of the patch cannot be done: {_reason(error)}") from error
    return result


def _reason(error: Exception) -> str:
    return f"there is no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)


def _steps(pointer: str) -> list[str]:
    """The members that a JSON pointer goes through (RFC 6901)."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _at(value: Any, steps: list[str]) -> Any:
    for step in steps:
        value = value[_index(value, step)]
    return value


def _index(parent: Any, step: str) -> Any:
    if not isinstance(parent, list):
        return step
    if not step.isdecimal():
        raise ValueError(f"{step!r} is no index of a list")
    return int(step)


def _add(value: Any, operation: Mapping[str, Any]) -> Any:
    steps, item = _steps(operation["path"]), operation["value"]
    if not steps:
        return item
    parent = _at(value, steps[:-1])
    if not isinstance(parent, list):
        parent[steps[-1]] = item
        return value
    index = len(parent) if steps[-1] == "-" else _index(parent, steps[-1])
    if index > len(parent):
        raise IndexError(f"{index} is behind the end of the list")
    parent.insert(index, item)
    return value


def _remove(value: Any, operation: Mapping[str, Any]) -> Any:
    steps = _steps(operation["path"])
    if not steps:
        raise ValueError("the whole resource cannot be removed")
    parent = _at(value, steps[:-1])
    del parent[_index(parent, steps[-1])]
    return value


def _replace(value: Any, operation: Mapping[str, Any]) -> Any:
    steps, item = _steps(operation["path"]), operation["value"]
    if not steps:
        return item
    parent = _at(value, steps[:-1])
    index = _index(parent, steps[-1])
    parent[index]  # a KeyError or IndexError says that there is nothing to replace
    parent[index] = item
    return value


def _move(value: Any, operation: Mapping[str, Any]) -> Any:
    item = _at(value, _steps(operation["from"]))
    value = _remove(value, {"path": operation["from"]})
    return _add(value, {"path": operation["path"], "value": item})


def _copy(value: Any, operation: Mapping[str, Any]) -> Any:
    item = copy.deepcopy(_at(value, _steps(operation["from"])))
    return _add(value, {"path": operation["path"], "value": item})


def _test(value: Any, operation: Mapping[str, Any]) -> Any:
    if _at(value, _steps(operation["path"])) != operation["value"]:
        raise ValueError(f"{operation['path']} has another value")
    return value


_OPERATIONS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
