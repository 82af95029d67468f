# SPDX-License-Identifier: Apache-2.0
"""What the fields of a kind are: type, default, rules and meaning, taken from the models and the checks themselves.

The meaning of a field is the comment ``#:`` behind it, read from the source only when somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as types

from percale.errors import NotFound
from percale.resources.kinds import KINDS
from percale.resources.resource import API_VERSION
from percale.resources.value import Value

__all__ = ["FieldNote", "field_note", "json_schema"]

_NOTE = re.compile(r"^    (\w+): .*#: (.+)$", re.MULTILINE)
_SPECIAL: dict[str, tuple[str, dict[str, Any]]] = {
    "Port": ("port number, range or name", {"type": ["integer", "string"]}),
    "Protocol": ("protocol name or number", {"type": ["integer", "string"]}),
    "DSCP": ("code point name or number", {"type": ["integer", "string"]}),
    "ASNumber": ("AS number", {"type": ["integer", "string"]}),
    "IntOrString": ("number or text", {"type": ["integer", "string"]}),
    "Duration": ("duration such as 1m30s", {"type": "string"}),
    "Time": ("moment in RFC 3339", {"type": "string", "format": "date-time"}),
    "Flag": ("true or false", {"type": "boolean"}),
    "Number": ("number", {"type": "number"}),
}


@dataclass(frozen=True)
class FieldNote:
    """One field of a kind; ``members`` are the fields of an object, or of the objects in a list."""

    path: str
    type_words: str
    default: str = ""
    rules: tuple[str, ...] = ()
    text: str = ""
    structure: type[msgspec.Struct] | None = None
    kind: str = ""

    @property
    def members(self) -> tuple[FieldNote, ...]:
        """The fields inside, in the order in which Calico writes them."""
        if self.structure is None:
            return ()
        return tuple(_note(self, field, self.structure) for field in _struct(self.structure).fields)

    @property
    def tree(self) -> Iterator[FieldNote]:
        """All fields below, each before its members."""
        for member in self.members:
            yield member
            yield from member.tree


def field_note(path: str) -> FieldNote:
    """Return what ``KIND`` or ``KIND.path.to.field`` is; case does not matter. Raises NotFound."""
    word, *steps = path.split(".")
    info = next((info for info in KINDS.values() if word.lower() in {info.kind.lower(), *info.aliases}), None)
    if info is None:
        raise NotFound("Kind", word, cause=f"known kinds: {', '.join(KINDS)}")
    note = FieldNote("", "object", text=_first_sentence(info.type), structure=info.type, kind=info.kind)
    for step in steps:
        members = {member.path.rpartition(".")[2].lower(): member for member in note.members}
        name = step.partition("[")[0].lower()
        if name not in members:
            known = ", ".join(member.path.rpartition(".")[2] for member in members.values())
            raise NotFound("Field", path, cause=f"known here: {known or 'nothing'}")
        note = members[name]
    return note


def json_schema(kind: str = "") -> dict[str, Any]:
    """Return the JSON Schema of a kind's documents, or of any kind's; descriptions are those of the reference."""
    kinds = [kind] if kind else [info.kind for info in KINDS.values() if info.aliases]
    definitions: dict[str, Any] = {}
    for one in kinds:
        _define(field_note(one), definitions)
        head = {"apiVersion": {"const": API_VERSION}, "kind": {"const": one}}
        definitions[one]["properties"] = head | definitions[one]["properties"]
        definitions[one]["required"] = ["apiVersion", "kind", "metadata"]
    references = [{"$ref": f"#/$defs/{one}"} for one in kinds]
    choice: dict[str, Any] = references[0] if kind else {"oneOf": references}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **choice, "$defs": definitions}


def _define(note: FieldNote, definitions: dict[str, Any]) -> None:
    assert note.structure is not None
    name = note.structure.__name__
    if name in definitions:
        return
    properties: dict[str, Any] = {}
    text = _first_sentence(note.structure)
    definitions[name] = {
        "type": "object",
        "description": text,
        "properties": properties,
        "additionalProperties": False,
    }
    for member, field in zip(note.members, _struct(note.structure).fields, strict=True):
        schema = _schema(field.type)
        words = " ".join(filter(None, (member.text, *(f"Must be {rule}." for rule in member.rules))))
        properties[field.encode_name] = schema | ({"description": words} if words else {})
        if member.structure:
            _define(member, definitions)


def _schema(wanted: types.Type) -> dict[str, Any]:
    match wanted:
        case types.Metadata(extra=extra) if (extra or {}).get("type"):
            return dict(_SPECIAL[(extra or {})["type"]][1])
        case types.Metadata():
            return _schema(wanted.type)
        case types.UnionType():
            return _schema(_present(wanted))
        case types.StructType():
            return {"$ref": f"#/$defs/{wanted.cls.__name__}"}
        case types.VarTupleType():
            return {"type": "array", "items": _schema(wanted.item_type)}
        case types.DictType():
            return {"type": "object", "additionalProperties": _schema(wanted.value_type)}
        case types.IntType():
            limits = {"minimum": wanted.ge, "maximum": wanted.le}
            return {"type": "integer"} | {name: limit for name, limit in limits.items() if limit is not None}
        case types.BoolType():
            return {"type": "boolean"}
        case types.StrType():
            return {"type": "string"}
        case _:
            return {}


def _note(parent: FieldNote, field: types.Field, owner: type) -> FieldNote:
    path = f"{parent.path}.{field.encode_name}" if parent.path else field.encode_name
    structure = _structure(field.type)
    text = _texts(owner).get(field.name, "") or (_first_sentence(structure) if structure else "")
    rules = _rules(parent.kind, owner, field.name)
    return FieldNote(path, _words(field.type), _default(field), rules, text, structure, parent.kind)


def _words(wanted: types.Type) -> str:
    match wanted:
        case types.Metadata(extra=extra) if (extra or {}).get("type"):
            return _SPECIAL[(extra or {})["type"]][0]
        case types.Metadata():
            return _words(wanted.type)
        case types.UnionType():
            return _words(_present(wanted))
        case types.StructType():
            return "object"
        case types.VarTupleType():
            return f"list of {_words(wanted.item_type)}"
        case types.DictType():
            return f"map of text to {_words(wanted.value_type)}"
        case types.IntType():
            return "whole number" if wanted.le is None else f"whole number, {wanted.ge} to {wanted.le}"
        case types.BoolType():
            return "true or false"
        case types.StrType():
            return "text"
        case _:
            return "any value"


def _default(field: types.Field) -> str:
    if field.default in (msgspec.NODEFAULT, None, "", ()) or isinstance(field.default, Value):
        return ""
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return str(field.default or "")  # 0 is absent: what it stands for, the field's meaning says


def _rules(kind: str, owner: type, name: str) -> tuple[str, ...]:
    from percale.resources.checks import rulebook

    book = rulebook(kind)
    checks = [layer.get(owner, {}).get(name) for layer in (book.members, book.schema)]
    words = (check.__doc__ for check in checks if check is not None)
    return tuple(dict.fromkeys(word.removeprefix("Check that ").rstrip(".") for word in words if word))


def _structure(wanted: types.Type) -> type[msgspec.Struct] | None:
    match wanted:
        case types.StructType():
            return wanted.cls
        case types.Metadata():
            return _structure(wanted.type)
        case types.UnionType():
            return _structure(_present(wanted)) if len(wanted.types) == 2 else None
        case types.VarTupleType():
            return _structure(wanted.item_type)
        case types.DictType():
            return _structure(wanted.value_type)
        case _:
            return None


def _present(wanted: types.UnionType) -> types.Type:
    return next(one for one in wanted.types if not isinstance(one, types.NoneType))


def _struct(owner: type) -> types.StructType:
    wanted = types.type_info(owner)
    assert isinstance(wanted, types.StructType)
    return wanted


@cache
def _texts(owner: type) -> dict[str, str]:
    """The comments behind the fields of a class and of those it inherits from; none where there is no source."""
    import inspect

    texts: dict[str, str] = {}
    for one in reversed(owner.__mro__[:-1]):
        try:
            texts |= dict(_NOTE.findall(inspect.getsource(one)))
        except (OSError, TypeError):
            continue
    return texts


def _first_sentence(owner: type) -> str:
    return " ".join((owner.__doc__ or "").partition("\n\n")[0].split())
