# SPDX-License-Identifier: Apache-2.0
"""The base of every frozen value of the API, and of those whose fields have more than one spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import msgspec

from percale.errors import Problem, ValidationError
from percale.resources.fields import canonical_form
from percale.resources.wire import wire_name

__all__ = ["Canonical", "Value", "written"]

_set = msgspec.structs.force_setattr


def _content_hash(value: Value) -> int:
    return hash((type(value), *(_hashable(getattr(value, name)) for name in value.__struct_fields__)))


def _hashable(content: Any) -> Any:
    match content:
        case dict():
            return frozenset((name, _hashable(item)) for name, item in content.items())
        case list() | tuple():
            return tuple(map(_hashable, content))
        case _:
            return content


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=wire_name, gc=False):
    """A frozen part of a resource: equal by content, written in declaration order, empty members left out."""

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        if any(annotation.startswith("dict[") for annotation in cls.__annotations__.values()):
            # msgspec hashes the others, faster; a value with a dict it cannot hash.
            cls.__hash__ = _content_hash  # type: ignore[method-assign,assignment]

    def replace(self, **changes: Any) -> Self:
        """Return the same value with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({members})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The members that say something: neither empty nor absent."""
        members = [(name, getattr(self, name)) for name in self.__struct_fields__]
        defaults = self.__struct_defaults__
        return [
            member
            for member, default in zip(members, defaults, strict=True)
            if member[1] is not default and member[1] not in ("", (), {})
        ]


class Canonical(Value, frozen=True, kw_only=True):
    """A value that brings fields with several spellings into the canonical one when it is made.

    Which fields, their types say (``Port``, ``Duration`` and the like); a class may name more. Raises ValidationError
    for what has no meaning.
    """

    canonical: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        # Annotations are texts here: all modules of this package postpone their evaluation.
        forms = {name: canonical_form(annotation) for name, annotation in cls.__annotations__.items()}
        cls.canonical = {name: form for name, form in forms.items() if form} | cls.canonical

    def __post_init__(self) -> None:
        for name, form in self.canonical.items():
            given = getattr(self, name)
            if given is None or given == ():
                continue
            try:
                value = form(given)
            except (ValueError, TypeError, AttributeError) as error:
                message = str(error) if isinstance(error, ValueError) else f"{given!r} is of the wrong type"
                path = self.__struct_encode_fields__[self.__struct_fields__.index(name)]
                raise ValidationError([Problem(path=path, message=message, value=given, rule="type")]) from None
            if value is not given:
                _set(self, name, value)


def written(empty: Callable[[], Any]) -> Any:
    """Declare a field that is written to JSON even when it is empty; ``empty`` makes its empty value."""
    # msgspec leaves out what is equal to a default, or to the result of one of the well-known factories;
    # a factory that it does not know is never compared.
    return msgspec.field(default_factory=lambda: empty())
