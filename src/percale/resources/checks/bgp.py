# SPDX-License-Identifier: Apache-2.0
"""Checks of the BGP kinds (spec/resources.md section 15, spec/validation.md section 4.8)."""

from __future__ import annotations

import re
from typing import Any

from percale.resources.addresses import parse_address
from percale.resources.bgp_configuration import (
    BGPConfigurationSpec,
    Community,
    PrefixAdvertisement,
    ServiceIPBlock,
)
from percale.resources.bgp_filter import (
    BGPFilterAddCommunity,
    BGPFilterCommunityMatch,
    BGPFilterOperation,
    BGPFilterPrependASPath,
    BGPFilterRule,
    BGPFilterSetPriority,
)
from percale.resources.bgp_peer import BGPPeer, BGPPeerSpec
from percale.resources.checks.schema import all_of, any_case, cidr, count, enum, length, pattern, span, whole
from percale.resources.checks.site import Rulebook, Site, each, keywords_of, states, words_of
from percale.resources.checks.tokens import limits, one_of, required, token

__all__ = ["BGP", "default_only"]

_PRIORITY = limits(least=1, most=2147483646)
_STANDARD = re.compile(r"([0-9]+):([0-9]+)")
_LARGE = re.compile(r"([0-9]+):([0-9]+):([0-9]+)")
_INT32 = 2147483647


def _is_community(text: str) -> bool:
    if match := _STANDARD.fullmatch(text):
        return all(int(part) <= 65535 for part in match.groups())
    match = _LARGE.fullmatch(text)
    return match is not None and all(int(part) <= 4294967295 for part in match.groups())


def _peer(site: Site) -> None:
    spec = site.value
    reach, peer = parse_address(spec.reachable_by), parse_address(_host(spec.peer_ip))
    if spec.reachable_by and peer and (reach is None or reach.version != peer.version):
        site.at("reachable_by").refuse(
            f"{spec.reachable_by} is not of the family of peerIP", reason="mismatched IP versions"
        )


_PEERING = enum("Auto", "Manual", written=True)


@states(words_of(_PEERING), **keywords_of(_PEERING))
def _reverse_peering(site: Site) -> None:
    _PEERING(site)
    if site.value not in (None, "Auto", "Manual"):
        reason = '"spec.reversePeering" must validate all the schemas (allOf)'
        site.refuse("is not Auto or Manual", name="BGPPeer", reason=reason, value=None)


def _host(peer_ip: str) -> str:
    if peer_ip.startswith("["):
        return peer_ip[1:].partition("]")[0]
    return peer_ip.partition(":")[0] if peer_ip.count(":") == 1 else peer_ip


def _peer_schema(site: Site) -> None:
    spec = site.value
    rules = (
        (spec.node and spec.node_selector, "node and nodeSelector cannot both be set"),
        (spec.peer_ip and spec.peer_selector, "peerIP and peerSelector cannot both be set"),
        (spec.as_number and spec.peer_selector, "asNumber cannot stand with peerSelector"),
        (
            spec.local_workload_selector and (spec.peer_ip or spec.peer_selector),
            "localWorkloadSelector cannot stand with peerIP or peerSelector",
        ),
        (spec.local_workload_selector and not spec.as_number, "localWorkloadSelector needs asNumber"),
        (spec.reachable_by and not spec.peer_ip, "reachableBy needs peerIP"),
        (
            spec.keep_original_next_hop and spec.next_hop_mode,
            "keepOriginalNextHop and nextHopMode cannot both be set",
        ),
    )
    for broken, message in rules:
        if broken:
            whole(site, message, "remove one of them" if "both" in message or "with" in message else "add it")


def _peer_numbers(site: Site) -> None:
    for name in ("as_number", "local_as_number"):
        number = getattr(site.value.spec, name)
        if number is not None and number > _INT32:
            here = site.at("spec").at(name)
            here.refuse(
                f"{number} exceeds {_INT32}, the greatest number that the schema knows", name="BGPPeer", value=None
            )


