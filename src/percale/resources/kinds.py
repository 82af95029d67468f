# SPDX-License-Identifier: Apache-2.0
"""The registry of kinds, in the order of the manual (spec/resources.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from percale.resources.resource import Resource

__all__ = ["KINDS", "KindInfo", "kind_hint", "kind_named"]


class KindInfo(msgspec.Struct, frozen=True, dict=True):
    """The facts of one kind; its class is imported only when ``type`` is asked for.

    ``plural`` is the segment of Calico's etcd path and the CRD's plural, ``aliases`` are the names that the
    command line accepts (none: the kind is internal), ``short_names`` those of kubectl.
    """

    kind: str
    plural: str
    namespaced: bool
    module: str
    aliases: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()

    @property
    def list_kind(self) -> str:
        """The kind of a typed list of this kind."""
        return f"{self.kind}List"

    @cached_property
    def type(self) -> type[Resource]:
        """The class of this kind."""
        found: Any = getattr(import_module(f"percale.resources.{self.module}"), self.kind)
        return found  # type: ignore[no-any-return]


def _kind(
    kind: str, module: str, aliases: str = "", *, namespaced: bool = False, plural: str = "", short_names: str = ""
) -> KindInfo:
    return KindInfo(
        kind=kind,
        plural=plural or f"{kind.lower()}s",
        namespaced=namespaced,
        module=module,
        aliases=tuple(aliases.split()),
        short_names=tuple(short_names.split()),
    )


_ALL = (
    _kind(
        "WorkloadEndpoint",
        "workload_endpoint",
        "workloadendpoint workloadendpoints wep weps",
        namespaced=True,
    ),
    _kind(
        "NetworkPolicy",
        "network_policy",
        "networkpolicy networkpolicies policy policies np pol pols",
        namespaced=True,
        plural="networkpolicies",
        short_names="cnp caliconetworkpolicy",
    ),
    _kind(
        "GlobalNetworkPolicy",
        "network_policy",
        "globalnetworkpolicy globalnetworkpolicies gnp gnps",
        plural="globalnetworkpolicies",
        short_names="gnp cgnp",
    ),
    _kind(
        "StagedNetworkPolicy",
        "staged_policy",
        "stagednetworkpolicy stagednetworkpolicies stagedpolicy stagedpolicies snp spol spols",
        namespaced=True,
        plural="stagednetworkpolicies",
        short_names="scnp snp",
    ),
    _kind(
        "StagedGlobalNetworkPolicy",
        "staged_policy",
        "stagedglobalnetworkpolicy stagedglobalnetworkpolicies sgnp sgnps",
        plural="stagedglobalnetworkpolicies",
        short_names="sgnp",
    ),
    _kind(
        "StagedKubernetesNetworkPolicy",
        "staged_kubernetes_policy",
        "stagedkubernetesnetworkpolicy stagedkubernetesnetworkpolicies stagedkubernetespolicy stagedkubernetespolicies"
        " sknp skpol skpols",
        namespaced=True,
        plural="stagedkubernetesnetworkpolicies",
        short_names="sknp",
    ),
    _kind("Tier", "tier", "tier tiers"),
    _kind("Profile", "profile", "profile profiles pro pros"),
    _kind("NetworkSet", "network_set", "networkset networksets netsets", namespaced=True),
    _kind("GlobalNetworkSet", "network_set", "globalnetworkset globalnetworksets gnetsets", short_names="gns"),
    _kind("HostEndpoint", "host_endpoint", "hostendpoint hostendpoints hep heps", short_names="hep heps"),
    _kind("IPPool", "ip_pool", "ippool ippools ipp ipps pool pools"),
    _kind("IPReservation", "ip_reservation", "ipreservation ipreservations reservation reservations"),
    _kind(
        "IPAMConfiguration",
        "ipam",
        "ipamconfiguration ipamconfigurations ipamconfig ipamconfigs",
        short_names="ipamconfig ipamconfigs",
    ),
    _kind("BlockAffinity", "ipam", plural="blockaffinities", short_names="affinity affinities"),
    _kind("IPAMBlock", "ipam"),
    _kind("IPAMHandle", "ipam"),
    _kind("Node", "node", "node nodes no nos"),
    _kind(
        "FelixConfiguration",
        "felix_configuration",
        "felixconfiguration felixconfigurations felixconfig felixconfigs",
    ),
    _kind(
        "ClusterInformation",
        "cluster_information",
        "clusterinformation clusterinformations clusterinfo clusterinfos",
        short_names="clusterinfo clusterinfos",
    ),
    _kind(
        "KubeControllersConfiguration",
        "kube_controllers_configuration",
        "kubecontrollersconfiguration kubecontrollersconfigurations kubecontrollersconfig kubecontrollersconfigs",
        short_names="kcc kccs",
    ),
    _kind("BGPPeer", "bgp_peer", "bgppeer bgppeers bgpp bgpps bp bps"),
    _kind(
        "BGPConfiguration",
        "bgp_configuration",
        "bgpconfiguration bgpconfigurations bgpconfig bgpconfigs",
        short_names="bgpconfig bgpconfigs",
    ),
    _kind("BGPFilter", "bgp_filter", "bgpfilter bgpfilters bgpf bgpfs bf bfs"),
    _kind(
        "CalicoNodeStatus",
        "calico_node_status",
        "caliconodestatus caliconodestatuses nodestatus nodestatuses",
        plural="caliconodestatuses",
    ),
    _kind("LiveMigration", "live_migration", namespaced=True),
)

KINDS: Mapping[str, KindInfo] = MappingProxyType({info.kind: info for info in _ALL})
"""Every kind by its name."""

_BY_ALIAS = {alias: info for info in _ALL for alias in info.aliases}


def kind_named(alias: str) -> KindInfo | None:
    """Return the kind that the command line knows by this name, in any case, or None."""
    return _BY_ALIAS.get(alias.lower())


def kind_hint(word: str) -> str:
    """Return what to do about a word that names no kind: which one may be meant, else which ones there are."""
    from percale.resources.spelling import meant  # only the unlucky pay

    known = {info.kind.lower(): info.kind for info in _ALL if info.aliases}
    known |= {alias: info.kind for alias, info in _BY_ALIAS.items()}
    return meant(word, known) or f"known kinds: {', '.join(dict.fromkeys(known.values()))}"
