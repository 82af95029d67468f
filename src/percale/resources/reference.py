# SPDX-License-Identifier: Apache-2.0
"""What the fields of a kind are: type, default, rules and meaning, taken from the models and the checks themselves.

The meaning of a field is the comment ``#:`` behind it or, where that does not fit, in the lines above it. It is read
from the source only when somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as types

from percale.errors import Problem, ValidationError
from percale.resources.kinds import KINDS, KindInfo
from percale.resources.spelling import meant

__all__ = ["FieldNote", "field_note", "first_sentence", "present"]

_NOTE = re.compile(r"(?P<above>(?:^    #: .*\n)*)^    (?P<name>\w+): .*?(?:  #: (?P<behind>.+))?$", re.MULTILINE)
_SPECIAL = {
    "Port": ("port number, range or name", "port numbers, ranges or names"),
    "Protocol": ("protocol name or number", "protocol names or numbers"),
    "DSCP": ("code point name or number", "code point names or numbers"),
    "ASNumber": ("AS number", "AS numbers"),
    "IntOrString": ("number or text", "numbers or texts"),
    "Duration": ("duration such as 1m30s", "durations such as 1m30s"),
    "Time": ("moment in RFC 3339", "moments in RFC 3339"),
    "Flag": ("true or false", "true or false"),
    "Number": ("number", "numbers"),
}


@dataclass(frozen=True)
class FieldNote:
    """One field of a kind; ``members`` are the fields of an object, or of the objects in a list.

    ``path`` is empty for the kind itself. ``keywords`` are what JSON Schema can say of the ``rules``.
    """

    path: str
    type_words: str
    kind: str
    default: str | float = ""
    rules: tuple[str, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    structure: type[msgspec.Struct] | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def members(self) -> tuple[FieldNote, ...]:
        """The fields inside, in the order in which Calico writes them."""
        return tuple(_note(self, each, self.structure) for each in fields_of(self.structure)) if self.structure else ()

    @property
    def tree(self) -> Iterator[FieldNote]:
        """All fields below, each before its members."""
        for member in self.members:
            yield member
            yield from member.tree


def field_note(path: str) -> FieldNote:
    """Return what ``KIND`` or ``KIND.path.to.field`` is; case, aliases and indices do not matter.

    Raises ValidationError for what does not exist, with what may have been meant.
    """
    word, *steps = path.split(".")
    info = _kind(word)
    note = FieldNote("", "object", info.kind, text=first_sentence(info.type), structure=info.type)
    for step in steps:
        members = {member.name.lower(): member for member in note.members}
        member = members.get(step.partition("[")[0].lower())
        if member is None:
            known = {name: one.name for name, one in members.items()}
            raise _unknown(f"{info.kind}.{note.path}".rstrip("."), "field", step, known)
        note = member
    return note


def _kind(word: str) -> KindInfo:
    named = {name: info for info in KINDS.values() for name in (*info.short_names, *info.aliases, info.kind.lower())}
    if word.lower() not in named:
        raise _unknown("", "kind", word, {name: info.kind for name, info in named.items()})
    return named[word.lower()]


def _unknown(where: str, what: str, word: str, known: Mapping[str, str]) -> ValidationError:
    there = f"known here: {', '.join(dict.fromkeys(known.values()))}" if known else "there are no fields inside"
    hint = meant(word, known) or there
    return ValidationError([Problem(path=where, message=f"unknown {what} {word!r}", hint=hint, rule="fields")])


def _note(parent: FieldNote, one: types.Field, owner: type) -> FieldNote:
    inside = f"{parent.path}{'[]' if parent.type_words.startswith('list of') else ''}"
    path = f"{inside}.{one.encode_name}" if inside else one.encode_name
    structure = _structure(one.type)
    text = _texts(owner).get(one.name, "") or (first_sentence(structure) if structure else "")
    rules, keywords = _rules(parent.kind, owner, one.name)
    return FieldNote(path, _words(one.type), parent.kind, _default(parent.kind, path), rules, keywords, text, structure)


def _words(wanted: types.Type, *, many: bool = False) -> str:
    match wanted:
        case types.Metadata(extra={"type": str(name)}):
            return _SPECIAL[name][many]
        case types.Metadata():
            return _words(wanted.type, many=many)
        case types.UnionType():
            return _words(present(wanted), many=many)
        case types.StructType():
            return "objects" if many else "object"
        case types.VarTupleType():
            return f"list of {_words(wanted.item_type, many=True)}"
        case types.DictType():
            return f"map from text to {_words(wanted.value_type)}"
        case types.IntType():
            words = "whole numbers" if many else "whole number"
            return f"{words}, {wanted.ge} to {wanted.le}" if wanted.ge == 0 and wanted.le else words
        case types.BoolType():
            return "true or false"
        case types.StrType():
            return "texts" if many else "text"
        case _:
            return "any value"


def _default(kind: str, path: str) -> str | float:
    """What a resource gets there when it is written; zero and empty stand for absent."""
    value = _blank(kind)
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value if value and isinstance(value, str | int | float) and path != "metadata.name" else ""


@cache
def _blank(kind: str) -> Any:
    from percale.resources.defaults import defaulted
    from percale.resources.json_text import to_builtins

    return to_builtins(defaulted(KINDS[kind].type()))


def _rules(kind: str, owner: type, name: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    from percale.resources.checks import rulebook
    from percale.resources.checks.site import keywords_of, words_of

    book = rulebook(kind)
    checks = [layer.get(owner, {}).get(name) for layer in (book.members, book.schema)]
    words: list[str] = []
    keywords: dict[str, Any] = {}
    for check in filter(None, checks):
        words += words_of(check).split("; ")
        keywords |= keywords_of(check)
    return tuple(dict.fromkeys(filter(None, words))), keywords


def _structure(wanted: types.Type) -> type[msgspec.Struct] | None:
    match wanted:
        case types.StructType():
            return wanted.cls
        case types.Metadata():
            return _structure(wanted.type)
        case types.UnionType():
            return _structure(present(wanted)) if len(wanted.types) == 2 else None
        case types.VarTupleType():
            return _structure(wanted.item_type)
        case types.DictType():
            return _structure(wanted.value_type)
        case _:
            return None


def present(wanted: types.UnionType) -> types.Type:
    """Return the type of a member that may be absent."""
    return next(one for one in wanted.types if not isinstance(one, types.NoneType))


def fields_of(owner: type) -> tuple[types.Field, ...]:
    """Return the fields of a structure in the order in which Calico writes them."""
    wanted = types.type_info(owner)
    assert isinstance(wanted, types.StructType)
    return wanted.fields


@cache
def _texts(owner: type) -> dict[str, str]:
    """The comments at the fields of a class and of those it inherits from; none where there is no source."""
    import inspect

    texts: dict[str, str] = {}
    for one in reversed(owner.__mro__[:-1]):
        try:
            source = inspect.getsource(one)
        except (OSError, TypeError):
            continue
        for note in _NOTE.finditer(source):
            texts[note["name"]] = note["behind"] or " ".join(note["above"].replace("#:", "").split())
    return texts


def first_sentence(owner: type) -> str:
    """Return the first paragraph of what a class says about itself."""
    return " ".join((owner.__doc__ or "").partition("\n\n")[0].split()).replace("``", "`")