def _communities(site: Site) -> None:
    """Names that advertisements may use, their values, and the advertisements themselves."""
    spec = site.value
    names = {community.name for community in spec.communities}
    for index, community in enumerate(spec.communities):
        if community.value and not _is_community(community.value):
            here = site.at("communities").item(index).at("value")
            _wrong_community(here, community.value, "Spec.Communities[].Value")
    for index, advertisement in enumerate(spec.prefix_advertisements):
        listed = site.at("prefix_advertisements").item(index).at("communities")
        for position, text in enumerate(advertisement.communities):
            if text not in names and not _is_community(text):
                _wrong_community(listed.item(position), text, "Spec.PrefixAdvertisement[].Communities[]")


def _wrong_community(site: Site, text: str, name: str) -> None:
    hint = "write two numbers up to 65535 or three up to 4294967295, joined by ':'"
    site.refuse(f"{text!r} is not a community", hint, name=name, reason="invalid community value or format used")


def _configuration_schema(site: Site) -> None:
    spec = site.value
    if spec.node_to_node_mesh_enabled is False:
        for name in ("node_mesh_password", "node_mesh_max_restart_time"):
            if getattr(spec, name) is not None:
                member = site.at(name).path.removeprefix("spec.")
                whole(site, f"{member} needs the node-to-node mesh", "set nodeToNodeMeshEnabled: true")
    if spec.communities and not spec.prefix_advertisements:
        whole(site, "communities are for prefixAdvertisements, and there are none", "add prefixAdvertisements")


def _filter_rule(site: Site) -> None:
    rule = site.value
    lengths = rule.prefix_length
    most = 128 if "V6" in site.path else 32
    for name in ("min", "max"):
        value = getattr(lengths, name) if lengths else None
        if value is not None and not 0 <= value <= most:
            version = "V6" if most == 128 else "V4"
            tag = f"bgpFilterPrefixLength{version}"
            here = site.at("prefix_length").at(name)
            reason = f"Reason: failed to validate Field: {here.member} because of Tag: {tag} "
            here.refuse(f"{value} is not a prefix length", f"use 0 to {most}", reason=reason)
    if rule.cidr:
        token("netv6" if most == 128 else "netv4")(site.at("cidr"))


@states("a community: two numbers up to 65535, or three up to 4294967295, joined by a colon")
def _filter_community(site: Site) -> None:
    length(32)(site)
    if site.value and not _is_community(site.value):
        hint = "write two numbers up to 65535 or three up to 4294967295, joined by ':'"
        whole(site, f"{site.value!r} is not a community", hint)


def _filter_rule_schema(site: Site) -> None:
    rule = site.value
    most = 128 if "V6" in site.path else 32
    length(43 if most == 128 else 18)(site.at("cidr"))
    if rule.prefix_length is not None:
        for name in ("min", "max"):
            span(0, most, written=True)(site.at("prefix_length").at(name))
    if bool(rule.cidr) != bool(rule.match_operator):
        whole(site, "cidr and matchOperator belong together", "add the other one")
    if rule.prefix_length is not None and not rule.cidr:
        whole(site, "prefixLength needs cidr", "add cidr")
    if rule.operations and rule.action != "Accept":
        whole(site, "operations are for action Accept only", "remove them")


def _operation(site: Site) -> None:
    members = [getattr(site.value, name) for name in site.value.__struct_fields__]
    if sum(member is not None for member in members) != 1:
        whole(site, "an operation has exactly one member")


def default_only(site: Site) -> None:
    """Members that only the configuration named ``default`` may have."""
    if site.value.name == "default":
        return
    spec: Any = site.value.spec
    for name in _DEFAULT_ONLY:
        value = getattr(spec, name)
        if value not in (None, ()):
            here = site.at("spec").at(name)
            message = "can be set in the configuration 'default' only"
            here.refuse(
                message,
                name=f"BGPConfiguration.Spec.{here.member}",
                reason="Cannot set on non default BGP Configuration.",
            )


