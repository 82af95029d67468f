# SPDX-License-Identifier: Apache-2.0
"""From nodes to typed values: every fault is collected with its path, and what is sound is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from percale.errors import Problem, ValidationError
from percale.resources.durations import moment
from percale.resources.fields import FORMS
from percale.resources.nodes import Member, Node, node_of, plain
from percale.resources.presence import presence_problems
from percale.resources.resource import Resource
from percale.resources.scalars import text_of
from percale.resources.spelling import meant
from percale.resources.type_words import found_text, go_type, go_value, items_text, unmarshal_text, written

__all__ = ["Place", "Reader", "read_json"]

R = TypeVar("R", bound=Resource)

_ABSENT: Any = object()
_IGNORED = {"kind", "apiVersion"}

# Field types that accept numbers besides texts.
_NUMERIC = {"Port", "Protocol", "DSCP", "ASNumber", "IntOrString"}
# The texts that Go takes for booleans.
_FLAGS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)


class Place(NamedTuple):
    """Where the reader is: the path as written, Go's path without indices, and the structure it is in."""

    path: str = ""
    dotted: str = ""
    owner: str = ""

    def member(self, name: str, owner: str) -> Place:
        """The place of a member of the structure ``owner`` here."""
        return Place(_joined(self.path, name), _joined(self.dotted, name), owner)

    def key(self, name: str) -> Place:
        """The place of the value of one key of a map."""
        path = f"{self.path}['{name}']" if set(name) & set(".[]'") else _joined(self.path, name)
        return Place(path, self.dotted, self.owner)

    def item(self, index: int) -> Place:
        """The place of an item of a list."""
        return Place(f"{self.path}[{index}]", self.dotted, self.owner)


