# SPDX-License-Identifier: Apache-2.0
"""The one place where Python's spelling of a field meets Calico's (``ip_networks`` and ``ipNetworks``)."""

from __future__ import annotations

from functools import cache

__all__ = ["member_name", "wire_name"]

# How one part of a name is written when it does not simply take a capital letter.
_INITIALISMS = """
    AS AWS BGP BPF CA CIDR CIDRs CTLB DNAT DSCP DSR GC GRO GUID HTTP ICMP ID IP IPIP IPs IPv4 IPv6 JIT MAC MB MTU NAT
    NATs NFTables PSNAT RPF TTL VM VNI VXLAN XDP
"""
_PARTS = {part.lower(): part for part in _INITIALISMS.split()}


@cache
def wire_name(name: str) -> str:
    """Return the JSON member name of a Python field name (spec/resources.md): ``pre_dnat`` is ``preDNAT``."""
    first, *rest = name.split("_")
    return first + "".join(map(_written, rest))


@cache
def member_name(name: str) -> str:
    """Return the name by which Calico's errors cite a field (spec/validation.md section 2): ``IPNetworks``."""
    return "".join(map(_written, name.split("_")))


def _written(part: str) -> str:
    return _PARTS.get(part) or part[:1].upper() + part[1:]
