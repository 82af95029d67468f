# SPDX-License-Identifier: Apache-2.0
"""The named checks of single values, with the words that explain a refusal (spec/validation.md section 3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from percale.resources.addresses import parse_address, parse_network, why_not_address
from percale.resources.checks.site import Check, Site, states

__all__ = [
    "DNS_LABEL",
    "DNS_SUBDOMAIN",
    "Token",
    "is_re2",
    "limits",
    "one_of",
    "required",
    "token",
    "token_of",
    "unique",
]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL = re.compile(_LABEL)
DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class Token(msgspec.Struct, frozen=True):
    """One named check: what it accepts, what to say otherwise, and how to mend the value."""

    name: str
    accepts: Callable[[Any], bool]
    message: str
    hint: str | Callable[[str], str] = ""

    def why(self, value: Any) -> str:
        """Return the hint for a value that was refused."""
        return self.hint if isinstance(self.hint, str) else self.hint(value)


def _pattern(name: str, pattern: str, message: str, hint: str) -> Token:
    compiled = re.compile(pattern)
    return Token(name, lambda value: compiled.fullmatch(value) is not None, message, hint)


def _address(name: str, versions: tuple[int, ...], message: str) -> Token:
    def accepts(value: str) -> bool:
        found = parse_address(value)
        return found is not None and found.version in versions

    return Token(name, accepts, message, lambda value: _family_hint(parse_address(value), value, network=False))


def _network(name: str, versions: tuple[int, ...], message: str, *, masked: bool) -> Token:
    def accepts(value: str) -> bool:
        if not value:
            return True  # Calico's reader of networks takes nothing for nothing
        found = parse_network(value, bare=True)
        return found is not None and found.version in versions and (not masked or found.masked == found)

    def hint(value: str) -> str:
        found = parse_network(value, bare=True)
        if masked and found is not None and found.masked != found:
            return f"the network's own address is {found.masked}"
        return _family_hint(found, value, network=True)

    return Token(name, accepts, message, hint)


def _family_hint(found: Any, value: str, *, network: bool) -> str:
    return f"this is IPv{found.version}" if found else why_not_address(value, network=network)


def _mac(value: str) -> bool:
    for separator, digits in ((":", 2), ("-", 2), (".", 4)):
        parts = value.split(separator)
        if len(parts) > 1 and all(re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", part) for part in parts):
            return len(parts) * digits // 2 in {6, 8, 20}
    return False


def _selector(value: str) -> bool:
    from percale.selectors import SelectorError, parse

    try:
        parse(value)
    except SelectorError:
        return False
    return True


def _selector_hint(value: str) -> str:
    from percale.selectors import SelectorError, parse

    try:
        parse(value)
    except SelectorError as error:
        return str(error)
    return ""


def _peer_ip(value: str) -> bool:
    if parse_address(value):
        return True
    match = re.fullmatch(r"\[([^\]]*)\]:([0-9]+)|([^:]*):([0-9]+)", value)
    if match is None:
        return False
    address = parse_address(match[1] or match[3] or "")
    bracketed = match[1] is not None
    return address is not None and bracketed == (":" in (match[1] or "")) and 1 <= int(match[2] or match[4]) <= 65535


def _key_values(value: str) -> bool:
    return all(re.fullmatch(r"\s*(\w+)=(.*)", item, re.ASCII) for item in value.split(",") if item)


def _public_key(value: str) -> bool:
    import base64
    import binascii

    try:
        return len(base64.b64decode(value, validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


# What RE2 does not know although Python does, and what Python does not know although RE2 does.
_NOT_RE2 = re.compile(
    r"\(\?(?:[=!>#(]|<[=!]|P[=>])|(?<!\\)(?:\\\\)*\\[1-9Zu]|(?<!\\)[*+?}]\+|[*+?]\*|\{(?:[0-9]+,)?(?:[0-9]{5,}|[2-9][0-9]{3}|1(?!000)[0-9]{3})"
)
_ONLY_RE2 = (
    (re.compile(r"\\z"), r"\\Z"),
    (re.compile(r"\\[pP](?:[A-Z]|\{\^?\w+\})"), "x"),
    (re.compile(r"\[\[:\^?\w+:\]\]"), "[x]"),
    (re.compile(r"\\x\{[0-9A-Fa-f]+\}"), "x"),
    (re.compile(r"\\Q.*?(?:\\E|$)"), "x"),
    (re.compile(r"\(\?[imsU]*(?:-[imsU]+)?\)"), ""),
    (re.compile(r"\(\?[imsU]*(?:-[imsU]+)?:"), "(?:"),
    (re.compile(r"\(\?<(\w+)>"), r"(?P<\1>"),
)


def is_re2(pattern: str) -> bool:
    """Report whether a text is a regular expression of RE2, as the agents read it."""
    if _NOT_RE2.search(pattern):
        return False
    for construct, stand_in in _ONLY_RE2:
        pattern = construct.sub(stand_in, pattern)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


_INTERFACE_HINT = "an interface name has 1 to 15 letters, digits, '_', '.' or '-'"
_NAME_HINT = "use lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part"
_TOKENS = (
    Token("name", lambda value: DNS_SUBDOMAIN.fullmatch(value) is not None, "is not a valid name", _NAME_HINT),
    _pattern(
        "containerID",
        "[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?",
        "is not a container ID",
        "use letters, digits and '-', with a letter or digit at both ends",
    ),
    _pattern("interface", r"\*|[a-zA-Z0-9_.-]{1,15}", "is not an interface name", _INTERFACE_HINT),
    _pattern("bgpFilterInterface", r"\*|[a-zA-Z0-9_.*-]{1,15}", "is not an interface pattern", _INTERFACE_HINT),
    _pattern("ignoredInterface", r"(?!\*$)[a-zA-Z0-9_.*-]{1,15}", "is not an interface pattern", _INTERFACE_HINT),
    _pattern("ifaceFilter", "[a-zA-Z0-9:._+-]{1,15}", "is not an interface filter", _INTERFACE_HINT),
    _pattern("ifaceFilterSlice", "[a-zA-Z0-9:._+-]{1,15}", "is not an interface filter", _INTERFACE_HINT),
    _pattern(
        "portName",
        "(?=.{1,15}$)(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?",
        "is not a port name",
        "use up to 15 lower-case letters, digits and single '-', with at least one letter",
    ),
    Token("selector", _selector, "is not a selector", _selector_hint),
    _address("ip", (4, 6), "is not an IP address"),
    _address("ipv4", (4,), "is not an IPv4 address"),
    _address("ipv6", (6,), "is not an IPv6 address"),
    _address("reachableBy", (4, 6), "is not an IP address"),
    _network("net", (4, 6), "is not a CIDR or an address", masked=True),
    _network("netv4", (4,), "is not an IPv4 CIDR", masked=True),
    _network("netv6", (6,), "is not an IPv6 CIDR", masked=True),
    _network("cidr", (4, 6), "is not a CIDR or an address", masked=False),
    _network("cidrv4", (4,), "is not an IPv4 CIDR or address", masked=False),
    _network("cidrv6", (6,), "is not an IPv6 CIDR or address", masked=False),
    Token("mac", _mac, "is not a MAC address", "write it like ee:ee:ee:00:00:01"),
    Token("regexp", is_re2, "is not a regular expression", "the agents use RE2: no look-around, no back-references"),
    Token("IP:port", _peer_ip, "is not an address with an optional port", "write 192.0.2.1:179 or [2001:db8::1]:179"),
    Token("keyValueList", _key_values, "is not a list of settings", "write name=value,name=value"),
    _pattern("prometheusHost", "[a-zA-Z0-9:._+-]{1,64}", "is not a host name or address", "up to 64 characters"),
    Token("wireguardPublicKey", _public_key, "is not a WireGuard key", "a key is 32 bytes in base64, 44 characters"),
)
_BY_NAME = {known.name: known for known in _TOKENS}


def token_of(name: str) -> Token:
    """Return the named check."""
    return _BY_NAME[name]


def token(name: str, *, even_empty: bool = False) -> Check:
    """Return a check of one text; an empty or absent one passes unless ``even_empty``."""
    known = _BY_NAME[name]

    @states(known.message.removeprefix("is not "))
    def check(site: Site) -> None:
        value = site.value
        if value is None or (not value and not even_empty):
            return
        if not known.accepts(value):
            message = f"{value!r} {known.message}" if value else "is empty"
            site.refuse(message, known.why(value), reason=_reason(site, name), rule=name)

    return check


def limits(
    *, least: int | None = None, most: int | None = None, above: int | None = None, below: int | None = None
) -> Check:
    """Return a check of one number; ``above`` and ``below`` exclude their own values. An absent one passes."""
    bounds = {
        "at least": ("minimum", least),
        "greater than": ("exclusiveMinimum", above),
        "at most": ("maximum", most),
        "less than": ("exclusiveMaximum", below),
    }
    given = {word: (keyword, limit) for word, (keyword, limit) in bounds.items() if limit is not None}

    @states(" and ".join(f"{word} {limit}" for word, (_, limit) in given.items()), **dict(given.values()))
    def check(site: Site) -> None:
        value = site.value
        if value is None:
            return
        if above is not None and value <= above:
            site.refuse(f"{value} must be greater than {above}", reason=_reason(site, "gt"), rule="gt")
        elif least is not None and value < least:
            site.refuse(f"{value} must be at least {least}", reason=_reason(site, "gte"), rule="gte")
        elif most is not None and value > most:
            site.refuse(f"{value} must be at most {most}", reason=_reason(site, "lte"), rule="lte")
        elif below is not None and value >= below:
            site.refuse(f"{value} must be less than {below}", reason=_reason(site, "lt"), rule="lt")

    return check


def one_of(*values: str, tag: str = "oneof") -> Check:
    """Return a check that a text, unless absent, is one of a few."""

    @states(f"one of {', '.join(values)}", enum=[*values, ""])
    def check(site: Site) -> None:
        if site.value and site.value not in values:
            words = ", ".join(values)
            site.refuse(f"{site.value!r} is not one of {words}", reason=_reason(site, tag), rule=tag)

    return check


@states("a list without repeated items", uniqueItems=True)
def unique(site: Site) -> None:
    """Check that no item of a list is there twice."""
    values = site.value or ()
    if len(set(values)) != len(values):
        twice = next(value for value in values if values.count(value) > 1)
        site.refuse(f"{twice!r} stands twice", "name each once", reason=_reason(site, "unique"), rule="unique")


@states("present")
def required(site: Site) -> None:
    """Check that a member is there."""
    if not site.value and site.value != 0:
        site.refuse("is required", reason=_reason(site, "required"), rule="required")


def _reason(site: Site, tag: str) -> str:
    return f"Reason: failed to validate Field: {site.member} because of Tag: {tag} "
