# SPDX-License-Identifier: Apache-2.0
"""Where IPAM's records lie in Calico's layout (spec/ipam.md section 2, spec/storage-etcd.md section 5)."""

from __future__ import annotations

from percale.ipam.networks import Network, parse_network

__all__ = [
    "CONFIG",
    "HOSTS",
    "POOLS",
    "RESERVATIONS",
    "affinities",
    "affinity",
    "block",
    "blocks",
    "handle",
    "host_marker",
    "node",
    "parse_affinity",
    "parse_block",
]

_ROOT = "/calico/ipam/v2/"
_RESOURCES = "/calico/resources/v3/projectcalico.org/"
CONFIG = f"{_ROOT}config"
HOSTS = f"{_ROOT}host/"
POOLS = f"{_RESOURCES}ippools/"
RESERVATIONS = f"{_RESOURCES}ipreservations/"


def block(network: Network) -> str:
    """Return the key of a block."""
    return f"{blocks(network.version)}{_segment(network)}"


def blocks(version: int | None = None) -> str:
    """Return the prefix of all blocks, or of those of one IP version."""
    return f"{_ROOT}assignment/" + (f"ipv{version}/block/" if version else "")


def affinity(owner: str, network: Network) -> str:
    """Return the key of an owner's affinity to a block; the owner is ``host:<node>`` or ``virtual:<name>``."""
    return affinities(owner, network.version) + _segment(network)


def affinities(owner: str, version: int) -> str:
    """Return the prefix of an owner's affinities of one IP version."""
    kind, _, name = owner.partition(":")
    return f"{_ROOT}{kind}/{name}/ipv{version}/block/"


def parse_affinity(key: str) -> tuple[str, Network] | None:
    """Return the owner and the block of an affinity's key, None for any other key."""
    parts = key.removeprefix(_ROOT).split("/")
    if len(parts) != 5 or parts[3] != "block":
        return None
    kind, name, version, _, segment = parts
    network = _network(version, segment)
    return (f"{kind}:{name}", network) if network is not None else None


def parse_block(key: str) -> Network | None:
    """Return the network of a block's key, None for any other key."""
    parts = key.removeprefix(f"{_ROOT}assignment/").split("/")
    return _network(parts[0], parts[2]) if len(parts) == 3 and parts[1] == "block" else None


def handle(handle_id: str) -> str:
    """Return the key of a handle."""
    return f"{_ROOT}handle/{handle_id}"


def host_marker(host: str) -> str:
    """Return the key of the obsolete marker that a host uses IPAM."""
    return f"{HOSTS}{host}"


def node(name: str) -> str:
    """Return the key of a Node resource."""
    return f"{_RESOURCES}nodes/{name}"


def _network(version: str, segment: str) -> Network | None:
    try:
        network = parse_network(segment.replace("-", "/"))
    except ValueError:
        return None
    return network if version == f"ipv{network.version}" else None


def _segment(network: Network) -> str:
    return str(network).replace("/", "-")
