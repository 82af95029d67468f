# SPDX-License-Identifier: Apache-2.0
"""A host in a private namespace with two workloads and an outside, and packets of any kind sent over the wires.

Frames are written to the far ends of the cables, so that a source may be forged; what arrives is read at the far ends,
and for the host itself by raw sockets, which stand behind the input hook.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path

from percale.netlink import namespace
from percale.netlink.rtnetlink.addresses import Address, add_address
from percale.netlink.rtnetlink.connection import RouteSocket
from percale.netlink.rtnetlink.links import Veth, add_veth, set_link
from percale.netlink.rtnetlink.neighbors import Neighbor, replace_neighbor
from percale.netlink.rtnetlink.routes import Route, add_route

HOST, HOST6 = "192.0.2.2", "2001:db8::2"
GATEWAY, GATEWAY6 = "192.0.2.1", "2001:db8::1"
OUTSIDE = "eth0"
_EVERY_FRAME = 3  # ETH_P_ALL (linux/if_ether.h)
_ETHERTYPES = {False: b"\x08\x00", True: b"\x86\xdd"}
_PROTOCOLS = (1, 4, 6, 17, 58, 132)
_HEADER_LENGTH = 14
_TOKEN_LENGTH = 8


def far_mac(interface):
    """The MAC of a cable's far end."""
    return f"02:00:00:00:00:{sum(interface.encode()) % 256:02x}"


class Wire:
    """The private host of the calling thread, cabled to ``calia``, ``calib`` and an outside behind ``eth0``."""

    def __init__(self, netns):
        self._stack = ExitStack()
        self._far = {}
        self._near_mac = {}
        self._host_sockets = []
        self._tokens = 0
        with RouteSocket() as routes:
            for interface in ("calia", "calib", OUTSIDE):
                self._connect(netns, routes, interface)
            self._address(routes)
        self._settle_sysctls()
        for protocol in _PROTOCOLS:
            for family in (socket.AF_INET, socket.AF_INET6):
                receiver = self._stack.enter_context(socket.socket(family, socket.SOCK_RAW, protocol))
                receiver.setblocking(False)
                self._host_sockets.append(receiver)

    def close(self):
        self._stack.close()

    def links(self):
        """The links of the host."""
        with RouteSocket() as routes:
            return routes.links()

    def arrivals(self, packets, expected, deadline_s=2.0, quiet_s=0.05):
        """Send packets and return the place where each came out: an interface, ``""`` for the host, or None.

        ``expected`` are the positions of packets that should arrive: they are waited for, the others for ``quiet_s``.
        """
        frames = {}
        for position, packet in enumerate(packets):
            self._tokens += 1
            token = struct.pack(">Q", 0xC0FFEE << 32 | self._tokens)
            frames[token] = position, datagram(packet, token)
        for packet, (_, payload) in zip(packets, frames.values(), strict=True):
            kind = _ETHERTYPES[packet.is_ipv6]
            head = _mac(self._near_mac[packet.iif]) + _mac(far_mac(packet.iif)) + kind
            self._far[packet.iif].send(head + payload)
        found = {}
        waiting = set(expected)
        deadline = time.monotonic() + deadline_s
        while waiting and time.monotonic() < deadline:
            self._read(frames, found)
            waiting -= found.keys()
        quiet_until = time.monotonic() + quiet_s
        while time.monotonic() < quiet_until:
            self._read(frames, found)
        return [found.get(position) for position in range(len(packets))]

    def _connect(self, netns, routes, interface):
        other = netns.other()
        veth = Veth(interface, "eth0", peer_mac=far_mac(interface), peer_namespace=other, up=True)
        routes.perform(add_veth(veth))
        self._near_mac[interface] = routes.link(interface).mac

        def listen():
            with RouteSocket() as far_routes:
                far_routes.perform(set_link(far_routes.link("eth0").index, up=True))
            far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_FRAME))
            far.bind(("eth0", _EVERY_FRAME))
            far.setblocking(False)
            return far

        self._far[interface] = self._stack.enter_context(namespace.in_namespace(other, listen))
        while not routes.link(interface).operational:  # the kernel notices the carrier a moment later
            time.sleep(0.01)

    def _address(self, routes):
        routes.perform(set_link(1, up=True))
        index = routes.link(OUTSIDE).index
        for address, gateway, everything in (
            (f"{HOST}/24", GATEWAY, "0.0.0.0/0"),
            (f"{HOST6}/64", GATEWAY6, "::/0"),
        ):
            routes.perform(add_address(Address(index, address, no_dad=True)))
            routes.perform(replace_neighbor(Neighbor(index, gateway, far_mac(OUTSIDE))))
            routes.perform(add_route(Route(everything, index, gateway=gateway)))
        for number, interface in enumerate(("calia", "calib"), start=1):
            link = routes.link(interface)
            routes.perform(replace_neighbor(Neighbor(link.index, f"fd65::{number}", far_mac(interface))))

    def _settle_sysctls(self):
        # Only our rules shall decide: no other source check, no messages about routes.
        for path in ("conf/all/rp_filter", "conf/default/rp_filter", "conf/eth0/rp_filter"):
            _write(f"ipv4/{path}", "0")
        for interface in ("all", "calia", "calib", "eth0"):
            _write(f"ipv4/conf/{interface}/send_redirects", "0")
        # SCTP's checksum is a CRC that these packets do not bother with.
        _write("netfilter/nf_conntrack_checksum", "0")

    def _read(self, frames, found):
        for interface, far in self._far.items():
            for frame in _pending(far):
                self._note(frames, found, frame[_HEADER_LENGTH:], interface)
        for receiver in self._host_sockets:
            for data in _pending(receiver):
                token = data[-_TOKEN_LENGTH:]
                if token in frames:
                    found[frames[token][0]] = ""

    @staticmethod
    def _note(frames, found, payload, interface):
        token = payload[-_TOKEN_LENGTH:]
        if token in frames:
            position, sent = frames[token]
            # An ICMP error would carry the token too, behind its own header.
            if len(payload) == len(sent):
                found[position] = interface


