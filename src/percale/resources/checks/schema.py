# SPDX-License-Identifier: Apache-2.0
"""The constraints of the published schemas, the second layer of checks (spec/resources.md, "Schema checks")."""

from __future__ import annotations

import re
from typing import Any

from percale.resources.addresses import parse_network
from percale.resources.checks.site import Check, Site

__all__ = ["all_of", "cidr", "count", "enum", "length", "pattern", "span", "whole"]


def enum(*values: str, written: bool = False) -> Check:
    """Return a check that a text is one of a few; ``written`` ones are checked even when empty."""

    def check(site: Site) -> None:
        if site.value is None or (not site.value and not written) or site.value in values:
            return
        words = ", ".join(value or "''" for value in values)
        quoted = ", ".join(f'"{value}"' for value in values)
        _refuse(
            site, f"{site.value!r} is not one of {words}", _close(site.value, values), f"supported values: {quoted}"
        )

    check.__doc__ = "one of " + ", ".join(filter(None, values))
    return check


def span(least: int | None = None, most: int | None = None, *, written: bool = False) -> Check:
    """Return a check that a number lies within limits, both included."""

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

    check.__doc__ = " and ".join(
        f"at {word} {limit}" for word, limit in (("least", least), ("most", most)) if limit is not None
    )
    return check


def length(most: int) -> Check:
    """Return a check that a text has at most so many characters."""

    def check(site: Site) -> None:
        if site.value and len(site.value) > most:
            words = f"Too long: may not be more than {most} bytes"
            _refuse(site, f"has {len(site.value)} characters; at most {most} are allowed", "", words)

    check.__doc__ = f"at most {most} characters"
    return check


def count(most: int | None = None, least: int = 0) -> Check:
    """Return a check of the number of items in a list that is there."""

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

    check.__doc__ = f"{least} to {most} items" if most is not None else f"at least {least} items"
    return check


def pattern(expression: str, hint: str = "") -> Check:
    """Return a check that a text matches an expression of the schema from end to end; an empty one passes."""
    # The schemas are written for RE2, where $ is the very end and \\d is ASCII.
    compiled = re.compile(_python(expression), re.ASCII)

    def check(site: Site) -> None:
        if site.value and compiled.search(site.value) is None:
            words = f"{site.path} in body should match '{expression}'"
            _refuse(site, f"{site.value!r} is not allowed here", hint, words)

    check.__doc__ = f"a text that matches {expression}"
    return check


def cidr(site: Site) -> None:
    """Check that a text is a CIDR with a prefix length."""
    if site.value and parse_network(site.value) is None:
        words = f'{site.path} in body must be of type cidr: "{site.value}"'
        _refuse(site, f"{site.value!r} is not a CIDR with a prefix length", "write it like 192.0.2.0/24", words)


def all_of(*checks: Check) -> Check:
    """Return a check that makes several."""

    def check(site: Site) -> None:
        for one in checks:
            one(site)

    check.__doc__ = " and ".join(one.__doc__.removeprefix("Check that ").rstrip(".") for one in checks if one.__doc__)
    return check


def whole(site: Site, message: str, hint: str = "", *, name: str | None = None, reason: str = "") -> None:
    """Refuse an object for a rule that binds several members; ``name`` replaces its path in Calico's words."""
    site.refuse(
        message, hint, name=site.path if name is None else name, reason=reason or message, value=None, rule="schema"
    )


def _refuse(site: Site, message: str, hint: str, words: str) -> None:
    site.refuse(message, hint, name=site.path, reason=words, value=None, rule="schema")


def _close(value: Any, values: tuple[str, ...]) -> str:
    alike = [known for known in values if known.lower() == str(value).lower()]
    return f"write it {alike[0]}" if alike else ""


def _python(expression: str) -> str:
    flags = "(?i)" if "(?i)" in expression else ""
    body = expression.replace("(?i)", "")
    return flags + body.removesuffix("$") + (r"\Z" if body.endswith("$") else "")
