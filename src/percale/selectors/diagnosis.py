# SPDX-License-Identifier: Apache-2.0
"""Why a text is not a selector: run once, at the place where reading stopped, to find words for the user."""

from __future__ import annotations

import re

from percale.selectors.errors import SelectorError
from percale.selectors.tokens import BLANK, COMPARISON, LETTER, MAX_NAME_BYTES, MEMBERSHIP, STRING

_BLANKS = " \t"
_OPERATORS = "'==', '!=', 'in', 'not in', 'contains', 'starts with' or 'ends with'"
_CALLS = ("has(", "all(", "global(")
_JOINTS = {
    "and": "write && for 'and'",
    "&": "write && for 'and'",
    "or": "write || for 'or'",
    "|": "write || for 'or'",
}
_LONGEST_FOUND = 20


def operand_error(text: str, position: int) -> SelectorError:
    """Return what is wrong where an operand should begin at or after ``position``."""
    start = _skip(text, position, _BLANKS + "!")
    call = next((call for call in _CALLS if text.startswith(call, start)), None)
    if call is not None:
        return _call_error(text, start, call)
    name = _name_at(text, start)
    if not name:
        return _expected(
            text, start, "a label name, 'has(…)', 'all()', 'global()', '!' or '('", _operand_hint(text, start)
        )
    if len(name) > MAX_NAME_BYTES:
        return _too_long(text, start, name)
    return _operator_error(text, start, name)


def joint_error(text: str, position: int, *, within_brackets: bool) -> SelectorError:
    """Return what is wrong where an expression should go on or end, at or after ``position``."""
    start = _skip(text, position, _BLANKS)
    last = "')'" if within_brackets else "the end"
    return _expected(text, start, f"'&&', '||' or {last}", _joint_hint(text, start))


def _call_error(text: str, start: int, call: str) -> SelectorError:
    inside = _skip(text, start + len(call), _BLANKS)
    if call != "has(":
        return _expected(text, inside, "')'", f"{call}) takes no argument")
    name = _name_at(text, inside)
    if not name:
        return _expected(text, inside, "a label name", "the name inside has(…) stands without quotes")
    if len(name) > MAX_NAME_BYTES:
        return _too_long(text, inside, name)
    return _expected(text, _skip(text, inside + len(name), _BLANKS), "')'", "has(…) takes one label name")


def _operator_error(text: str, start: int, name: str) -> SelectorError:
    position = _skip(text, start + len(name), _BLANKS)
    operator = re.compile(rf"(?:({COMPARISON})|{MEMBERSHIP})(?!{LETTER})").match(text, position)
    if operator is None:
        return _expected(
            text, position, f"an operator after {name!r}, one of {_OPERATORS}", _operator_hint(text, position, name)
        )
    operand = _skip(text, operator.end(), _BLANKS)
    if operator[1]:
        return _string_error(text, operand)
    if not text.startswith("{", operand):
        return _expected(text, operand, "'{'", "a set is written {'a', 'b'}")
    return _set_error(text, operand + 1)


def _string_error(text: str, position: int) -> SelectorError:
    if text[position : position + 1] in ("'", '"'):
        return SelectorError(text, position, "the string is not closed", f"end it with {text[position]}")
    return _expected(text, position, "a string", "a value stands in quotes")


def _set_error(text: str, position: int) -> SelectorError:
    string = re.compile(rf"{BLANK}{STRING}{BLANK}")
    while (match := string.match(text, position)) is not None and text.startswith(",", match.end()):
        position = match.end() + 1
    if match is not None:
        return _expected(text, match.end(), "',' or '}'")
    position = _skip(text, position, _BLANKS)
    if text[position : position + 1] in ("'", '"'):
        return _string_error(text, position)
    return _expected(text, position, "a string or '}'", "each value stands in quotes")


def _operand_hint(text: str, position: int) -> str:
    following = text[position : position + 1]
    if following in ("'", '"'):
        return "a label name stands without quotes"
    return _character_hint(following)


def _operator_hint(text: str, position: int, name: str) -> str:
    following = text[position : position + 1]
    if following == "=":
        return "write == to compare"
    if following == "(" and f"{name.lower()}(" in _CALLS:
        return f"write {name.lower()}( in small letters and without a blank"
    return _character_hint(following) or f"write has({name}) to ask whether the label exists"


def _joint_hint(text: str, position: int) -> str:
    return _JOINTS.get(_name_at(text, position).lower()) or _character_hint(text[position : position + 1])


def _character_hint(character: str) -> str:
    if character.isspace():
        return "outside quotes only spaces and tabs may separate words"
    return _JOINTS.get(character, "")


def _too_long(text: str, position: int, name: str) -> SelectorError:
    return SelectorError(
        text, position, f"the label name is {len(name)} bytes long, at most {MAX_NAME_BYTES} are allowed"
    )


def _expected(text: str, position: int, what: str, hint: str = "") -> SelectorError:
    return SelectorError(text, position, f"expected {what}, found {_found(text, position)}", hint)


def _found(text: str, position: int) -> str:
    if position >= len(text):
        return "the end"
    word = _name_at(text, position) or text[position]
    return repr(word) if len(word) <= _LONGEST_FOUND else repr(word[:_LONGEST_FOUND]) + "…"


def _name_at(text: str, position: int) -> str:
    match = re.compile(f"{LETTER}+").match(text, position)
    return match[0] if match else ""


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position
