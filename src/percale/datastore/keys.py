# SPDX-License-Identifier: Apache-2.0
"""Calico's keys: where each object lies, and what a key means (spec/storage-etcd.md sections 1 and 5).

Resources have a :class:`percale.resources.Key`; the internal objects have a named tuple each, with its ``path``.
``parse`` turns a path back into either, or None for what is not Calico's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

from percale.datastore.keyvalue import prefix_end
from percale.resources.kinds import KINDS
from percale.resources.resource import Key
from percale.resources.wep_names import WorkloadEndpointKey

__all__ = [
    "CALICO",
    "HANDLES",
    "IPAM_CONFIG",
    "READY_FLAG",
    "RESOURCES",
    "AffinityKey",
    "BlockKey",
    "EndpointStatusKey",
    "HandleKey",
    "HostEndpointStatusKey",
    "InternalKey",
    "KeyRange",
    "ReadyFlagKey",
    "StatusReportKey",
    "affinity_range",
    "block_range",
    "endpoint_status_range",
    "ipam_host",
    "parse",
    "parse_affinity",
    "parse_resource",
    "region_segment",
    "resource_path",
    "resource_range",
]

CALICO = "/calico/"
RESOURCES = "/calico/resources/v3/projectcalico.org/"
READY_FLAG = "/calico/v1/Ready"
_IPAM = "/calico/ipam/v2/"
_FELIX = "/calico/felix/v2/"
IPAM_CONFIG = f"{_IPAM}config"
HANDLES = f"{_IPAM}handle/"

# The parser of the reference knows these too; no client writes them into etcd.
_PSEUDO_KINDS = {
    "ipamconfigs": ("IPAMConfig", False),
    "kubernetesservice": ("KubernetesService", True),
    "kubernetesnetworkpolicies": ("KubernetesNetworkPolicy", True),
    "kubernetesclusternetworkpolicies": ("KubernetesClusterNetworkPolicy", False),
    "kubernetesendpointslices": ("KubernetesEndpointSlice", True),
}
_BY_PLURAL = {info.plural: (info.kind, info.namespaced) for info in KINDS.values()} | _PSEUDO_KINDS
_PLURALS = {kind.lower(): plural for plural, (kind, _) in _BY_PLURAL.items()}


class KeyRange(NamedTuple):
    """One key (``end`` empty), or all from ``start`` on before ``end``."""

    start: str
    end: str = ""

    @classmethod
    def prefix(cls, prefix: str) -> KeyRange:
        """Return the range of all keys that begin so."""
        return cls(prefix, prefix_end(prefix))


# Resources


def resource_path(key: Key) -> str:
    """Return the key of a resource, names unescaped; raises ValueError for a kind that does not exist."""
    return _folder(key.kind, key.namespace) + key.name


def resource_range(kind: str, *, namespace: str = "", name: str = "", prefix: bool = False) -> KeyRange:
    """Return what has to be read to list resources; a name without its namespace is left to the reader to compare."""
    namespaced = _is_namespaced(kind)
    if not name or (namespaced and not namespace):
        return KeyRange.prefix(_folder(kind, namespace if namespaced else ""))
    path = _folder(kind, namespace) + name
    return KeyRange.prefix(path) if prefix else KeyRange(path)


def parse_resource(path: str) -> Key | None:
    """Return the resource that a key names, or None if it is not the key of one."""
    folder, _, name = path.rpartition("/")
    place = _place(folder)
    if place is None or not name:
        return None
    kind, namespace = place
    return Key(kind, namespace, _unescaped(name) if "%" in name else name)


@lru_cache(maxsize=4096)
def _place(folder: str) -> tuple[str, str] | None:
    """The kind and namespace of the resources whose keys are in a folder, None if it is not theirs."""
    if not folder.startswith(RESOURCES):
        return None
    plural, slash, namespace = folder[len(RESOURCES) :].partition("/")
    kind, namespaced = _BY_PLURAL.get(plural, ("", False))
    if not kind or bool(slash) != namespaced or bool(namespace) != namespaced or "/" in namespace:
        return None
    return kind, _unescaped(namespace)


@cache
def _folder(kind: str, namespace: str) -> str:
    plural = _PLURALS.get(kind.lower())
    if plural is None:
        raise ValueError(f"there is no kind {kind!r}")
    folder = f"{RESOURCES}{plural}/"
    return f"{folder}{namespace}/" if namespace and _is_namespaced(kind) else folder


@cache
def _is_namespaced(kind: str) -> bool:
    # Recorded: a kind in other letters than its own is found, but then counts as global.
    return (kind, True) in _BY_PLURAL.values()


# IPAM


class BlockKey(NamedTuple):
    """An IPAM block; its path masks the CIDR."""

    cidr: str

    @property
    def path(self) -> str:
        """The key of the block."""
        version, segment = _network_segments(_given("cidr", self.cidr))
        return f"{_IPAM}assignment/{version}/block/{segment}"


class AffinityKey(NamedTuple):
    """A block's affinity to a host, or to a virtual owner."""

    cidr: str
    host: str
    type: str = "host"

    @property
    def path(self) -> str:
        """The key of the affinity."""
        version, segment = _network_segments(_given("cidr", self.cidr))
        return f"{_IPAM}{self.type or 'host'}/{_given('host', self.host)}/{version}/block/{segment}"


