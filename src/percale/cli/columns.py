# SPDX-License-Identifier: Apache-2.0
"""Which columns each kind has in tables, and what stands in their cells (spec/cli.md section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from percale.cli.go_text import go_number

__all__ = ["DEFAULT_AS_NUMBER", "LAYOUTS", "Cell", "Layout", "joined_and_cut", "layout_of"]

Cell: TypeAlias = Callable[[Any], str]
"""From a resource to the text of a cell."""

DEFAULT_AS_NUMBER = 64512
"""The AS number of a cluster that does not say it."""
_NETS_WIDTH = 80


class Layout(msgspec.Struct, frozen=True):
    """The cells of one kind by their headings; ``default`` and ``wide`` are the headings of the two tables."""

    cells: Mapping[str, Cell]
    default: tuple[str, ...]
    wide: tuple[str, ...]


def joined_and_cut(texts: Iterable[str], separator: str, width: int) -> str:
    """Return the texts joined, cut so that it is ``width`` long with the dots that say so."""
    whole = separator.join(texts)
    return whole if len(whole) <= width else whole[: max(0, width - 3)] + "..."


def layout_of(kind: str, as_number: Callable[[], int]) -> Layout:
    """Return the layout of a kind; ``as_number`` tells the cluster's AS number where a cell needs it."""
    layout = LAYOUTS[kind]
    if kind != "Node":
        return layout
    return replace(layout, cells={**layout.cells, "ASN": lambda node: _node_as_number(node, as_number)})


def _layout(default: str, wide: str = "", **cells: Cell) -> Layout:
    # The keyword arguments are the headings in lower case; every kind has a name, namespaced ones a namespace.
    headed = {name.upper(): cell for name, cell in cells.items()}
    return Layout({"NAME": _name, **headed}, tuple(default.split()), tuple((wide or default).split()))


def _namespaced(layout: Layout) -> Layout:
    return replace(layout, cells={**layout.cells, "NAMESPACE": _namespace})


_name: Cell = attrgetter("metadata.name")
_namespace: Cell = attrgetter("metadata.namespace")


