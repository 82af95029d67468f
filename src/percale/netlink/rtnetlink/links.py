# SPDX-License-Identifier: Apache-2.0
"""Network interfaces (linux/if_link.h): what they are, and the requests to make, change and delete them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from percale.netlink.attributes import attribute, nested, parse, string, text_of, u32
from percale.netlink.socket import NLM_F_CREATE, NLM_F_EXCL, Request

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["Link", "Veth", "add_link", "add_veth", "decode_link", "delete_link", "set_link"]

NEWLINK, DELLINK, GETLINK = 16, 17, 18

_MAC, _NAME, _MTU, _PEER, _MASTER, _OPERSTATE, _INFO, _ALIAS = 1, 3, 4, 5, 10, 16, 18, 20
_NAMESPACE_FD, _TX_QUEUES, _RX_QUEUES, _PEER_NAMESPACE = 28, 31, 32, 37
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_NAME_MAXIMUM = 15

_STATES: tuple[Literal["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"], ...]
_STATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")

# family, hardware type, index, flags, which flags to change
HEADER = struct.Struct("=BxHiII")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface as the kernel reports it.

    ``up`` is what was asked for, ``running`` and ``state`` what is. ``kind`` is ``veth``, ``vxlan`` …, or empty.
    ``peer`` is the index of a veth's other end in the namespace ``peer_namespace`` (an nsid; None is our own).
    """

    index: int
    name: str
    kind: str = ""
    mac: str = ""
    mtu: int = 0
    up: bool = False
    running: bool = False
    state: Literal["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"] = "unknown"
    peer: int = 0
    peer_namespace: int | None = None
    master: int = 0
    alias: str = ""

    @property
    def operational(self) -> bool:
        """Whether it can carry packets: asked to be up, with a carrier."""
        return self.up and self.running


@dataclass(frozen=True, slots=True)
class Veth:
    """A pair of interfaces to be made; ``peer_namespace`` is a file descriptor, None leaves the peer in our namespace.

    An index of 0, an empty MAC and an MTU of 0 leave the choice to the kernel. One queue each suits a workload and
    spares memory (the kernel's default is one per CPU). The peer is made down: the kernel cannot bring it up before
    the pair is complete.
    """

    name: str
    peer_name: str
    index: int = 0
    mac: str = ""
    mtu: int = 0
    up: bool = False
    peer_index: int = 0
    peer_mac: str = ""
    peer_namespace: int | None = None
    queues: int = 1


def add_veth(veth: Veth) -> Request:
    """The request to make a veth pair; EEXIST if one of the names (or indexes) is taken."""
    queues = u32(_TX_QUEUES, veth.queues) + u32(_RX_QUEUES, veth.queues)
    common = (u32(_MTU, veth.mtu) if veth.mtu else b"") + queues
    namespace = b"" if veth.peer_namespace is None else u32(_NAMESPACE_FD, veth.peer_namespace)
    peer = _header(veth.peer_index, up=False) + _named(veth.peer_name, veth.peer_mac) + common + namespace
    data = nested(_INFO_DATA, attribute(_VETH_PEER, peer))
    info = nested(_INFO, string(_INFO_KIND, "veth"), data)
    body = _header(veth.index, up=veth.up) + _named(veth.name, veth.mac) + common + info
    return Request(NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def add_link(name: str, kind: str, data: bytes = b"", *, mac: str = "", mtu: int = 0, up: bool = False) -> Request:
    """The request to make an interface of any kind (``dummy``, ``vxlan`` …); ``data`` are the kind's attributes."""
    info = nested(_INFO, string(_INFO_KIND, kind), nested(_INFO_DATA, data) if data else b"")
    body = _header(0, up=up) + _named(name, mac) + (u32(_MTU, mtu) if mtu else b"") + info
    return Request(NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def set_link(
    index: int,
    *,
    up: bool | None = None,
    mac: str = "",
    mtu: int = 0,
    name: str = "",
    alias: str | None = None,
    master: int | None = None,
    namespace: int | None = None,
) -> Request:
    """The request to change what is given of a link; ``namespace`` (a file descriptor) moves it there."""
    head = HEADER.pack(0, 0, index, _IFF_UP if up else 0, 0 if up is None else _IFF_UP)
    body = head + (_named(name, mac) if name else _mac(mac)) + (u32(_MTU, mtu) if mtu else b"")
    body += b"" if alias is None else attribute(_ALIAS, alias.encode())
    body += b"" if master is None else u32(_MASTER, master)
    return Request(NEWLINK, 0, body + (b"" if namespace is None else u32(_NAMESPACE_FD, namespace)))


def delete_link(link: int | str) -> Request:
    """The request to delete a link, by index or name (a veth's other end goes too); ENODEV if it is not there."""
    if isinstance(link, int):
        return Request(DELLINK, 0, HEADER.pack(0, 0, link, 0, 0))
    return Request(DELLINK, 0, HEADER.pack(0, 0, 0, 0, 0) + string(_NAME, link))


def get_link(link: int | str) -> Request:
    """The request for one link, by index or name."""
    return Request(GETLINK, 0, delete_link(link).body)


def decode_link(body: bytes) -> Link:
    """The link that a message's body describes."""
    _, _, index, flags, _ = HEADER.unpack_from(body)
    attributes = parse(body, HEADER.size)
    peer_namespace = attributes.get(_PEER_NAMESPACE)
    return Link(
        index,
        text_of(attributes.get(_NAME, b"")),
        text_of(parse(attributes.get(_INFO, b"")).get(_INFO_KIND, b"")),
        attributes.get(_MAC, b"").hex(":"),
        _number(attributes.get(_MTU)),
        bool(flags & _IFF_UP),
        bool(flags & _IFF_RUNNING),
        _STATES[attributes.get(_OPERSTATE, b"\0")[0]],
        _number(attributes.get(_PEER)),
        None if peer_namespace is None else _S32.unpack(peer_namespace)[0],
        _number(attributes.get(_MASTER)),
        text_of(attributes.get(_ALIAS, b"")),
    )


def _number(value: bytes | None) -> int:
    return _U32.unpack(value)[0] if value else 0


def _header(index: int, *, up: bool) -> bytes:
    return HEADER.pack(0, 0, index, _IFF_UP * up, _IFF_UP * up)


def _named(name: str, mac: str) -> bytes:
    if not 0 < len(name.encode()) <= _NAME_MAXIMUM:
        raise ValueError(f"{name!r} is not an interface name: it must have 1 to {_NAME_MAXIMUM} bytes")
    return string(_NAME, name) + _mac(mac)


def _mac(mac: str) -> bytes:
    return attribute(_MAC, bytes.fromhex(mac.replace(":", ""))) if mac else b""
