# SPDX-License-Identifier: Apache-2.0
"""Neighbors (linux/neighbour.h): ARP and NDP entries, and the forwarding entries of a VXLAN device."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from percale.netlink.attributes import attribute, parse
from percale.netlink.rtnetlink.addresses import address_text, packed_address
from percale.netlink.socket import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Request

if TYPE_CHECKING:
    from typing import Literal

    State = Literal["none", "incomplete", "reachable", "stale", "delay", "probe", "failed", "noarp", "permanent"]

__all__ = [
    "ForwardingEntry",
    "Neighbor",
    "add_neighbor",
    "decode_forwarding_entry",
    "decode_neighbor",
    "delete_forwarding_entry",
    "delete_neighbor",
    "replace_forwarding_entry",
    "replace_neighbor",
]

NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30
BRIDGE_FAMILY = 7

_DESTINATION, _MAC, INTERFACE = 1, 2, 8
_STATES = {
    "none": 0,
    "incomplete": 0x01,
    "reachable": 0x02,
    "stale": 0x04,
    "delay": 0x08,
    "probe": 0x10,
    "failed": 0x20,
    "noarp": 0x40,
    "permanent": 0x80,
}
_STATE_NAMES = {number: name for name, number in _STATES.items()}
_FLAG_SELF, FLAG_PROXY = 0x02, 0x08
_PERMANENT, _NOARP = _STATES["permanent"], _STATES["noarp"]

# family, link index, state, flags, type
HEADER = struct.Struct("=BxxxiHBB")


@dataclass(frozen=True, slots=True)
class Neighbor:
    """The MAC of an address on the link with index ``interface``; with ``proxy``, that we answer for it there."""

    interface: int
    address: str
    mac: str = ""
    state: State = "permanent"
    proxy: bool = False


@dataclass(frozen=True, slots=True)
class ForwardingEntry:
    """A VXLAN device's knowledge that frames to ``mac`` go to the host ``remote``."""

    interface: int
    mac: str
    remote: str


def add_neighbor(neighbor: Neighbor) -> Request:
    """The request to add a neighbor; EEXIST if the address has one."""
    return Request(NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, _encode(neighbor))


def replace_neighbor(neighbor: Neighbor) -> Request:
    """The request to add a neighbor or to change the one of this address."""
    return Request(NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, _encode(neighbor))


def delete_neighbor(neighbor: Neighbor) -> Request:
    """The request to delete the neighbor of this address; ENOENT if there is none."""
    return Request(DELNEIGH, 0, _encode(neighbor))


def _encode(neighbor: Neighbor) -> bytes:
    family, packed = packed_address(neighbor.address)
    flags = FLAG_PROXY if neighbor.proxy else 0
    head = HEADER.pack(family, neighbor.interface, _STATES[neighbor.state], flags, 0)
    return head + attribute(_DESTINATION, packed) + (_mac(neighbor.mac) if neighbor.mac else b"")


def decode_neighbor(body: bytes) -> Neighbor:
    """The neighbor that a message's body describes."""
    _, interface, state, flags, _ = HEADER.unpack_from(body)
    attributes = parse(body, HEADER.size)
    address = address_text(attributes[_DESTINATION])
    if flags & FLAG_PROXY:  # these have no state
        return Neighbor(interface, address, proxy=True)
    mac, name = attributes.get(_MAC, b"").hex(":"), _STATE_NAMES.get(state, "none")
    return Neighbor(interface, address, mac, name)  # type: ignore[arg-type]


def replace_forwarding_entry(entry: ForwardingEntry) -> Request:
    """The request to add a forwarding entry or to change that of this MAC."""
    return Request(NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, _encode_forwarding(entry))


def delete_forwarding_entry(entry: ForwardingEntry) -> Request:
    """The request to delete a forwarding entry; ENOENT if it is not there."""
    return Request(DELNEIGH, 0, _encode_forwarding(entry))


def _encode_forwarding(entry: ForwardingEntry) -> bytes:
    head = HEADER.pack(BRIDGE_FAMILY, entry.interface, _PERMANENT | _NOARP, _FLAG_SELF, 0)
    return head + _mac(entry.mac) + attribute(_DESTINATION, packed_address(entry.remote)[1])


def decode_forwarding_entry(body: bytes) -> ForwardingEntry | None:
    """The forwarding entry that a message's body describes; None if it names no remote host."""
    interface = HEADER.unpack_from(body)[1]
    attributes = parse(body, HEADER.size)
    if _DESTINATION not in attributes:
        return None
    return ForwardingEntry(interface, attributes[_MAC].hex(":"), address_text(attributes[_DESTINATION]))


def _mac(mac: str) -> bytes:
    return attribute(_MAC, bytes.fromhex(mac.replace(":", "")))
