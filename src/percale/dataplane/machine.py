# SPDX-License-Identifier: Apache-2.0
"""nf_tables' virtual machine: runs the expressions of a table's rules over one packet.

A rule runs its expressions in order; one that does not match ends the rule. ``jump`` comes back, ``goto`` does not,
``return`` and a chain's end go back to the caller, ``accept`` ends the base chain, ``drop`` ends the packet.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from percale.dataplane.memory_nftables import MemoryTable
from percale.dataplane.packet import Hook, Packet
from percale.netlink.nftables.datatypes import IFNAME
from percale.netlink.nftables.expressions import (
    DROP,
    VERDICT_REGISTER,
    Bitwise,
    Cmp,
    Counter,
    Ct,
    Expression,
    Fib,
    Immediate,
    Log,
    Lookup,
    Masquerade,
    Meta,
    Nat,
    Payload,
    Range,
    Reject,
    Verdict,
    register_offset,
)
from percale.netlink.nftables.objects import Chain, Rule

__all__ = ["Machine", "RouteLookup", "Step"]

_REGISTER_FILE = 64
_NFPROTO = {False: b"\x02", True: b"\x0a"}


class Step(NamedTuple):
    """A rule that matched and did something: where, and what came of it."""

    hook: Hook
    chain: str
    position: int
    rule: Rule
    outcome: str

    def __str__(self) -> str:
        comment = f"  # {self.rule.comment}" if self.rule.comment else ""
        return f"{self.hook} {self.chain}[{self.position}] {self.outcome}{comment}"


class RouteLookup(Protocol):
    """The routing table of an imaginary host."""

    def interface_towards(self, address: bytes) -> str:
        """The name of the interface over which the address is reached, empty without a route."""
        ...

    def index_of(self, interface: str) -> int:
        """The index of the interface, 0 if there is none."""
        ...


class _NoMatch(Exception):
    """An expression ended its rule."""


@dataclass(slots=True)
class _State:
    registers: bytearray
    packet: Packet
    verdict: Verdict | None = None
    outcome: str = ""

    def read(self, number: int, length: int) -> bytes:
        offset = register_offset(number)
        return bytes(self.registers[offset : offset + length])

    def write(self, number: int, data: bytes) -> None:
        offset = register_offset(number)
        room = (len(data) + 3) & ~3
        self.registers[offset : offset + room] = data.ljust(room, b"\0")


class Machine:
    """Runs base chains of one table at one hook; ``steps`` collects what matched."""

    def __init__(self, content: MemoryTable, routes: RouteLookup, hook: Hook, steps: list[Step]) -> None:
        self._content, self._routes, self._hook, self._steps = content, routes, hook, steps
        self._handlers: dict[type, Callable[[Any, _State], None]] = {
            Payload: self._payload,
            Meta: self._meta,
            Ct: self._ct,
            Cmp: self._cmp,
            Range: self._range,
            Bitwise: self._bitwise,
            Lookup: self._lookup,
            Immediate: lambda one, state: state.write(one.register, one.data),
            Verdict: self._verdict,
            Fib: self._fib,
            Reject: self._reject,
            Masquerade: self._masquerade,
            Nat: self._nat,
            Log: self._log,
            Counter: lambda one, state: None,
        }

    def run(self, chain: Chain, packet: Packet) -> bool:
        """Whether the packet survives the base chain."""
        verdict = self._chain(chain.name, packet)
        if verdict is None:
            return chain.policy == "accept"
        return verdict.code == "accept"

    def _chain(self, name: str, packet: Packet) -> Verdict | None:
        """The final verdict of a chain and of those it leads to, or None if they come to their end."""
        for index, rule in enumerate(self._content.rules[name]):
            verdict = self._rule(name, index, rule, packet)
            if verdict is None or verdict.code == "continue":
                continue
            if verdict.code == "return":
                return None
            if verdict.code in ("accept", "drop"):
                return verdict
            final = self._chain(verdict.chain, packet)
            if final is not None or verdict.code == "goto":
                return final
        return None

    def _rule(self, name: str, index: int, rule: Rule, packet: Packet) -> Verdict | None:
        state = _State(bytearray(_REGISTER_FILE), packet)
        try:
            for expression in rule.expressions:
                self._run(expression, state)
                if state.verdict is not None:
                    break
        except _NoMatch:
            return None
        outcome = state.outcome or (str(state.verdict) if state.verdict else "")
        if outcome:
            self._steps.append(Step(self._hook, name, index, rule, outcome))
        return state.verdict

    def _run(self, expression: Expression, state: _State) -> None:
        handler = self._handlers.get(type(expression))
        if handler is None:
            raise ValueError(f"{expression} is not modelled in memory")
        handler(expression, state)

    def _payload(self, one: Payload, state: _State) -> None:
        packet = state.packet
        header = packet.network_header() if one.base == "network" else packet.transport_header()
        data = header[one.offset : one.offset + one.length]
        if one.base == "link" or len(data) < one.length:
            raise _NoMatch
        state.write(one.register, data)

    def _meta(self, one: Meta, state: _State) -> None:
        state.write(one.register, _META[one.key](state.packet))

    def _ct(self, one: Ct, state: _State) -> None:
        if one.key != "state":
            raise ValueError(f"{one} is not modelled in memory")
        state.write(one.register, state.packet.ct_bit.to_bytes(4, sys.byteorder))

    def _cmp(self, one: Cmp, state: _State) -> None:
        compare = getattr(operator, _OPERATORS[one.op])
        if not compare(state.read(one.register, len(one.data)), one.data):
            raise _NoMatch

    def _range(self, one: Range, state: _State) -> None:
        inside = one.low <= state.read(one.register, len(one.low)) <= one.high
        if inside != (one.op == "eq"):
            raise _NoMatch

    def _bitwise(self, one: Bitwise, state: _State) -> None:
        data = state.read(one.source, len(one.mask))
        mixed = bytes(byte & mask ^ xor for byte, mask, xor in zip(data, one.mask, one.xor, strict=True))
        state.write(one.destination, mixed)

    def _lookup(self, one: Lookup, state: _State) -> None:
        members = self._content.sets[one.set_name]
        found = members.find(state.read(one.register, members.item.key_length))
        if (found is not None) == one.invert:
            raise _NoMatch
        if found is None or one.destination is None:
            return
        if one.destination == VERDICT_REGISTER:
            assert isinstance(found.data, Verdict)
            state.verdict = found.data
        else:
            assert isinstance(found.data, bytes)
            state.write(one.destination, found.data)

    def _verdict(self, one: Verdict, state: _State) -> None:
        state.verdict = one

    def _fib(self, one: Fib, state: _State) -> None:
        packet = state.packet
        asks_source, same_interface = "saddr" in one.flags, "iif" in one.flags
        if one.result != "oif" or one.present:
            raise ValueError(f"{one} is not modelled in memory")
        if asks_source and _is_unspecified(packet):
            interface = packet.iif
        else:
            address = packet.source_bytes if asks_source else packet.destination_bytes
            interface = self._routes.interface_towards(address)
        if same_interface and interface != packet.iif:
            interface = ""
        state.write(one.register, self._routes.index_of(interface).to_bytes(4, sys.byteorder))

    def _reject(self, one: Reject, state: _State) -> None:
        state.verdict, state.outcome = DROP, f"reject {one.kind} {one.code}"

    def _masquerade(self, one: Masquerade, state: _State) -> None:
        state.verdict, state.outcome = Verdict("accept"), "masquerade"

    def _nat(self, one: Nat, state: _State) -> None:
        address = state.read(one.address_min or 1, 16 if one.family == "ip6" else 4)
        state.verdict, state.outcome = Verdict("accept"), f"{one.kind} {address.hex()}"

    def _log(self, one: Log, state: _State) -> None:
        state.outcome = f"log {one.prefix}"


_OPERATORS = {"eq": "eq", "neq": "ne", "lt": "lt", "lte": "le", "gt": "gt", "gte": "ge"}

_META: dict[str, Callable[[Packet], bytes]] = {
    "nfproto": lambda packet: _NFPROTO[packet.is_ipv6],
    "l4proto": lambda packet: bytes((packet.protocol,)),
    "mark": lambda packet: packet.mark.to_bytes(4, sys.byteorder),
    "iifname": lambda packet: _interface(packet.iif),
    "oifname": lambda packet: _interface(packet.oif),
}


def _interface(name: str) -> bytes:
    return IFNAME.encode(name) if name else bytes(IFNAME.size)


def _is_unspecified(packet: Packet) -> bool:
    """Whether the kernel lets an unspecified source pass: DHCP and duplicate address detection have no address yet."""
    if any(packet.source_bytes):
        return False
    first = packet.destination_bytes[0]
    if packet.is_ipv6:
        return packet.protocol == 58 and (first == 0xFF or packet.destination_bytes[:2] == b"\xfe\x80")
    return packet.destination == "255.255.255.255" or packet.destination.startswith("224.0.0.")
