# SPDX-License-Identifier: Apache-2.0
"""How values and types are called when one does not fit the other: in our words, and in those of Go's decoder."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from percale.resources.nodes import Node
from percale.resources.scalars import Plain, text_of

__all__ = ["found_text", "go_type", "go_value", "items_text", "unmarshal_text", "written"]


def written(node: Node) -> str:
    """Return a scalar as it was written."""
    if node.text is not None or isinstance(node.value, dict | list):
        return node.text or ""
    return text_of(node.value)


def found_text(node: Node) -> str:
    """Return in words what was found."""
    match node.value:
        case dict():
            return "an object with members"
        case list():
            return "a list"
        case str() as text:
            return f"the text {text!r}"
        case _:
            return written(node) or "nothing"


def items_text(wanted: inspect.Type) -> str:
    """Return in words what the items of a list are."""
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    return {inspect.StrType: "texts", inspect.StructType: "objects"}.get(type(wanted), "values")


def go_value(value: Plain | list[Any] | dict[str, Any]) -> str:
    """Return Go's word for a JSON value."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return f"number {value}" if isinstance(value, float) else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


_GO_INTEGERS = {(0, 255): "uint8", (0, 65535): "uint16", (0, 4294967295): "uint32", (0, None): "uint64"} | {
    (-(2**31), 2**31 - 1): "int32",
    (-(2**63), 2**63 - 1): "int64",
}


def go_type(wanted: inspect.Type) -> str:
    """Return Go's name of the type of a field."""
    match wanted:
        case inspect.Metadata():
            return str((wanted.extra or {}).get("type") or go_type(wanted.type))
        case inspect.StrType():
            return "string"
        case inspect.IntType():
            return _GO_INTEGERS.get((wanted.ge, wanted.le), "int")  # type: ignore[arg-type]
        case inspect.StructType():
            return f"v3.{wanted.cls.__name__}"
        case inspect.VarTupleType():
            return f"[]{go_type(wanted.item_type)}"
        case inspect.DictType():
            return f"map[string]{go_type(wanted.value_type)}"
        case _:
            return "bool"


def unmarshal_text(found: str, owner: str, path: str, wanted: str) -> str:
    """Return what Go's decoder says of a value of the wrong type at a path below a structure."""
    where = f"Go struct field {owner}.{path}" if owner else "Go value"
    return f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into {where} of type {wanted}"