def _text(value: Any) -> str:
    """An optional value as Go's templates print it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_number(value) if isinstance(value, int | float) else str(value)


def _or_dash(value: Any) -> str:
    return "-" if value is None else _text(value)


def _comma(texts: Iterable[str]) -> str:
    return ",".join(texts)


def _labels(labels: Mapping[str, str]) -> str:
    return _comma(f"{key}={value}" for key, value in sorted(labels.items()))


def _nets(nets: Iterable[str]) -> str:
    return joined_and_cut(nets, ",", _NETS_WIDTH)


def _pod_selector(selector: Any) -> str:
    """A Kubernetes selector in the words of kubectl."""
    if selector is None:
        return ""
    needs = [f"{each.key} {_OPERATORS.get(each.operator, each.operator)}" for each in selector.match_expressions]
    values = [f" ({_comma(each.values)})" if each.values else "" for each in selector.match_expressions]
    equal = _labels(selector.match_labels)
    return _comma([*([equal] if equal else []), *(need + value for need, value in zip(needs, values, strict=True))])


def _node_as_number(node: Any, cluster_as_number: Callable[[], int]) -> str:
    if node.spec.bgp is None:
        return ""
    return f"({cluster_as_number()})" if node.spec.bgp.as_number is None else str(node.spec.bgp.as_number)


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "does not exist"}

_POLICY = _layout(
    "NAME TIER",
    "NAME TIER ORDER SELECTOR",
    tier=lambda r: r.spec.tier,
    order=lambda r: _text(r.spec.order),
    selector=lambda r: r.spec.selector,
)
_NETWORK_SET = _layout("NAME", "NAME NETS", nets=lambda r: _nets(r.spec.nets))
_NAME_ONLY = _layout("NAME")


LAYOUTS: Mapping[str, Layout] = {
    "WorkloadEndpoint": _namespaced(
        _layout(
            "WORKLOAD NODE NETWORKS INTERFACE",
            "NAME WORKLOAD NODE NETWORKS INTERFACE PROFILES NATS",
            workload=lambda r: r.spec.workload or r.spec.pod,
            node=attrgetter("spec.node"),
            networks=lambda r: ",".join(r.spec.ip_networks),
            interface=attrgetter("spec.interface_name"),
            profiles=lambda r: _comma(r.spec.profiles),
            nats=lambda r: _comma(f"{nat.external_ip}->{nat.internal_ip}" for nat in r.spec.ip_nats),
            orchestrator=lambda r: r.spec.orchestrator,
        )
    ),
    "NetworkPolicy": _namespaced(_POLICY),
    "GlobalNetworkPolicy": _POLICY,
    "StagedNetworkPolicy": _namespaced(_POLICY),
    "StagedGlobalNetworkPolicy": _POLICY,
    "StagedKubernetesNetworkPolicy": _namespaced(
        _layout("NAME", "NAME PODSELECTOR", podselector=lambda r: _pod_selector(r.spec.pod_selector))
    ),
    "Tier": _layout("NAME ORDER", order=lambda r: _text(r.spec.order)),
    "Profile": _layout("NAME", "NAME LABELS", labels=lambda r: _labels(r.spec.labels_to_apply)),
    "NetworkSet": _namespaced(_NETWORK_SET),
    "GlobalNetworkSet": _NETWORK_SET,
    "HostEndpoint": _layout(
        "NAME NODE",
        "NAME NODE INTERFACE IPS PROFILES",
        node=lambda r: r.spec.node,
        interface=lambda r: r.spec.interface_name,
        ips=lambda r: _comma(r.spec.expected_ips),
        profiles=lambda r: _comma(r.spec.profiles),
    ),
    "IPPool": _layout(
        "NAME CIDR SELECTOR",
        "NAME CIDR NAT IPIPMODE VXLANMODE DISABLED DISABLEBGPEXPORT SELECTOR ASSIGNMENTMODE",
        cidr=lambda r: r.spec.cidr,
        nat=lambda r: _text(r.spec.nat_outgoing),
        ipipmode=lambda r: r.spec.ipip_mode or "Never",
        vxlanmode=lambda r: r.spec.vxlan_mode or "Never",
        disabled=lambda r: _text(r.spec.disabled),
        disablebgpexport=lambda r: _text(r.spec.disable_bgp_export),
        selector=lambda r: r.spec.node_selector,
        assignmentmode=lambda r: _text(r.spec.assignment_mode),
    ),
    "IPReservation": _layout("NAME", "NAME CIDRS", cidrs=lambda r: _nets(r.spec.reserved_cidrs)),
    "IPAMConfiguration": _layout(
        "NAME STRICTAFFINITY AUTOALLOCATEBLOCKS",
        "NAME STRICTAFFINITY AUTOALLOCATEBLOCKS MAXBLOCKSPERHOST",
        strictaffinity=lambda r: _text(r.spec.strict_affinity),
        autoallocateblocks=lambda r: _text(r.spec.auto_allocate_blocks),
        maxblocksperhost=lambda r: _text(r.spec.max_blocks_per_host),
    ),
    "Node": _layout(
        "NAME",
        "NAME ASN IPV4 IPV6",
        asn=lambda r: _node_as_number(r, lambda: DEFAULT_AS_NUMBER),
        ipv4=lambda r: r.spec.bgp.ipv4_address if r.spec.bgp else "",
        ipv6=lambda r: r.spec.bgp.ipv6_address if r.spec.bgp else "",
    ),
    "FelixConfiguration": _NAME_ONLY,
    "KubeControllersConfiguration": _NAME_ONLY,
    "BGPConfiguration": _layout(
        "NAME LOGSEVERITY MESHENABLED ASNUMBER",
        logseverity=lambda r: r.spec.log_severity_screen,
        meshenabled=lambda r: _or_dash(r.spec.node_to_node_mesh_enabled),
        asnumber=lambda r: "-" if r.spec.as_number is None else str(r.spec.as_number),
    ),
    "BGPPeer": _layout(
        "NAME PEERIP NODE ASN",
        peerip=lambda r: r.spec.peer_ip,
        node=lambda r: r.spec.node or r.spec.node_selector or "(global)",
        asn=lambda r: str(r.spec.as_number),
    ),
    "BGPFilter": _layout(
        "NAME NUMEXPORTV4 NUMIMPORTV4 NUMEXPORTV6 NUMIMPORTV6",
        numexportv4=lambda r: str(len(r.spec.export_v4)),
        numimportv4=lambda r: str(len(r.spec.import_v4)),
        numexportv6=lambda r: str(len(r.spec.export_v6)),
        numimportv6=lambda r: str(len(r.spec.import_v6)),
    ),
    "ClusterInformation": _layout(
        "NAME CLUSTERGUID CLUSTERTYPE CALICOVERSION DATASTOREREADY",
        clusterguid=lambda r: r.spec.cluster_guid,
        clustertype=lambda r: r.spec.cluster_type,
        calicoversion=lambda r: r.spec.calico_version,
        datastoreready=lambda r: _text(r.spec.datastore_ready),
    ),
    "CalicoNodeStatus": _layout(
        "NAME NODE", "NAME NODE CLASSES", node=lambda r: r.spec.node, classes=lambda r: _comma(r.spec.classes)
    ),
}
"""The layout of every kind that can be shown."""
