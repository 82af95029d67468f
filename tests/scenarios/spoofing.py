# SPDX-License-Identifier: Apache-2.0
"""Pings with a forged source address, made by hand and counted at the receiver."""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
import zlib

from percale.lab.world import PrivateNamespace

_ECHO = {4: (8, socket.IPPROTO_ICMP), 6: (128, socket.IPPROTO_ICMPV6)}
_IPV6_HDRINCL = 36  # linux/in6.h
_COPIES = 5


def arrived(
    source: PrivateNamespace, destination: PrivateNamespace, forged: dict[str, str], address: str
) -> dict[str, int]:
    """Send five pings to ``address`` for each forged source (by a name for the reader) and count those that arrive."""
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with (
        destination.place.open_socket(family, socket.SOCK_RAW, _ECHO[version][1]) as receiver,
        source.place.open_socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender,
    ):
        if version == 6:
            sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
        for name, forged_source in forged.items():
            for copy in range(_COPIES):
                sender.sendto(_packet(version, forged_source, address, _token(name), copy), (address, 0))
        return _counted(receiver, forged)


def _counted(receiver: socket.socket, forged: dict[str, str]) -> dict[str, int]:
    names = {_token(name): name for name in forged}
    seen: dict[str, set[int]] = {name: set() for name in forged}
    limit = time.monotonic() + 0.5
    while (left := limit - time.monotonic()) > 0:
        receiver.settimeout(left)
        try:
            packet = receiver.recv(256)
        except TimeoutError:
            break
        # A raw IPv4 socket hands over the IP header too, a raw IPv6 socket does not (raw(7), ipv6(7)).
        body = packet[(packet[0] & 15) * 4 :] if receiver.family == socket.AF_INET else packet
        token, copy = struct.unpack("!II", body[8:16])
        if body[0] in (8, 128) and token in names:
            seen[names[token]].add(copy)
    return {name: len(copies) for name, copies in seen.items()}


def _token(name: str) -> int:
    return zlib.crc32(name.encode())


def _packet(version: int, source: str, destination: str, token: int, copy: int) -> bytes:
    """An IP packet with an echo request (RFC 792, RFC 4443): the token and the copy's number follow its header."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    echo = struct.pack("!BBHHHII", _ECHO[version][0], 0, 0, token & 0xFFFF, copy, token, copy)
    if version == 4:
        echo = _summed(echo, b"")
        # The kernel fills in the header's checksum (raw(7)).
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(echo), 0, 0, 64, socket.IPPROTO_ICMP, 0) + ends + echo
    echo = _summed(echo, ends + struct.pack("!II", len(echo), socket.IPPROTO_ICMPV6))
    return struct.pack("!IHBB", 6 << 28, len(echo), socket.IPPROTO_ICMPV6, 64) + ends + echo


def _summed(echo: bytes, pseudo_header: bytes) -> bytes:
    """The message with the internet checksum (RFC 1071) in its place."""
    covered = pseudo_header + echo
    total = sum(struct.unpack(f"!{len(covered) // 2}H", covered))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return echo[:2] + struct.pack("!H", ~total & 0xFFFF) + echo[4:]