def datagram(packet, token):
    """The packet as bytes, with ``token`` at its end and true checksums."""
    body = _transport(packet, token)
    head = bytearray(packet.network_header())
    if packet.is_ipv6:
        head[4:6] = struct.pack(">H", len(body))
        return bytes(head) + body
    head[2:4] = struct.pack(">H", len(head) + len(body))
    head[10:12] = struct.pack(">H", _checksum(bytes(head)))
    return bytes(head) + body


def _transport(packet, token):
    ports = struct.pack(">HH", packet.source_port, packet.destination_port)
    match packet.protocol:
        case 6:
            return _summed(packet, ports + struct.pack(">IIBBHHH", 1, 0, 5 << 4, 2, 1024, 0, 0) + token, 16)
        case 17:
            return _summed(packet, ports + struct.pack(">HH", 8 + len(token), 0) + token, 6)
        case 1:
            return _summed(packet, bytes((packet.icmp_type, packet.icmp_code, 0, 0)) + token[:4] + token, 2, bare=True)
        case 58:
            # Long enough for neighbor solicitations, whose target follows the reserved field.
            return _summed(packet, bytes((packet.icmp_type, packet.icmp_code, 0, 0)) + token[:4] * 5 + token, 2)
        case 132:
            # An INIT chunk; nobody checks its CRC on the way.
            return ports + struct.pack(">II", 0, 0) + struct.pack(">BBHIIHHI", 1, 0, 28, 1, 1500, 1, 1, 1) + token
    return ports + token


def _summed(packet, body, offset, bare=False):
    pseudo = b"" if bare else packet.source_bytes + packet.destination_bytes
    pseudo += b"" if bare else struct.pack(">II", len(body), packet.protocol)
    return body[:offset] + struct.pack(">H", _checksum(pseudo + body)) + body[offset + 2 :]


def _checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))


def _pending(receiver):
    while True:
        try:
            yield receiver.recv(2048)
        except BlockingIOError:
            return


def _write(path, value):
    Path("/proc/sys/net", path).write_text(value)