class HandleKey(NamedTuple):
    """All addresses of one owner."""

    handle: str

    @property
    def path(self) -> str:
        """The key of the handle."""
        return HANDLES + _given("handle", self.handle)


def ipam_host(host: str) -> str:
    """Return the key that marks a host as known to IPAM."""
    return f"{_IPAM}host/{_given('host', host)}"


def block_range(version: int = 0) -> KeyRange:
    """Return the range of all blocks, or of those of one IP version."""
    return KeyRange.prefix(f"{_IPAM}assignment/" + (f"ipv{version}/" if version else ""))


def affinity_range(type: str = "host", host: str = "", version: int = 0) -> KeyRange:  # noqa: A002
    """Return the range of affinities of a type, of a host, of a host's one IP version (a version needs the host)."""
    path = f"{_IPAM}{type or 'host'}/"
    if host:
        path += f"{host}/" + (f"ipv{version}/block/" if version else "")
    return KeyRange.prefix(path)


# Status


class StatusReportKey(NamedTuple):
    """What an agent tells of itself: the live report, or the last one."""

    host: str
    region: str = ""
    last: bool = False

    @property
    def path(self) -> str:
        """The key of the report."""
        name = "last_reported_status" if self.last else "status"
        return f"{_FELIX}{region_segment(self.region)}/host/{_given('host', self.host)}/{name}"


class EndpointStatusKey(NamedTuple):
    """Whether a workload endpoint is up."""

    host: str
    orchestrator: str
    workload: str
    endpoint: str
    region: str = ""

    @property
    def path(self) -> str:
        """The key of the status."""
        host, *parts = (_given(name, getattr(self, name)) for name in self._fields[:4])
        orchestrator, workload, endpoint = map(_escaped, parts)
        region = region_segment(self.region)
        return f"{_FELIX}{region}/host/{host}/workload/{orchestrator}/{workload}/endpoint/{endpoint}"


class HostEndpointStatusKey(NamedTuple):
    """Whether a host endpoint is up."""

    host: str
    name: str

    @property
    def path(self) -> str:
        """The key of the status."""
        return f"/calico/felix/v1/host/{_given('host', self.host)}/endpoint/{_escaped(_given('name', self.name))}"


class ReadyFlagKey(NamedTuple):
    """The obsolete flag that the datastore is ready."""

    @property
    def path(self) -> str:
        """The key of the flag."""
        return READY_FLAG


InternalKey = (
    BlockKey
    | AffinityKey
    | HandleKey
    | StatusReportKey
    | EndpointStatusKey
    | HostEndpointStatusKey
    | ReadyFlagKey
    | WorkloadEndpointKey
)


def region_segment(region: str) -> str:
    """Return how an OpenStack region appears in keys; raises ValueError for a region with a slash."""
    if "/" in region:
        raise ValueError(f"{region!r} is not a region: it must not contain '/'")
    return f"region-{region}" if region else "no-region"