_DEFAULT_ONLY = (
    "node_to_node_mesh_enabled",
    "as_number",
    "service_load_balancer_ips",
    "service_external_ips",
    "service_cluster_ips",
    "node_mesh_password",
    "node_mesh_max_restart_time",
)
_COMMUNITY = pattern(
    r"^(\d+):(\d+)$|^(\d+):(\d+):(\d+)$",
    "write two or three numbers joined by ':'",
    "two or three numbers joined by a colon",
)


BGP = Rulebook(
    members={
        BGPPeerSpec: {
            "node": token("name"),
            "node_selector": token("selector"),
            "peer_ip": token("IP:port"),
            "peer_selector": token("selector"),
            "reachable_by": token("reachableBy"),
            "filters": each(token("name", even_empty=True)),
            "local_workload_selector": token("selector"),
        },
        BGPConfigurationSpec: {
            "listen_port": limits(most=65535),
            "ignored_interfaces": each(token("ignoredInterface", even_empty=True)),
            "local_workload_peering_ip_v4": token("ipv4"),
            "local_workload_peering_ip_v6": token("ipv6"),
            "ipv4_normal_route_priority": _PRIORITY,
            "ipv6_normal_route_priority": _PRIORITY,
        },
        ServiceIPBlock: {"cidr": token("net")},
        Community: {"name": all_of(required, token("name")), "value": required},
        PrefixAdvertisement: {"cidr": all_of(required, token("net")), "communities": required},
        BGPFilterRule: {
            "source": one_of("RemotePeers"),
            "interface": token("bgpFilterInterface"),
            "peer_type": one_of("eBGP", "iBGP"),
            "priority": _PRIORITY,
            "action": required,
        },
        BGPFilterCommunityMatch: {"values": required},
        BGPFilterAddCommunity: {"value": required},
        BGPFilterPrependASPath: {"prefix": required},
        BGPFilterSetPriority: {"value": all_of(required, _PRIORITY)},
    },
    structures={BGPPeerSpec: _peer, BGPConfigurationSpec: _communities, BGPFilterRule: _filter_rule},
    schema={
        BGPPeerSpec: {
            "node": length(253),
            "node_selector": length(1024),
            "peer_ip": length(64),
            "peer_selector": length(1024),
            "next_hop_mode": enum("Auto", "Self", "Keep", written=True),
            "source_address": enum("UseNodeIP", "None"),
            "reachable_by": length(64),
            "local_workload_selector": length(1024),
            "reverse_peering": _reverse_peering,
        },
        BGPConfigurationSpec: {
            "log_severity_screen": any_case("Trace", "Debug", "Info", "Warning", "Error", "Fatal"),
            "service_load_balancer_aggregation": enum("Enabled", "Disabled", written=True),
            "communities": count(500),
            "prefix_advertisements": count(500),
            "bind_mode": enum("None", "NodeIP", written=True),
            "program_cluster_routes": enum(
                "Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly", written=True
            ),
            "ipv4_normal_route_priority": span(1, 2147483646, written=True),
            "ipv6_normal_route_priority": span(1, 2147483646, written=True),
        },
        ServiceIPBlock: {"cidr": cidr},
        Community: {"name": length(253), "value": all_of(_COMMUNITY, length(40))},
        PrefixAdvertisement: {"cidr": cidr, "communities": count(50)},
        BGPFilterRule: {
            "cidr": cidr,
            "source": enum("RemotePeers"),
            "interface": length(15),
            "match_operator": enum("Equal", "NotEqual", "In", "NotIn"),
            "peer_type": enum("eBGP", "iBGP"),
            "priority": span(1, 2147483646, written=True),
            "action": enum("Accept", "Reject", written=True),
            "operations": count(10),
        },
        BGPFilterCommunityMatch: {"values": all_of(count(1, 1), each(_filter_community))},
        BGPFilterAddCommunity: {"value": _filter_community},
        BGPFilterPrependASPath: {"prefix": count(10, 1)},
        BGPFilterSetPriority: {"value": span(1, 2147483646, written=True)},
    },
    schema_rules={
        BGPPeerSpec: _peer_schema,
        BGPPeer: _peer_numbers,
        BGPConfigurationSpec: _configuration_schema,
        BGPFilterRule: _filter_rule_schema,
        BGPFilterOperation: _operation,
    },
)
