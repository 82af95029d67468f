# SPDX-License-Identifier: Apache-2.0
"""Checks of network sets and of the kinds of address management (spec/validation.md section 4.8)."""

from __future__ import annotations

from percale.resources.addresses import Network, parse_network
from percale.resources.checks.rules import GLOBAL_CALL
from percale.resources.checks.schema import all_of, cidr, count, enum, length, span, whole
from percale.resources.checks.site import Rulebook, Site, each, states
from percale.resources.checks.tokens import limits, token
from percale.resources.ip_pool import IPPoolSpec
from percale.resources.ip_reservation import IPReservationSpec
from percale.resources.ipam import BlockAffinitySpec, IPAMConfigurationSpec
from percale.resources.network_set import GlobalNetworkSet, NetworkSet, NetworkSetSpec

__all__ = ["IPAM", "IP_POOL", "NETWORK_SET"]

NAMESPACE_LABEL = "projectcalico.org/namespace"
_MODES = ("Never", "Always", "CrossSubnet")
_USES = ("Workload", "Tunnel", "LoadBalancer")
# Per family: smallest and largest block size, and the usual one.
_BLOCK_SIZES = {4: (20, 32, 26), 6: (116, 128, 122)}
_LINK_LOCAL = (Network(4, 0xA9FE << 16, 16), Network(6, 0xFE80 << 112, 10))


def _no_namespace_label(site: Site) -> None:
    if NAMESPACE_LABEL in site.value.labels:
        site.at("metadata").at("labels").key(NAMESPACE_LABEL).refuse(
            f"the label {NAMESPACE_LABEL} is reserved",
            "remove it",
            name="Metadata.Labels (label)",
            value=NAMESPACE_LABEL,
        )


NETWORK_SET = Rulebook(
    members={NetworkSetSpec: {"nets": each(token("cidr"))}},
    structures={NetworkSet: _no_namespace_label, GlobalNetworkSet: _no_namespace_label},
)


def _allowed_uses(site: Site) -> None:
    for use in site.value:
        if use not in _USES:
            site.refuse(
                f"{use!r} is not a use", f"use {', '.join(_USES)}", name="IPpool.AllowedUses", reason="unknown use"
            )


def _pool(site: Site) -> None:
    spec = site.value
    network = parse_network(spec.cidr)
    ipip, vxlan = (mode not in ("", "Never") for mode in (spec.ipip_mode, spec.vxlan_mode))
    if ipip and vxlan:
        whole(site, "ipipMode and vxlanMode cannot both be enabled", "set one of them to Never")
    if "LoadBalancer" in spec.allowed_uses:
        _load_balancer(site, encapsulated=ipip or vxlan)
    if network and network.version == 6 and ipip:
        whole(site, "ipipMode is not supported on an IPv6 pool", "use vxlanMode")
    if "Tunnel" in spec.allowed_uses and spec.namespace_selector:
        whole(site, "namespaceSelector cannot stand with the use Tunnel", "write allowedUses: [Workload]")
    for name in ("node_selector", "namespace_selector"):
        if GLOBAL_CALL in getattr(spec, name):
            whole(site, f"{site.at(name).path.removeprefix('spec.')} cannot use global()", "remove it")
    if network:
        _range(site, network)


def _load_balancer(site: Site, *, encapsulated: bool) -> None:
    spec = site.value
    if encapsulated:
        whole(site, "a LoadBalancer pool cannot be encapsulated", "set ipipMode and vxlanMode to Never")
    if {"Workload", "Tunnel"} & set(spec.allowed_uses):
        whole(site, "the use LoadBalancer cannot stand with other uses", "use two pools")
    if spec.disable_bgp_export:
        whole(site, "a LoadBalancer pool must be exported by BGP", "remove disableBGPExport")
    if spec.node_selector != "all()":
        whole(site, "a LoadBalancer pool serves all nodes", "write nodeSelector: all()")


def _range(site: Site, network: Network) -> None:
    spec = site.value
    if network.masked != network:
        whole(site, "the CIDR has host bits", f"write {network.masked}")
    for reserved in _LINK_LOCAL:
        if network.overlaps(reserved):
            whole(site, f"the CIDR overlaps the link-local range {reserved}", "choose another range")
    least, most, usual = _BLOCK_SIZES[network.version]
    if spec.block_size and not least <= spec.block_size <= most:
        whole(
            site,
            f"blockSize {spec.block_size} is not between {least} and {most}",
            reason="blockSize must be between 20 and 32 for IPv4 pools, and between 116 and 128 for IPv6 pools",
        )
    if network.length > (spec.block_size or usual) and not spec.disabled:
        whole(
            site,
            f"the pool is smaller than one block of /{spec.block_size or usual}",
            "widen the CIDR or raise blockSize",
            reason="IP pool size is too small for use with Calico IPAM."
            " It must be equal to or greater than the block size.",
        )


IP_POOL = Rulebook(
    members={
        IPPoolSpec: {
            "cidr": token("net"),
            "node_selector": token("selector"),
            "namespace_selector": token("selector"),
            "allowed_uses": _allowed_uses,
        }
    },
    schema={
        IPPoolSpec: {
            "cidr": all_of(length(48), cidr),
            "vxlan_mode": enum(*_MODES),
            "ipip_mode": enum(*_MODES),
            "block_size": span(0, 128),
            "node_selector": length(1024),
            "namespace_selector": length(1024),
            "allowed_uses": all_of(count(10), each(enum(*_USES, written=True))),
            "assignment_mode": enum("Automatic", "Manual", written=True),
        }
    },
    schema_rules={IPPoolSpec: _pool},
)


@states("a list of CIDRs")
def _reserved(site: Site) -> None:
    known = token("cidr")
    for index in range(len(site.value)):
        here = site.item(index)
        before = len(here.found)
        known(here)
        if len(here.found) > before:
            problem = here.found.pop()
            here.refuse(problem.message, problem.hint, name=site.member, reason=problem.calico_reason, value=site.value)
            return


@states("a CIDR with a prefix length")
def _written_cidr(site: Site) -> None:
    if parse_network(site.value) is None:
        words = f'{site.path} in body must be of type cidr: "{site.value}"'
        site.refuse(f"{site.value!r} is not a CIDR with a prefix length", name=site.path, reason=words, value=None)


@states("false", enum=[False])
def _deleted(site: Site) -> None:
    if site.value:
        site.refuse("cannot be set", "delete the resource instead", name="Spec.Deleted")


IPAM = Rulebook(
    members={
        IPReservationSpec: {"reserved_cidrs": _reserved},
        IPAMConfigurationSpec: {"max_blocks_per_host": limits(least=0)},
        BlockAffinitySpec: {"deleted": _deleted},
    },
    schema={
        IPReservationSpec: {"reserved_cidrs": each(_written_cidr)},
        IPAMConfigurationSpec: {
            "max_blocks_per_host": span(0, 1_000_000),
            "kube_virt_vm_address_persistence": enum("Enabled", "Disabled", written=True),
            "ip_cooldown_seconds": span(0, 1200),
        },
        BlockAffinitySpec: {
            "state": enum("", "confirmed", "pending", "pendingDeletion", written=True),
            "cidr": _written_cidr,
        },
    },
)