class Reader:
    """Reads nodes as the types of the models.

    ``source`` chooses the rules. In what ``people`` write unknown fields are refused, and scalars become texts where
    a text is wanted (with a warning when the text is another one). In a ``request`` unknown fields are ignored, and
    each value must have its JSON type. A ``stored`` value may moreover hold texts for booleans. In all of them
    ``null`` counts as absent and the case of field names does not matter.
    """

    def __init__(self, source: Literal["people", "request", "stored"]) -> None:
        self.problems: list[Problem] = []
        self._people = source == "people"
        self._stored = source == "stored"
        self._empty_lists: set[str] = set()

    def resource(self, root: Node, kind: type[R]) -> R:
        """Return the resource with every member that could be read."""
        value = self._struct(root, _type_of(kind), Place(), ignored=_IGNORED)
        resource: R = kind() if value is _ABSENT else value
        if not self._stored:
            self.problems += presence_problems(resource, self._empty_lists)
        return resource

    def _value(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        if isinstance(wanted, inspect.Metadata):
            if special := (wanted.extra or {}).get("type"):
                return self._special(node, special, place)
            wanted = wanted.type
        return _READERS[type(wanted)](self, node, wanted, place)

    def _struct(self, node: Node, wanted: inspect.Type, place: Place, *, ignored: Collection[str] = ()) -> Any:
        assert isinstance(wanted, inspect.StructType)
        if not isinstance(node.value, dict):
            return self._wrong(node, place, "an object with members", f"v3.{wanted.cls.__name__}")
        fields = _fields(wanted.cls)
        values = {}
        for name, member in node.value.items():
            field = fields.get(name) or fields.get(name.lower())
            if field is None:
                if self._people and name not in ignored:
                    self._unknown(name, member, wanted.cls, place)
                continue
            if member.node.value is None:
                continue
            value = self._value(member.node, field.type, place.member(name, wanted.cls.__name__))
            if value is not _ABSENT:
                values[field.name] = value
        try:
            return wanted.cls(**values)
        except ValueError as error:  # a rule that binds several members
            return self._refuse(node, place, str(error))

    def _list(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        assert isinstance(wanted, inspect.VarTupleType)
        if not isinstance(node.value, list):
            return self._wrong(node, place, f"a list of {items_text(wanted.item_type)}", go_type(wanted))
        if not node.value:
            self._empty_lists.add(place.path)
        items = [self._item(item, wanted.item_type, place.item(index)) for index, item in enumerate(node.value)]
        return tuple(item for item in items if item is not _ABSENT)

    def _item(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        if node.value is None:
            return _zero(wanted)
        return self._value(node, wanted, place)

    def _map(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        assert isinstance(wanted, inspect.DictType)
        if not isinstance(node.value, dict):
            return self._wrong(node, place, "an object with members", go_type(wanted))
        items = {
            name: self._item(member.node, wanted.value_type, place.key(name)) for name, member in node.value.items()
        }
        return {name: item for name, item in items.items() if item is not _ABSENT}

    def _union(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        assert isinstance(wanted, inspect.UnionType)
        options = [option for option in wanted.types if not isinstance(option, inspect.NoneType)]
        if node.value is None:
            return None
        assert len(options) == 1, "unions other than with None carry the name of their type"
        return self._value(node, options[0], place)

    def _special(self, node: Node, name: str, place: Place) -> Any:
        if name == "Number":
            value = self._number(node, None, place)
            return value if value is _ABSENT else self._canonical(node, value, name, place)
        if name == "Flag":
            return self._flag(node, place)
        numeric = name in _NUMERIC
        value = _whole(node.value) if self._people else node.value
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and not numeric and self._people and name == "Time":
            value = self._text(node, None, place)
        elif not (isinstance(value, str) or (is_number and numeric)):
            wanted = "a number or a text" if numeric else "a text"
            return self._wrong(node, place, wanted, name)
        return self._canonical(node, value, name, place)

    def _canonical(self, node: Node, value: Any, name: str, place: Place) -> Any:
        try:
            return moment(value) if name == "Time" else FORMS[name](value) if name in FORMS else value
        except ValueError as error:
            return self._refuse(node, place, str(error))

    def _text(self, node: Node, wanted: inspect.Type | None, place: Place) -> Any:
        value = node.value
        if isinstance(value, str):
            return value
        if not self._people or isinstance(value, list | dict):
            return self._wrong(node, place, "a text", "string")
        text = text_of(value)
        if node.text is None or node.text == text or value is None:
            return text
        if isinstance(value, float) and _is_beyond_64_bits(node.text):
            message = f"the unquoted number {node.text} does not fit 64 bits and would become the text {text!r}"
            return self._refuse(node, place, message, f'write it in quotes: "{node.text}"')
        message = f"the unquoted {node.text} becomes the text {text!r}"
        self._warn(node, place, message, f'to keep it, write "{node.text}"')
        return text

    def _integer(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        assert isinstance(wanted, inspect.IntType)
        value = _whole(node.value) if self._people else node.value
        if isinstance(value, bool) or not isinstance(value, int):
            hint = f"remove the quotes: {value}" if isinstance(value, str) and value.isdigit() else ""
            return self._wrong(node, place, "a whole number", go_type(wanted), hint)
        least = -(2**63) if wanted.ge is None else wanted.ge
        greatest = 2**63 - 1 if wanted.le is None else wanted.le
        if wanted.ge == 0 and wanted.le is None:
            greatest = 2**64 - 1
        if not least <= value <= greatest:
            return self._refuse(
                node,
                place,
                f"{value} is out of range: expected {least} to {greatest}",
                calico=unmarshal_text(f"number {value}", place.owner, place.dotted, go_type(wanted)),
            )
        return value

    def _number(self, node: Node, wanted: inspect.Type | None, place: Place) -> Any:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            return self._wrong(node, place, "a number", "float64")
        return node.value

    def _bool(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        if not isinstance(node.value, bool):
            return self._wrong(node, place, "true or false", "bool")
        return node.value

    def _flag(self, node: Node, place: Place) -> Any:
        if isinstance(node.value, str) and self._stored and node.value in _FLAGS:
            return _FLAGS[node.value]
        return self._bool(node, inspect.BoolType(), place)

    def _any(self, node: Node, wanted: inspect.Type, place: Place) -> Any:
        return plain(node)

    def _unknown(self, name: str, member: Member, owner: type, place: Place) -> None:
        self.problems.append(
            Problem(
                path=_joined(place.path, name),
                message=f"unknown field {name!r}",
                hint=_suggestion(name, owner, place),
                rule="fields",
                line=member.line,
                column=member.column,
                calico_reason=f'error unmarshaling JSON: while decoding JSON: json: unknown field "{name}"',
            )
        )

    def _wrong(self, node: Node, place: Place, wanted: str, go_name: str, hint: str = "") -> Any:
        if not hint and wanted.startswith("a list") and not isinstance(node.value, dict):
            hint = f"write [{written(node)}]"
        return self._refuse(
            node,
            place,
            f"expected {wanted}, found {found_text(node)}",
            hint,
            calico=unmarshal_text(go_value(node.value), place.owner, place.dotted, go_name),
        )

    def _refuse(self, node: Node, place: Place, message: str, hint: str = "", calico: str = "") -> Any:
        self.problems.append(
            Problem(
                path=place.path,
                message=message,
                hint=hint,
                rule="type",
                value=node.text if node.text is not None else plain(node),
                line=node.line,
                column=node.column,
                calico_reason=calico or f"error unmarshaling JSON: while decoding JSON: {message}",
            )
        )
        return _ABSENT

    def _warn(self, node: Node, place: Place, message: str, hint: str) -> None:
        self.problems.append(
            Problem(
                path=place.path,
                message=message,
                hint=hint,
                rule="yaml",
                line=node.line,
                column=node.column,
                warning=True,
            )
        )


_READERS: Mapping[type, Callable[[Reader, Node, Any, Place], Any]] = {
    inspect.StructType: Reader._struct,
    inspect.VarTupleType: Reader._list,
    inspect.DictType: Reader._map,
    inspect.UnionType: Reader._union,
    inspect.StrType: Reader._text,
    inspect.IntType: Reader._integer,
    inspect.FloatType: Reader._number,
    inspect.BoolType: Reader._bool,
    inspect.AnyType: Reader._any,
}


def read_json(text: bytes | str, kind: type[R], *, source: Literal["request", "stored"] = "request") -> R:
    """Return a resource from JSON as lenient as Calico's own decoder. Raises ValidationError with every fault."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    reader = Reader(source)
    try:
        resource = reader.resource(node_of(msgspec.json.decode(text)), kind)
    except msgspec.DecodeError as error:
        raise ValidationError([Problem(path="", message=f"not readable as JSON: {error}", rule="json")]) from None
    except RecursionError:
        raise ValidationError(
            [Problem(path="", message="nested too deep", hint="write it flatter", rule="json")]
        ) from None
    if reader.problems:
        raise ValidationError(reader.problems)
    return resource


@cache
def _type_of(kind: type[Resource]) -> inspect.Type:
    return inspect.type_info(kind)


@cache
def _fields(owner: type) -> dict[str, inspect.Field]:
    """The members of a structure by their names, exact and in lower case."""
    wanted = inspect.type_info(owner)
    assert isinstance(wanted, inspect.StructType)
    exact = {field.encode_name: field for field in wanted.fields}
    return {name.lower(): field for name, field in exact.items()} | exact


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _whole(value: Any) -> Any:
    """A float without fraction as the integer that Go's JSON makes of it."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def _zero(wanted: inspect.Type) -> Any:
    if isinstance(wanted, inspect.Metadata):
        special = (wanted.extra or {}).get("type")
        return 0 if special else _zero(wanted.type)
    match wanted:
        case inspect.StrType():
            return ""
        case inspect.IntType() | inspect.FloatType():
            return 0
        case inspect.BoolType():
            return False
        case inspect.StructType():
            return wanted.cls()
        case inspect.VarTupleType():
            return ()
        case inspect.DictType():
            return {}
        case _:
            return None


def _suggestion(name: str, owner: type, place: Place) -> str:
    known = [field.encode_name for field in _fields(owner).values()]
    if question := meant(name, {each.lower(): each for each in known}):
        return question
    if place.path in {"", "spec"}:
        from percale.resources.metadata import ObjectMeta

        if name in _fields(ObjectMeta):
            return f"{name!r} belongs under metadata"
    return f"known here: {', '.join(sorted(set(known)))}"


def _is_beyond_64_bits(text: str) -> bool:
    """Reports whether a text is a whole number that 64 bits cannot hold, so that it would lose digits."""
    digits = text.lstrip("+-").replace("_", "")
    return digits.isdecimal() and int(digits) >= 2**63
