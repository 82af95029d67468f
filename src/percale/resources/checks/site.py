# SPDX-License-Identifier: Apache-2.0
"""Where a check looks, and how it says what is wrong there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from percale.errors import Problem
from percale.resources.wire import member_name

__all__ = ["Check", "Rulebook", "Site", "each", "go_text", "keywords_of", "states", "words_of"]

_SELF: Any = object()


class Site:
    """A value under check: its path as people write it, and the name by which Calico cites it.

    A site keeps what it is reached from, and the two names are made from that when they are asked for: most sites are
    never complained of.
    """

    __slots__ = ("_above", "_step", "found", "people", "value")

    def __init__(
        self,
        value: Any,
        found: list[Problem],
        people: bool = False,
        *,
        above: Site | None = None,
        step: str | int | tuple[str] = "",
    ) -> None:
        # The step is a member's Python name, the index of an item, or the key of a map in a tuple.
        self.value, self.found, self.people, self._above, self._step = value, found, people, above, step

    def at(self, name: str) -> Site:
        """The site of a member of the structure here, by its Python name."""
        return Site(getattr(self.value, name), self.found, self.people, above=self, step=name)

    def item(self, index: int) -> Site:
        """The site of one item of the list here."""
        return Site(self.value[index], self.found, self.people, above=self, step=index)

    def key(self, key: str) -> Site:
        """The site of the value of one key of the map here."""
        return Site(self.value[key], self.found, self.people, above=self, step=(key,))

    @property
    def path(self) -> str:
        """The field as people write it, ``spec.ports[0].name``; empty for the resource itself."""
        if self._above is None:
            return ""
        above = self._above.path
        match self._step:
            case int() as index:
                return f"{above}[{index}]"
            case str() as name:
                wire = _wire(self._above.value, name)
                return f"{above}.{wire}" if above else wire
            case (key,):
                return f"{above}['{key}']"

    @property
    def member(self) -> str:
        """The last part of the field as Calico cites it, ``Ports[0]``."""
        if self._above is None:
            return ""
        match self._step:
            case int() as index:
                return f"{self._above.member}[{index}]"
            case str() as name:
                return member_name(name)
            case _:
                return self._above.member

    def refuse(
        self,
        message: str,
        hint: str = "",
        *,
        name: str | None = None,
        reason: str = "",
        value: Any = _SELF,
        rule: str = "",
        also: Sequence[str] = (),
        cited: bool = True,
        shown: bool = True,
    ) -> None:
        """Note a problem here; ``name`` and ``reason`` are Calico's words for it, ``also`` further names it cites.

        What is not ``shown`` says in Calico's words what another problem says better.
        """
        told = self.value if value is _SELF else value
        problem = Problem(
            path=self.path,
            message=message,
            hint=hint,
            rule=rule,
            value=go_text(told) if isinstance(told, tuple | dict) else told,
            calico_name=self.member if name is None else name,
            calico_reason=reason or message,
            cited=cited,
            shown=shown,
        )
        self.found.append(problem)
        for other in also:
            self.found.append(Problem(path=self.path, message=message, calico_name=other, shown=False))


Check: TypeAlias = Callable[[Site], None]


class Rulebook(msgspec.Struct, frozen=True):
    """The checks of some structures: of members and of wholes, in the two layers of spec/validation.md section 1."""

    members: Mapping[type, Mapping[str, Check]] = {}
    structures: Mapping[type, Check] = {}
    schema: Mapping[type, Mapping[str, Check]] = {}
    schema_rules: Mapping[type, Check] = {}

    def __or__(self, other: Rulebook) -> Rulebook:
        return Rulebook(
            {**self.members, **other.members},
            {**self.structures, **other.structures},
            {**self.schema, **other.schema},
            {**self.schema_rules, **other.schema_rules},
        )


def states(words: str, **keywords: Any) -> Callable[[Check], Check]:
    """Return a decorator that tells what a check demands: in words that follow *must be*, and to JSON Schema.

    Several demands are joined by "; ".
    """

    def told(check: Check) -> Check:
        check.__dict__.update(words=words, keywords=keywords)
        return check

    return told


def words_of(check: Check) -> str:
    """Return what a check demands, empty where it does not tell."""
    return str(getattr(check, "words", ""))


def keywords_of(check: Check) -> dict[str, Any]:
    """Return what JSON Schema can say of a check's demand; it never refuses what the check accepts."""
    return dict(getattr(check, "keywords", {}))


def each(check: Check) -> Check:
    """Return a check of every item of a list."""
    words, keywords = words_of(check), keywords_of(check)

    @states(words and f"a list, each item {words}", **({"items": keywords} if keywords else {}))
    def items(site: Site) -> None:
        for index in range(len(site.value or ())):
            check(site.item(index))

    return items


def go_text(value: Any) -> str:
    """Return a list or map as Go prints it in a message: ``[a b]``, ``map[a:b]``."""
    match value:
        case dict():
            return "map[" + " ".join(f"{key}:{go_text(item)}" for key, item in sorted(value.items())) + "]"
        case list() | tuple():
            return "[" + " ".join(map(go_text, value)) + "]"
        case bool():
            return "true" if value else "false"
        case _ if hasattr(value, "__struct_fields__"):
            return "{" + " ".join(go_text(getattr(value, name)) for name in value.__struct_fields__) + "}"
        case _:
            return str(value)


def _wire(owner: Any, name: str) -> str:
    names: dict[str, str] = _encoded_names(type(owner))
    return names[name]


_NAMES: dict[type, dict[str, str]] = {}


def _encoded_names(owner: type) -> dict[str, str]:
    if owner not in _NAMES:
        fields: Any = owner
        _NAMES[owner] = dict(zip(fields.__struct_fields__, fields.__struct_encode_fields__, strict=True))
    return _NAMES[owner]
