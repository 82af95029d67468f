# SPDX-License-Identifier: Apache-2.0
"""The constraints of the published schemas, the second layer of checks (spec/resources.md, "Schema checks")."""

from __future__ import annotations

import re
from typing import Any

from percale.resources.addresses import parse_network
from percale.resources.checks.site import Check, Site, keywords_of, states, words_of

__all__ = ["all_of", "any_case", "cidr", "count", "enum", "length", "pattern", "span", "whole"]


def enum(*values: str, written: bool = False) -> Check:
    """Return a check that a text is one of a few; ``written`` ones are checked even when empty."""

    @states(f"one of {', '.join(filter(None, values))}", enum=[*values] if written or "" in values else [*values, ""])
    def check(site: Site) -> None:
        if site.value is None or (not site.value and not written) or site.value in values:
            return
        words = ", ".join(value or "''" for value in values)
        quoted = ", ".join(f'"{value}"' for value in values)
        _refuse(
            site, f"{site.value!r} is not one of {words}", _close(site.value, values), f"supported values: {quoted}"
        )

    return check


def span(least: int | None = None, most: int | None = None, *, written: bool = False) -> Check:
    """Return a check that a number lies within limits, both included."""
    bounds = {"least": least, "most": most}
    words = " and ".join(f"at {word} {limit}" for word, limit in bounds.items() if limit is not None)
    keywords = {"minimum": least if written or least is None else min(least, 0), "maximum": most}

    @states(words, **{name: limit for name, limit in keywords.items() if limit is not None})
    def check(site: Site) -> None:
        value = site.value
        if value is None or (value == 0 and not written):
            return
        if least is not None and value < least:
            words = f"{site.path} in body should be greater than or equal to {least}"
            _refuse(site, f"{value} must be at least {least}", "", words)
        elif most is not None and value > most:
            words = f"{site.path} in body should be less than or equal to {most}"
            _refuse(site, f"{value} must be at most {most}", "", words)

    return check


def length(most: int) -> Check:
    """Return a check that a text has at most so many characters."""

    @states(f"at most {most} characters", maxLength=most)
    def check(site: Site) -> None:
        if site.value and len(site.value) > most:
            words = f"Too long: may not be more than {most} bytes"
            _refuse(site, f"has {len(site.value)} characters; at most {most} are allowed", "", words)

    return check


def count(most: int | None = None, least: int = 0) -> Check:
    """Return a check of the number of items in a list that is there."""
    bounds = {"least": least or None, "most": most}
    words = " and ".join(f"at {word} {_items(limit)}" for word, limit in bounds.items() if limit)
    keywords = {"minItems": least, "maxItems": most}

    @states(
        f"a list of {words}" if least != most else f"a list of {_items(least)}",
        **{name: limit for name, limit in keywords.items() if limit},
    )
    def check(site: Site) -> None:
        if not site.value and not least:
            return
        if site.value is None:
            return
        items = len(site.value)
        if most is not None and items > most:
            words = f"{site.path} in body should have at most {most} items"
            _refuse(site, f"has {items} items; at most {most} are allowed", "", words)
        elif items < least:
            words = f"{site.path} in body should have at least {least} items"
            _refuse(site, f"needs at least {least}", "", words)

    return check


def any_case(*values: str) -> Check:
    """Return a check that a text is one of a few in upper or lower case; an empty one passes."""
    last = " or ".join(values[-2:])
    hint = f"use {', '.join((*values[:-2], last))}"
    # An editor offers the words as they are usually written.
    anyhow = "|".join("".join(f"[{c.upper()}{c.lower()}]" for c in value) for value in values)
    choice = [{"enum": [*values, ""]}, {"pattern": f"^({anyhow})$"}]
    told = states(f"one of {', '.join(values)}, in upper or lower case", anyOf=choice)
    return told(pattern(f"^(?i)({'|'.join(values)})?$", hint))


def pattern(expression: str, hint: str = "", words: str = "") -> Check:
    """Return a check that a text matches an expression of the schema from end to end; an empty one passes."""
    # The schemas are written for RE2, where $ is the very end and \\d is ASCII.
    compiled = re.compile(_python(expression), re.ASCII)

    @states(words or f"a text that matches `{expression}`", pattern=f"^$|{expression}")
    def check(site: Site) -> None:
        if site.value and compiled.search(site.value) is None:
            words = f"{site.path} in body should match '{expression}'"
            _refuse(site, f"{site.value!r} is not allowed here", hint, words)

    return check


@states("a CIDR with a prefix length")
def cidr(site: Site) -> None:
    """Check that a text is a CIDR with a prefix length."""
    if site.value and parse_network(site.value) is None:
        words = f'{site.path} in body must be of type cidr: "{site.value}"'
        _refuse(site, f"{site.value!r} is not a CIDR with a prefix length", "write it like 192.0.2.0/24", words)


def all_of(*checks: Check) -> Check:
    """Return a check that makes several."""
    keywords = {name: keyword for one in checks for name, keyword in keywords_of(one).items()}

    @states("; ".join(filter(None, map(words_of, checks))), **keywords)
    def check(site: Site) -> None:
        for one in checks:
            one(site)

    return check


def whole(site: Site, message: str, hint: str = "", *, name: str | None = None, reason: str = "") -> None:
    """Refuse an object for a rule that binds several members; ``name`` replaces its path in Calico's words."""
    site.refuse(
        message, hint, name=site.path if name is None else name, reason=reason or message, value=None, rule="schema"
    )


def _refuse(site: Site, message: str, hint: str, words: str) -> None:
    site.refuse(message, hint, name=site.path, reason=words, value=None, rule="schema")


def _items(number: int) -> str:
    return f"{number} item{'s' * (number != 1)}"


def _close(value: Any, values: tuple[str, ...]) -> str:
    alike = [known for known in values if known.lower() == str(value).lower()]
    return f"write it {alike[0]}" if alike else ""


def _python(expression: str) -> str:
    flags = "(?i)" if "(?i)" in expression else ""
    body = expression.replace("(?i)", "")
    return flags + body.removesuffix("$") + (r"\Z" if body.endswith("$") else "")
