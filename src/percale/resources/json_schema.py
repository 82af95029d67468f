# SPDX-License-Identifier: Apache-2.0
"""JSON Schema of the kinds' documents, for editors: types, rules and descriptions are those of the reference."""

from __future__ import annotations

from typing import Any

from msgspec import inspect as types

from percale.resources.kinds import KINDS
from percale.resources.reference import FieldNote, field_note, fields_of, first_sentence, present
from percale.resources.resource import API_VERSION

__all__ = ["json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PORT_NUMBER = "0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_SPECIAL: dict[str, dict[str, Any]] = {
    "Port": {
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 65535,
        "pattern": f"^({_PORT_NUMBER}(:{_PORT_NUMBER})?|(?![0-9]+$)[a-zA-Z0-9_.-]{{1,128}})$",
    },
    "Protocol": {"type": ["integer", "string"], "minimum": 0, "maximum": 255},
    "DSCP": {"type": ["integer", "string"], "minimum": 0, "maximum": 255},
    "ASNumber": {
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 4294967295,
        "pattern": r"^[0-9]+(\.[0-9]+)?$",
    },
    "IntOrString": {"type": ["integer", "string"]},
    "Duration": {
        "type": "string",
        "pattern": r"^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$",
    },
    "Time": {
        "type": "string",
        "pattern": r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$",
    },
    "Flag": {"type": "boolean"},
    "Number": {"type": "number"},
}


def json_schema(kind: str = "") -> dict[str, Any]:
    """Return the JSON Schema of a kind's documents, or of any kind's and of lists; no document is refused wrongly.

    What JSON Schema cannot say (rules that bind several fields, the syntax of selectors) stands in the descriptions.
    """
    kinds = [kind] if kind else [info.kind for info in KINDS.values() if info.aliases]
    definitions: dict[str, Any] = {}
    for one in kinds:
        _define_kind(one, definitions)
    if kind:
        return {"$schema": _DIALECT, "$ref": f"#/$defs/{kind}", "$defs": definitions}
    lists = [_define_list(one, definitions) for one in kinds]
    choices = [{"$ref": f"#/$defs/{one}"} for one in (*kinds, *lists)]
    return {"$schema": _DIALECT, "oneOf": choices, "$defs": definitions}


def _define_kind(kind: str, definitions: dict[str, Any]) -> None:
    definition = _object(field_note(kind), definitions)
    definition["properties"] = _head(kind) | definition["properties"]
    definition["required"] = ["apiVersion", "kind", "metadata"]
    definitions[kind] = definition


def _define_list(kind: str, definitions: dict[str, Any]) -> str:
    name = KINDS[kind].list_kind
    items = {"type": "array", "items": {"$ref": f"#/$defs/{kind}"}}
    definitions[name] = {
        "type": "object",
        "description": f"Several documents of the kind {kind} in one.",
        "properties": _head(name) | {"metadata": {"type": "object"}, "items": items},
        "required": ["apiVersion", "kind", "items"],
    }
    return name


def _head(kind: str) -> dict[str, Any]:
    return {
        "apiVersion": {"const": API_VERSION, "description": "The API and its version."},
        "kind": {"const": kind, "description": "The kind of the document."},
    }


def _object(note: FieldNote, definitions: dict[str, Any]) -> dict[str, Any]:
    assert note.structure is not None
    properties = {
        member.name: _member(member, one.type, definitions)
        for member, one in zip(note.members, fields_of(note.structure), strict=True)
    }
    return {
        "type": "object",
        "description": first_sentence(note.structure),
        "properties": properties,
        "additionalProperties": False,
    }


def _member(note: FieldNote, wanted: types.Type, definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _type(wanted, _reference(note, definitions) if note.structure else "")
    for name, keyword in note.keywords.items():
        if name == "pattern" and name in schema:
            continue  # a rule for the canonical text; the type's own pattern is for what people write
        schema[name] = {**schema[name], **keyword} if name == "items" else keyword
    schema = _or_null(schema)
    words = " ".join(filter(None, (note.text, *(f"Must be {rule}." for rule in note.rules))))
    return schema | ({"description": words} if words else {}) | ({"default": note.default} if note.default else {})


def _reference(note: FieldNote, definitions: dict[str, Any]) -> str:
    """The definition of the structure in a field: kinds share one as long as their rules for it are the same."""
    assert note.structure is not None
    definition, name = _or_null(_object(note, definitions)), note.structure.__name__
    if definitions.setdefault(name, definition) != definition:
        name = f"{note.kind}.{name}"
        definitions[name] = definition
    return f"#/$defs/{name}"


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or nothing: null counts as absent everywhere."""
    changes: dict[str, Any] = {}
    if "type" in schema:
        kinds = schema["type"]
        changes["type"] = [*kinds, "null"] if isinstance(kinds, list) else [kinds, "null"]
    if "enum" in schema:
        changes["enum"] = [*schema["enum"], None]
    if "anyOf" in schema:
        changes["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema | changes


def _type(wanted: types.Type, reference: str) -> dict[str, Any]:
    match wanted:
        case types.Metadata(extra={"type": str(name)}):
            return dict(_SPECIAL[name])
        case types.Metadata():
            return _type(wanted.type, reference)
        case types.UnionType():
            return _type(present(wanted), reference)
        case types.StructType():
            return {"$ref": reference}
        case types.VarTupleType():
            return {"type": "array", "items": _or_null(_type(wanted.item_type, reference))}
        case types.DictType():
            return {"type": "object", "additionalProperties": _or_null(_type(wanted.value_type, reference))}
        case types.IntType():
            limits = {"minimum": wanted.ge, "maximum": wanted.le}
            return {"type": "integer"} | {name: limit for name, limit in limits.items() if limit is not None}
        case types.BoolType():
            return {"type": "boolean"}
        case types.StrType():
            return {"type": "string"}
        case _:
            return {}
