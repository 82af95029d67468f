# SPDX-License-Identifier: Apache-2.0
"""Addresses and networks as Calico reads them in fields (spec/validation.md section 3).

The standard library's ``ipaddress`` reads more (netmasks, scopes), and an IPv4-mapped address is IPv6 there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

__all__ = ["Address", "Network", "format_address", "parse_address", "parse_network", "why_not_address"]

_BITS = {4: 32, 6: 128}
_MAPPED = 0xFFFF << 32


class Address(NamedTuple):
    """An IPv4 or IPv6 address; an IPv4-mapped IPv6 address is IPv4."""

    version: int
    number: int

    @property
    def bits(self) -> int:
        """The length of the address: 32 or 128."""
        return _BITS[self.version]


class Network(NamedTuple):
    """An address with a prefix length; host bits are kept."""

    version: int
    number: int
    length: int

    @property
    def bits(self) -> int:
        """The length of an address of this family: 32 or 128."""
        return _BITS[self.version]

    @property
    def masked(self) -> Network:
        """The same network without host bits."""
        host_bits = self.bits - self.length
        return Network(self.version, self.number >> host_bits << host_bits, self.length)

    def contains(self, other: Network) -> bool:
        """Report whether the first address of the other network is inside this one."""
        if self.version != other.version:
            return False
        host_bits = self.bits - self.length
        return self.number >> host_bits == other.masked.number >> host_bits

    def overlaps(self, other: Network) -> bool:
        """Report whether the two networks share an address."""
        return self.contains(other) or other.contains(self)

    def __str__(self) -> str:
        return f"{format_address(Address(self.version, self.number))}/{self.length}"


def parse_address(text: str) -> Address | None:
    """Return the address, or None when the text is none."""
    if ":" not in text:
        number = _ipv4(text)
        return None if number is None else Address(4, number)
    number = _ipv6(text)
    if number is None:
        return None
    if number >> 32 == _MAPPED >> 32:
        return Address(4, number & 0xFFFFFFFF)
    return Address(6, number)


@lru_cache(maxsize=4096)
def parse_network(text: str, *, bare: bool = False) -> Network | None:
    """Return the network; with ``bare`` an address alone counts as one of full length. None when it is neither."""
    head, slash, tail = text.partition("/")
    address = parse_address(head)
    if address is None:
        return None
    if not slash:
        return Network(*address, address.bits) if bare else None
    digits = tail.lstrip("0") or "0"
    if not _is_number(tail) or len(digits) > 3:
        return None
    length = int(digits)
    if address.version == 4 and ":" in head:
        length -= 96
        if length < 0:
            return None
    return Network(*address, length) if 0 <= length <= address.bits else None


def format_address(address: Address) -> str:
    """Return the address in its canonical text (RFC 5952)."""
    if address.version == 4:
        return ".".join(str(address.number >> shift & 0xFF) for shift in (24, 16, 8, 0))
    groups = [f"{address.number >> shift & 0xFFFF:x}" for shift in range(112, -16, -16)]
    start, length = _longest_zeros(groups)
    if length < 2:
        return ":".join(groups)
    return f"{':'.join(groups[:start])}::{':'.join(groups[start + length :])}"


def why_not_address(text: str, *, network: bool = False) -> str:
    """Return in words what keeps a text from being an address or network; empty when nothing simple does."""
    head, slash, tail = text.partition("/")
    if not text:
        return "it is empty"
    if text != text.strip():
        return "remove the blanks around it"
    if slash and parse_address(head) is not None:
        return _why_not_length(head, tail)
    if "%" in head:
        return "leave the scope after '%' out"
    if ":" in head:
        return "an IPv6 address has eight groups of up to four hexadecimal digits, or '::' once"
    parts = head.split(".")
    if any(len(part) > 1 and part[0] == "0" and _is_number(part) for part in parts):
        return "an octet has no leading zeros"
    if any(_is_number(part) and (len(part) > 3 or int(part) > 255) for part in parts):
        return "an octet is at most 255"
    if len(parts) != 4 and all(_is_number(part) for part in parts if part):
        return "an IPv4 address has four octets"
    example = "192.0.2.0/24 or 2001:db8::/32" if network else "192.0.2.1 or 2001:db8::1"
    return f"write it like {example}"


def _why_not_length(head: str, tail: str) -> str:
    address = parse_address(head)
    assert address is not None
    if "." in tail or ":" in tail:
        return "write the prefix length as a number, not as a netmask"
    if _is_number(tail):
        return f"a prefix length is at most {address.bits}"
    return "a prefix length follows the '/'"


def _is_number(text: str) -> bool:
    # Python calls signs such as a raised one digits too, though int() does not read them.
    return text.isascii() and text.isdigit()


def _ipv4(text: str) -> int | None:
    parts = text.split(".")
    if len(parts) != 4:
        return None
    number = 0
    for part in parts:
        if not _is_number(part) or len(part) > 3 or (part[0] == "0" and part != "0"):
            return None
        octet = int(part)
        if octet > 255:
            return None
        number = number << 8 | octet
    return number


def _ipv6(text: str) -> int | None:
    head, gap, tail = text.partition("::")
    left = _groups(head, last=not gap)
    right = _groups(tail, last=True) if gap else []
    if left is None or right is None:
        return None
    missing = 8 - len(left) - len(right)
    if missing < (1 if gap else 0) or (missing and not gap):
        return None
    number = 0
    for group in [*left, *[0] * missing, *right]:
        number = number << 16 | group
    return number


def _groups(text: str, *, last: bool) -> list[int] | None:
    """The 16-bit groups; the last part may be an IPv4 address when it ends the text."""
    if not text:
        return []
    parts = text.split(":")
    ending: list[int] = []
    if last and "." in parts[-1]:
        ipv4 = _ipv4(parts.pop())
        if ipv4 is None:
            return None
        ending = [ipv4 >> 16, ipv4 & 0xFFFF]
    if not all(0 < len(part) <= 4 and part.isascii() and part.isalnum() for part in parts):
        return None
    try:
        return [int(part, 16) for part in parts] + ending
    except ValueError:
        return None


def _longest_zeros(groups: list[str]) -> tuple[int, int]:
    best, start = (0, 0), None
    for at, group in enumerate([*groups, "end"]):
        if group == "0":
            start = at if start is None else start
        elif start is not None:
            best = max(best, (start, at - start), key=lambda run: run[1])
            start = None
    return best