def endpoint_status_range(
    region: str | None = None, host: str = "", orchestrator: str = "", workload: str = "", endpoint: str = ""
) -> KeyRange:
    """Return the range of endpoint statuses; the first identifier left out ends it (None: all regions)."""
    if region is None:
        return KeyRange.prefix(_FELIX)
    path = f"{_FELIX}{region_segment(region)}/host/"
    parts = (host, "/workload/"), (_escaped(orchestrator), "/"), (_escaped(workload), "/endpoint/")
    for value, following in parts:
        if not value:
            return KeyRange.prefix(path)
        path += value + following
    return KeyRange(path + _escaped(endpoint)) if endpoint else KeyRange.prefix(path)


# Reading any key


def parse(path: str) -> Key | InternalKey | None:
    """Return what a key names, or None if it is not one that Calico's parser knows."""
    if path.startswith(RESOURCES):
        return parse_resource(path)
    head, *segments = path.split("/")
    if head:
        return None
    for pattern, make in _PATTERNS:
        if len(pattern) == len(segments) and all(p in ("*", s) for p, s in zip(pattern, segments, strict=True)):
            return make(*(s for p, s in zip(pattern, segments, strict=True) if p == "*"))
    return None


def parse_affinity(path: str) -> AffinityKey | None:
    """Return the affinity of any owner type that a key names; ``parse`` knows only those of hosts."""
    segments = path.removeprefix(_IPAM).split("/")
    if len(segments) != 5 or segments[0] not in ("host", "virtual", "@") or segments[3] != "block":
        return None
    return _affinity(segments[1], segments[2], segments[4], segments[0])


def _block(version: str, segment: str) -> BlockKey | None:
    cidr = _cidr(version, segment)
    return BlockKey(cidr) if cidr else None


def _affinity(host: str, version: str, segment: str, type_: str = "host") -> AffinityKey | None:
    cidr = _cidr(version, segment)
    return AffinityKey(cidr, host, type_) if cidr else None


def _report(region: str, host: str, *, last: bool = False) -> StatusReportKey:
    return StatusReportKey(host, _region(region), last)


def _last_report(region: str, host: str) -> StatusReportKey:
    return _report(region, host, last=True)


def _endpoint_status(region: str, host: str, *parts: str) -> EndpointStatusKey:
    return EndpointStatusKey(host, *map(_unescaped, parts), region=_region(region))  # type: ignore[misc]


def _workload_endpoint(host: str, *parts: str) -> WorkloadEndpointKey:
    return WorkloadEndpointKey(host, *map(_unescaped, parts))


_PATTERNS: tuple[tuple[list[str], Callable[..., InternalKey | None]], ...] = tuple(
    (pattern.split(), make)
    for pattern, make in (
        ("calico ipam v2 assignment * block *", _block),
        ("calico ipam v2 host * * block *", _affinity),
        ("calico ipam v2 handle *", HandleKey),
        ("calico felix v2 * host * status", _report),
        ("calico felix v2 * host * last_reported_status", _last_report),
        ("calico felix v2 * host * workload * * endpoint *", _endpoint_status),
        ("calico felix v1 host * endpoint *", lambda host, name: HostEndpointStatusKey(host, _unescaped(name))),
        ("calico v1 host * workload * * endpoint *", _workload_endpoint),
        ("calico v1 Ready", ReadyFlagKey),
    )
)


def _given(what: str, value: str) -> str:
    if not value:
        raise ValueError(f"insufficient identifiers, missing '{what}'")
    return value


def _region(segment: str) -> str:
    return segment.removeprefix("region-") if segment != "no-region" else ""


def _network_segments(cidr: str) -> tuple[str, str]:
    from ipaddress import ip_network  # only IPAM pays for it

    network = ip_network(cidr, strict=False)
    return f"ipv{network.version}", str(network).replace("/", "-")


def _cidr(version: str, segment: str) -> str | None:
    try:
        found, canonical = _network_segments(segment.replace("-", "/"))
    except ValueError:
        return None
    return canonical.replace("-", "/") if version == found else None


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("/", "%2f")


def _unescaped(value: str) -> str:
    return value.replace("%2F", "/").replace("%2f", "/").replace("%25", "%")
